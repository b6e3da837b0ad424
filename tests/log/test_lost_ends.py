"""A reader whose log has lost its end is told where the two part, and misses nothing after that."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from grnry.log.records import Gap, Outgoing
from tests.log.broker.running import wait_until
from tests.log.contract.reading import Reader
from tests.log.losing import LosingEmbedded, LosingKafka

ZERO, ONE = ("t", 0), ("t", 1)
MakeReader = Callable[..., Reader]


def of_zero(text: str, count: int) -> list[Outgoing]:
    return [Outgoing(None, f"{text} {number}".encode(), partition=0) for number in range(count)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LosingEmbedded]:
    made = LosingEmbedded(tmp_path, "t")
    yield made
    made.stop()


@pytest.fixture
def reader(log: LosingEmbedded) -> Iterator[MakeReader]:
    made: list[Reader] = []

    def make(member: str = "one", **given: Any) -> Reader:
        made.append(Reader(log.cluster, "t", member, **given))
        return made[-1]

    yield make
    for each in made:
        each.consumer.close()


def epoch_of(log: LosingEmbedded, offset: int) -> int | None:
    return next(one.leader_epoch() for one in log.read() if one.offset() == offset)


def lose_the_end(log: LosingEmbedded, kept: int = 50, lost: int = 20) -> int | None:
    """Answers the epoch of what is lost; nothing new is written."""
    log.write(of_zero("kept", kept))
    sizes = log.sizes()
    log.write(of_zero("lost", lost))
    epoch = epoch_of(log, kept + lost - 1)
    log.stop()
    log.cut(sizes)
    log.start()
    return epoch


@pytest.mark.parametrize("new", [0, 5, 20, 300])
def test_who_comes_back_is_told_how_far_the_log_is_the_same(
    log: LosingEmbedded, reader: MakeReader, new: int
) -> None:
    """However much it has by now: less than was read, as much, or more."""
    epoch = lose_the_end(log)
    log.write(of_zero("new", new))
    one = reader(offsets={ZERO: 70}, epochs={ZERO: epoch})
    wait_until(lambda: one.step().gaps)
    assert one.gaps == [Gap(ZERO, 70, 50, is_cut=True)]
    assert "the log has lost its end" in str(one.gaps[0])
    log.write(of_zero("last", 1))
    wait_until(lambda: "last 0" in one.step().values)
    assert one.values == [f"new {number}" for number in range(new)] + ["last 0"]


def test_an_epoch_that_the_log_has_not_come_to_is_of_another_one(
    log: LosingEmbedded, reader: MakeReader
) -> None:
    log.write(of_zero("all", 100))
    epoch = epoch_of(log, 99)
    assert epoch is not None
    one = reader(offsets={ZERO: 70}, epochs={ZERO: epoch + 10**6})
    wait_until(lambda: len(one.step().records) == 100)
    assert one.gaps == [Gap(ZERO, 70, 0, is_cut=True)]


def test_a_log_that_goes_on_over_restarts_is_the_same(
    log: LosingEmbedded, reader: MakeReader
) -> None:
    log.write(of_zero("first", 50))
    epoch = epoch_of(log, 49)
    for _ in range(2):
        log.stop()
        log.start()
        log.write(of_zero("more", 10))
    one = reader(offsets={ZERO: 50, ONE: 0}, epochs={ZERO: epoch, ONE: epoch})
    wait_until(lambda: len(one.step().records) >= 20)
    assert [record.offset() for record in one.records] == list(range(50, 70))
    at_its_end = reader("two", offsets={ZERO: 50}, epochs={ZERO: epoch}, group="another")
    wait_until(lambda: len(at_its_end.step().records) >= 20)
    assert one.gaps == at_its_end.gaps == []


def test_what_is_waiting_in_the_client_is_handed_out_before_it_is_told(
    log: LosingEmbedded, reader: MakeReader
) -> None:
    log.write(of_zero("kept", 50))
    sizes = log.sizes()
    log.write(of_zero("lost", 20))
    one = reader()
    wait_until(lambda: one.step().values)
    log.stop()
    log.cut(sizes)
    log.start()
    log.write(of_zero("new", 300))
    wait_until(lambda: "new 299" in one.step().values)
    assert one.gaps == [Gap(ZERO, 70, 50, is_cut=True)]
    assert [record.offset() for record in one.records] == [*range(70), *range(50, 350)]


def test_brokers_that_are_away_are_waited_for(log: LosingEmbedded, reader: MakeReader) -> None:
    epoch = lose_the_end(log)
    log.write(of_zero("new", 300))
    one = reader(offsets={ZERO: 70}, epochs={ZERO: epoch})
    log_went: list[bool] = []

    def stop_when_granted(partitions: Sequence[tuple[str, int]]) -> None:
        if not log_went:
            log.stop()
            log_went.append(True)
        granted(partitions)

    granted, one.granted = one.granted, stop_when_granted  # type: ignore[method-assign]
    wait_until(lambda: one.step().mine)
    one.step()
    assert not one.records
    log.start()
    wait_until(lambda: "new 299" in one.step().values)
    assert one.gaps == [Gap(ZERO, 70, 50, is_cut=True)]


def test_who_is_paused_is_told_later(log: LosingEmbedded, reader: MakeReader) -> None:
    epoch = lose_the_end(log)
    log.write(of_zero("new", 300))
    one = reader(offsets={ZERO: 70}, epochs={ZERO: epoch})
    one.consumer.pause([ZERO, ONE])
    wait_until(lambda: one.step().mine)
    for _ in range(3):
        one.step()
    assert not one.gaps
    one.consumer.resume([ZERO, ONE])
    wait_until(lambda: "new 299" in one.step().values)
    assert one.gaps == [Gap(ZERO, 70, 50, is_cut=True)]


def test_what_is_compared_may_move_to_another_member(
    log: LosingEmbedded, reader: MakeReader
) -> None:
    """It is not the library's yet, which may not be told that it is gone then."""
    epoch = lose_the_end(log)
    log.write(of_zero("new", 300))
    offsets, epochs = {ZERO: 70, ONE: 0}, {ZERO: epoch, ONE: None}
    one = reader(offsets=offsets, epochs=epochs)
    one.consumer.pause([ZERO, ONE])
    wait_until(lambda: len(one.step().mine) == 2)
    two = reader("two", offsets=offsets, epochs=epochs)
    wait_until(lambda: len(one.step().mine) == 1 and len(two.step().mine) == 1)
    one.consumer.resume([ZERO, ONE])

    def has_all() -> bool:
        return "new 299" in one.step().values + two.step().values

    wait_until(has_all)
    assert one.gaps + two.gaps == [Gap(ZERO, 70, 50, is_cut=True)]


