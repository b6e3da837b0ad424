"""Groups as the port joins and describes them, over each broker."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import pytest

from grnry.errors import InUse
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.consumer import Consumer
from grnry.log.membership import Membership
from grnry.log.model import BEGINNING, END, Lag, Span
from grnry.log.records import CommitRefused, LogAway, Outgoing, Partition
from tests.log.broker.running import wait_until
from tests.log.contract.reading import Reader

Send = Callable[[Sequence[Outgoing | str]], None]
MakeReader = Callable[..., Reader]


def both(one: Reader, two: Reader) -> bool:
    one.step()
    two.step()
    return True


def spread(count: int) -> list[Outgoing]:
    return [Outgoing(None, b"%d" % number, partition=number % 4) for number in range(count)]


def test_two_members_share_and_what_is_in_hand_is_stored_first(
    topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    topic(4)
    send(spread(400))
    offsets: dict[Partition, int] = {}
    one = reader("one", offsets=offsets, is_holding=True)
    wait_until(lambda: len(one.step().in_hand) == 400)
    assert not one.records
    two = reader("two", offsets=offsets)
    wait_until(lambda: both(one, two) and len(one.mine) == len(two.mine) == 2, 60)
    assert ("revoked", 400) in one.told
    assert not one.mine & two.mine
    assert len(one.records) == 400
    one.is_holding = False
    send(spread(400))
    wait_until(lambda: both(one, two) and len(one.records) + len(two.records) >= 800)
    assert len(one.records) + len(two.records) == 800
    assert len(two.records) == 200


def test_a_member_that_leaves_is_followed_by_the_other(
    topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    topic(4)
    offsets: dict[Partition, int] = {}
    one = reader("one", offsets=offsets, session_ms=6_000)
    two = reader("two", offsets=offsets, session_ms=6_000)
    wait_until(lambda: both(one, two) and len(one.mine) == len(two.mine) == 2, 60)
    send(spread(40))
    wait_until(lambda: both(one, two) and len(one.records) + len(two.records) == 40)
    two.consumer.close()  # a named member keeps its place until its session ends
    wait_until(lambda: len(one.step().mine) == 4, 60)
    before = len(one.records)
    send(spread(40))
    wait_until(lambda: len(one.step().records) >= before + 40)
    assert len(one.records) == before + 40


def test_a_group_is_described_with_its_lag(
    admin: Admin, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic(2)
    group = f"{made} group"
    assert admin.group(group) is None
    assert admin.committed(group) == {}
    send([Outgoing(None, b"", partition=0)] * 10)
    one = reader(group=group)
    wait_until(lambda: len(one.step().records) == 10)
    one.consumer.commit_and_wait({(made, 0): 4})
    assert admin.committed(group) == {(made, 0): 4}
    progress = admin.progress(group, [made])
    assert progress.partitions == {
        (made, 0): Lag(4, Span(0, 10)),
        (made, 1): Lag(None, Span(0, 0)),
    }
    assert progress.lag == 6
    found = admin.group(group)
    assert found is not None
    assert (found.state, len(found.members)) == ("stable", 1)
    assert found.members[0].client == "one"
    assert found.members[0].partitions == ((made, 0), (made, 1))
    assert admin.groups()[group] == "stable"
    one.consumer.commit({(made, 0): 10})
    wait_until(lambda: not one.step().in_hand and admin.committed(group) == {(made, 0): 10})


def test_only_a_group_without_members_is_reset_or_deleted(
    admin: Admin, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic()
    send(["a", "b", "c"])
    group = f"{made} group"
    one = reader(group=group, session_ms=6_000)
    wait_until(lambda: one.step().mine)
    one.consumer.commit_and_wait({(made, 0): 2})
    with pytest.raises(InUse):
        admin.delete_group(group)
    with pytest.raises(InUse):
        admin.reset_group(group, {(made, 0): 0})
    one.consumer.close()
    wait_until(lambda: admin.groups().get(group) == "empty", 60)
    for where, offset in ((BEGINNING, 0), (END, 3)):
        admin.reset_group(group, admin.places([(made, 0)], where))
        assert admin.committed(group) == {(made, 0): offset}
    assert admin.delete_group(group)
    assert not admin.delete_group(group)
    assert group not in admin.groups()


def test_offsets_of_a_group_that_nobody_joined_can_be_set(
    admin: Admin, topic: Callable[..., str], send: Send
) -> None:
    made = topic()
    send(["a", "b"])
    admin.reset_group(f"{made} group", {(made, 0): 1})
    assert admin.progress(f"{made} group").lag == 1


_MEMBER = """
import json, sys
from grnry.log.cluster import Cluster
from grnry.log.consumer import Consumer
from grnry.log.membership import Membership
from grnry.log.records import CommitRefused
from tests.log.broker.running import wait_until
from tests.log.contract.reading import Reader

