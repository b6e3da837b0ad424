"""Partitions that a group forgets, as their member ends while it gives them back."""

import subprocess
import sys
from collections.abc import Callable

from grnry.log.cluster import Cluster
from grnry.log.unassigned import unassigned
from grnry.sinks.group_watch import GroupWatch, PartitionsForgotten
from tests.log.broker.running import wait_until
from tests.log.contract.reading import Reader

DIES_GIVING_BACK = """
import os, signal, sys
from tests.log.contract.reading import Reader
class Dying(Reader):
    def revoked(self, partitions):
        os.kill(os.getpid(), signal.SIGKILL)
one = Dying(sys.argv[1], sys.argv[2], "one", session_ms=6_000)
while True:
    if len(one.step().mine) == 2:
        print("has both", flush=True)
"""


def all_of(*readers: Reader) -> set[int]:
    return {number for each in readers for _, number in each.step().mine}


def is_noticed(watch: GroupWatch) -> bool:
    try:
        watch.expect_all()
    except PartitionsForgotten:
        return True
    return False


def test_what_is_forgotten_is_seen_and_shared_out_anew(
    topic: Callable[..., str], cluster: Cluster, reader: Callable[..., Reader]
) -> None:
    name = topic(2)
    group = f"group of {name}"
    words = [sys.executable, "-c", DIES_GIVING_BACK, cluster.bootstrap, name]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == b"has both\n"
        two = reader("two", session_ms=6_000)
        wait_until(lambda: bool(all_of(two)) and dying.poll() is not None, 60)
    one = Reader(cluster, name, "one", session_ms=6_000)
    wait_until(lambda: all_of(one, two) and unassigned(cluster, group, name) is not None, 60)
    # Which the group has made of it: it depends on when the broker had heard of what.
    if unassigned(cluster, group, name):
        watch = GroupWatch(lambda: unassigned(cluster, group, name), seconds=0)
        watch.shared_out()
        # It may come to it by itself even now.
        wait_until(lambda: all_of(one, two) == {0, 1} or is_noticed(watch), 60)
        if all_of(one, two) != {0, 1}:
            one.consumer.close(leaves=True)
            one = Reader(cluster, name, "one", session_ms=6_000)
    wait_until(lambda: all_of(one, two) == {0, 1}, 60)
    assert unassigned(cluster, group, name) == frozenset()
    one.consumer.close()


def test_partitions_that_move_are_not_forgotten() -> None:
    """What nobody has at one look, and another at the next."""
    answers = iter([None, frozenset({1}), frozenset({2}), frozenset(), frozenset({2})])
    watch = GroupWatch(lambda: next(answers), seconds=0)
    watch.expect_all()  # nothing was shared out yet
    watch.shared_out()
    for _ in range(5):
        watch.expect_all()
    assert next(answers) == frozenset({2})