def test_a_kafka_whose_epochs_went_back_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Its whole folder is an older copy: what it says of epochs is of another life."""
    if not all(map(shutil.which, ("java", "mvn"))) and "CI" not in os.environ:
        pytest.skip("Java or Maven is not installed")
    log = LosingKafka(tmp_path, "t")
    runs = Reader(log.cluster, "t", "runs", offsets={ZERO: 0}, group="runs")
    try:
        log.write(of_zero("kept", 50))
        log.stop()
        copy = log.copy()
        log.start()
        log.write(of_zero("lost", 10))
        log.stop()
        log.start()
        log.write(of_zero("lost", 10))
        wait_until(lambda: len(runs.step().records) == 70, 120)
        offsets, epochs = dict(runs.offsets), dict(runs.epochs)
        log.stop()
        log.put_back(copy)
        log.start()
        log.write(of_zero("new", 200))
        wait_until(lambda: "new 199" in runs.step().values, 120)
        was_away = Reader(log.cluster, "t", "away", offsets=offsets, epochs=epochs, group="away")
        wait_until(lambda: "new 199" in was_away.step().values, 120)
        was_away.consumer.close()
        assert was_away.gaps == [Gap(ZERO, 70, 0, is_cut=True)]
        # It may have looked before anything new was written.
        assert [(gap.wanted, gap.found) for gap in runs.gaps] == [(70, 0)]
        assert [record.offset() for record in was_away.records] == list(range(250))
    finally:
        runs.consumer.close()
        log.stop()
