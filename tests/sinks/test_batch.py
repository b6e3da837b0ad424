from dataclasses import replace

from grnry.persisters.event_store import EventStore
from grnry.sinks.batch import LARGEST_BYTES, Batch
from tests.sinks.records import TOPIC, Made, event, in_partition

TARGET = EventStore("calls")
ZERO, ONE = (TOPIC, 0), (TOPIC, 1)


def made() -> Batch:
    return Batch.of(
        [event(3), in_partition(1, event(8)), Made(4), event(5), in_partition(1, Made(9))], TARGET
    )


def test_lines_records_and_dead_letters() -> None:
    batch = made()
    assert [record.offset() for record in batch.records] == [3, 8, 5]
    assert batch.lines == [TARGET.line(record) for record in batch.records]
    assert [letter.record.offset() for letter in batch.dead] == [4, 9]
    assert batch.offsets == {ZERO: 6, ONE: 10}
    assert batch.size == 5


def test_it_grows() -> None:
    batch = made()
    batch.add([], TARGET)
    batch.add([event(6)], TARGET)
    assert batch.offsets == {ZERO: 7, ONE: 10}
    assert batch.size == 6


def test_the_epoch_of_the_last_record_is_that_of_what_is_left_of_the_batch() -> None:
    batch = Batch.of([replace(event(1), epoch=5), replace(event(2), epoch=6)], TARGET)
    batch.add([in_partition(1, replace(event(8), epoch=7))], TARGET)
    assert batch.epochs == {ZERO: 6, ONE: 7}
    assert batch.after({ZERO: 2}).epochs[ZERO] == 6
    assert batch.without({ONE}).epochs[ZERO] == 6
    batch.remake(TARGET)
    assert batch.epochs == {ZERO: 6, ONE: 7}


def test_without_partitions() -> None:
    batch = made().without({ZERO})
    assert [record.offset() for record in batch.records] == [8]
    assert [letter.record.offset() for letter in batch.dead] == [9]
    assert batch.offsets == {ONE: 10}
    assert made().without(set()).size == 5
    assert made().without({ZERO, ONE}).offsets == {}


def test_after_what_is_stored() -> None:
    batch = made().after({ZERO: 5, ONE: None})
    assert [record.offset() for record in batch.records] == [8, 5]
    assert batch.lines == [TARGET.line(record) for record in batch.records]
    assert [letter.record.offset() for letter in batch.dead] == [9]
    assert batch.offsets == {ZERO: 6, ONE: 10}
    assert made().after({ZERO: 6, ONE: 10}).size == 0
    assert made().after({ZERO: 6, ONE: 10}).offsets == {}


def test_it_has_room_for_as_many_as_are_asked_for() -> None:
    assert Batch().room(5000) == 5000
    batch = made()
    assert batch.room(5000) == 4995
    assert batch.room(batch.size) == 0


def test_large_records_fill_it_sooner() -> None:
    mebibyte = b'"%b"' % (b"x" * 2**20)
    batch = Batch.of([event(number, mebibyte) for number in range(2)], TARGET)
    assert 1 <= batch.room(5000) <= 3, "some four fit"
    while batch.room(5000):
        batch.add([event(batch.size, mebibyte)], TARGET)
    assert LARGEST_BYTES <= batch.weight <= LARGEST_BYTES + 2 * 2**20
    assert batch.size < 6


def test_what_cannot_be_stored_takes_room_too() -> None:
    poison = Made(0, b"x" * LARGEST_BYTES)
    assert Batch.of([poison], TARGET).room(5000) == 0