bootstrap, topic, group = sys.argv[1:]
one = Reader(Cluster(bootstrap), topic, "frozen", group=group, session_ms=6_000)
wait_until(lambda: one.step().records)
one.consumer.commit_and_wait(one.offsets)
print("reads", flush=True)
input()
try:
    one.consumer.commit_and_wait(one.offsets)
except CommitRefused:
    print("refused", flush=True)
else:
    print("taken", flush=True)
"""


@pytest.fixture
def frozen(cluster: Cluster, name: str) -> Iterator["subprocess.Popen[str]"]:
    """A member in a process of its own, that can be stopped and woken."""
    words = [sys.executable, "-c", _MEMBER, cluster.bootstrap, name, f"{name} group"]
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "src:."},
    )
    yield process
    process.kill()
    process.communicate()


def test_who_was_frozen_longer_than_its_session_commits_nothing(
    admin: Admin,
    topic: Callable[..., str],
    send: Send,
    reader: MakeReader,
    frozen: "subprocess.Popen[str]",
) -> None:
    made = topic()
    send(["a"])
    assert frozen.stdout is not None
    assert frozen.stdin is not None
    assert frozen.stdout.readline() == "reads\n"
    frozen.send_signal(signal.SIGSTOP)
    other = reader("other", group=f"{made} group", session_ms=6_000, offsets={(made, 0): 1})
    wait_until(lambda: other.step().mine, 60)
    send(["b"])
    wait_until(lambda: other.step().values == ["b"])
    other.consumer.commit_and_wait(other.offsets)
    frozen.send_signal(signal.SIGCONT)
    frozen.stdin.write("\n")
    frozen.stdin.flush()
    assert frozen.stdout.readline() == "refused\n"
    assert admin.committed(f"{made} group") == {(made, 0): 2}


def test_a_second_one_of_the_same_name_puts_the_first_one_out(
    topic: Callable[..., str], reader: MakeReader
) -> None:
    made = topic()
    first = reader()
    wait_until(lambda: first.step().mine)
    second = reader()
    wait_until(lambda: second.step().mine, 60)
    with pytest.raises(CommitRefused):
        first.consumer.commit_and_wait({(made, 0): 0})
    second.consumer.commit_and_wait({(made, 0): 0})


def test_who_was_put_out_is_told_and_does_not_read_nothing_for_ever(
    topic: Callable[..., str], reader: MakeReader
) -> None:
    made = topic()
    first = reader()
    wait_until(lambda: first.step().mine)
    second = reader()
    wait_until(lambda: second.step().mine, 60)
    first.consumer.commit({(made, 0): 0})

    with pytest.raises(LogAway, match="fenced"):
        wait_until(lambda: first.step().gaps, 60)


class Waiting:
    """A reader that starts nothing of what it is granted, as its database is away."""

    def __init__(self, cluster: Cluster, topic: str, member: str) -> None:
        self.mine: set[Partition] = set()
        self.revocations = 0
        self.consumer = Consumer(cluster, topic, Membership(f"group of {topic}", member), self)

    def granted(self, partitions: Sequence[Partition]) -> None:
        self.mine.update(partitions)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self.mine.difference_update(partitions)
        self.revocations += 1


@pytest.mark.parametrize("started", [0, 1])
def test_partitions_that_were_not_started_are_given_to_another(
    cluster: Cluster, topic: Callable[..., str], reader: MakeReader, started: int
) -> None:
    made = topic(4)
    waiting = Waiting(cluster, made, "waiting")
    wait_until(lambda: waiting.consumer.read(1, 0.05) or len(waiting.mine) == 4, 60)
    waiting.consumer.start(dict.fromkeys(sorted(waiting.mine)[:started]))
    other = reader("other")
    try:
        wait_until(lambda: waiting.consumer.read(1, 0.05) or len(other.step().mine) == 2, 60)
        assert len(waiting.mine) == 2
        assert waiting.revocations == 1
    finally:
        waiting.consumer.close()
