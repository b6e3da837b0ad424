"""`kill -9` under load, again and again: nothing lost, doubled or moved; groups go on.

By hand: GRNRY_FAULT_KILLS=50 GRNRY_FAULT_SEED=1 ./check tests/log/broker/test_kills.py
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from confluent_kafka.cimpl import NewTopic

from grnry.log.broker import check
from tests.log.broker.ledger import KILLS, SEED, SPOTLESS, Deliveries, Load, Reader, judge
from tests.log.broker.running import RunningBroker, wait_until


@pytest.mark.timeout(60 + 30 * KILLS)
@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("fsync", ["always", "interval"])
def test_kills_under_load(tmp_path: Path, fsync: str, seed: int) -> None:
    chance = random.Random(seed)
    told = Deliveries()
    with RunningBroker(tmp_path, fsync=fsync, log={"segment_bytes": 1 << 18}) as broker:
        broker.create_topic("numbers", 3)
        loads = [Load(broker, "numbers", name) for name in ("a", "b")]
        readers = [Reader(broker, "numbers", "g", told) for _ in range(2)]
        try:
            for kill in range(KILLS):
                _wait_for_progress(loads, told)
                wait_until(_after(chance.random() * 0.3))
                broker.kill()
                broker.start()
                if kill % 5 == 1:
                    assert "all is on the disk" in broker.stop()
                    broker.start()
            _wait_for_progress(loads, told)
        finally:
            for load in loads:
                load.finish()
            total = sum(len(load.acknowledged) for load in loads)
            try:
                wait_until(lambda: told.count >= total, 60)
            finally:
                for reader in readers:
                    reader.finish()
        assert [load.failed for load in loads] == [[], []]
        assert [load.sent for load in loads] == [len(load.acknowledged) for load in loads]
        found = broker.read_all("numbers", total)
        assert judge(found, loads) == SPOTLESS
        assert told.wrong == []
        assert told.count == total
        broker.kill()
        assert check(tmp_path).is_sound


def _wait_for_progress(loads: list[Load], told: Deliveries) -> None:
    """Everybody does something since the last start: writes, reads and commits."""
    acknowledged = [len(load.acknowledged) for load in loads]
    count, commits = told.count, told.commits
    wait_until(
        lambda: (
            all(
                load.has_reached(before + 300)
                for load, before in zip(loads, acknowledged, strict=True)
            )
            and told.count > count
            and told.commits > commits + 2
        ),
        60,
    )


def _after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


@pytest.mark.parametrize("seed", [SEED])
def test_topics_are_there_whole_or_not_at_all(tmp_path: Path, seed: int) -> None:
    """What was answered before the kill holds after it."""
    chance = random.Random(seed)
    there: set[str] = set()
    with RunningBroker(tmp_path) as broker:
        for kill in range(1 + KILLS // 4):
            pending: dict[str, Future[None]] = {}
            for number in range(30):
                name = f"topic-{kill}-{number}"
                pending |= broker.admin.create_topics([NewTopic(name, 2, 1)])
            gone = {name for name in there if chance.random() < 0.5}
            deleting = broker.admin.delete_topics(list(gone)) if gone else {}
            enough = chance.randrange(31)
            wait_until(lambda: sum(one.done() for one in pending.values()) >= enough)  # noqa: B023
            broker.kill()
            created = {name for name, one in pending.items() if one.done() and not one.exception()}
            deleted = {name for name, one in deleting.items() if one.done() and not one.exception()}
            broker.start()
            known = broker.admin.list_topics(timeout=10).topics
            assert {len(topic.partitions) for topic in known.values()} <= {2}
            assert known.keys() >= created | (there - gone)
            assert not known.keys() & deleted
            there = set(known)
            for name in sorted(there)[:3]:
                broker.produce(name, ["x"])
        broker.kill()
    assert check(tmp_path).is_sound
