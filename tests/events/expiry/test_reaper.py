"""The reaper, over the database and the log of a whole running Granary."""

import threading
from datetime import timedelta

import pytest

from grnry.events.expiry.reaper import MOST_DELETED, Reaper, next_batch
from grnry.log.producer import Producer
from grnry.log.records import LogAway
from tests.event_types.calling import Caller
from tests.events.expiry.field import DAY, HOUR, MS, NOW, OWN, Field

in_the_platforms_table = pytest.mark.parametrize("field", ["platform"], indirect=True)


def test_what_is_too_old_is_told_of_once(field: Field) -> None:
    field.add("old", 2 * DAY)
    field.add("very old", 1000 * DAY, entity='"quoted"')
    field.add("young", DAY - HOUR)
    field.reaper().reap(NOW)
    assert field.told_ids() == ["old", "very old"]
    field.reaper().reap(NOW + timedelta(minutes=10))
    field.reaper().reap(NOW + timedelta(hours=2))
    assert field.told_ids() == ["old", "very old", "young"]
    assert field.ids() == ["old", "very old", "young"]


def test_a_deletion_event_says_which_and_why(field: Field) -> None:
    field.add("old", 2 * DAY, entity='"quoted"')
    field.reaper().reap(NOW)
    (record,) = field.told()
    assert record.key() == b'"quoted"'
    headers = dict(record.headers() or ())
    assert headers.pop("grnry-event-timestamp")
    assert headers == {
        "grnry-correlation-id": b'"\\"quoted\\""',
        "grnry-event-id": b"old",
        "grnry-event-type": field.name.encode(),
        "grnry-event-type-version": b"3",
        "grnry-harvester-name": b"web",
        "grnry-deletion-flag": b"true",
        "grnry-deletion-cause": b"expiry",
    }


def test_again_after_a_day_only_where_there_is_no_end_yet(field: Field) -> None:
    field.add("heard", 2 * DAY)
    field.add("not heard", 3 * DAY)
    field.reaper().reap(NOW)
    field.end("heard", MS + 100 * DAY)
    for hours in (1, 23, 25, 26, 47):
        field.reaper().reap(NOW + timedelta(hours=hours))
    field.add("came late", 4 * DAY)
    assert field.told_ids() == ["heard", "not heard"]
    field.reaper().reap(NOW + timedelta(hours=50))
    field.reaper().reap(NOW + timedelta(hours=51))
    assert field.told_ids() == ["came late", "heard", "not heard", "not heard"]


def test_many_of_one_moment(field: Field) -> None:
    field.run(
        "insert into {table} (event_type, correlation_id, event_id, created,"
        " event_harvester, partition_id, partition_offset)"
        " select %s, 'u' || number %% 7, number, %s, 'web', 0, 0"
        " from generate_series(1, 2500) as number",
        field.name,
        MS - 2 * DAY,
    )
    reaper = field.reaper()
    reaper.reap(NOW)
    told = field.told_ids()
    assert len(told) == len(set(told)) == 2500


def test_two_reapers_tell_of_each_once(field: Field) -> None:
    for number in range(50):
        field.add(str(number), 2 * DAY + number)
    threads = [threading.Thread(target=field.reaper().reap, args=(NOW,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    told = field.told_ids()
    assert len(told) == len(set(told)) == 50


def test_what_the_log_does_not_take_is_told_later(field: Field) -> None:
    field.add("old", 2 * DAY)
    nowhere = Producer("127.0.0.1:1", "test-nowhere", delivery_ms=300)
    try:
        with pytest.raises(LogAway, match="1 of 1 deletions"):
            Reaper(field.database, nowhere, OWN).reap(NOW)
    finally:
        nowhere.close()
    assert field.told_ids() == []
    field.reaper().reap(NOW)
    assert field.told_ids() == ["old"]


def test_what_is_past_its_end_goes(field: Field) -> None:
    field.run(
        "insert into {table} (event_type, correlation_id, event_id, created, ttl,"
        " expires, event_harvester, partition_id, partition_offset)"
        " select %s, 'u', number, %s, 'P1D', %s - number, 'web', 0, 0"
        " from generate_series(-5, 4994) as number",
        field.name,
        MS,
        MS,
    )
    field.add("without an end", 0)
    reaper = field.reaper()
    reaper.reap(NOW)
    assert field.ids() == sorted(["-1", "-2", "-3", "-4", "-5", "0", "without an end"])
    assert reaper.counted.deleted >= 4994


def test_who_is_at_work_on_a_row_keeps_it(field: Field) -> None:
    for event_id in ("held", "free"):
        field.add(event_id, 0)
        field.end(event_id, MS - 1)
    with field.connect() as connection, connection.transaction():
        connection.execute(
            f"select from {field.table} where event_type = %s and event_id = 'held'"
            " for update".encode(),
            [field.name],
        )
        field.reaper().reap(NOW)
        assert field.ids() == ["held"]
    field.reaper().reap(NOW)
    assert field.ids() == []


@in_the_platforms_table
def test_what_is_left_of_a_deleted_type_goes_when_it_is_old(field: Field, caller: Caller) -> None:
    field.add("old", 2 * DAY)
    field.add("young", HOUR)
    left = caller.make(eventstoreTTL="P1D", partitionCount=1)
    field.run("update {table} set event_type = %s where event_type = %s", left, field.name)
    caller.delete(f"/event-types/{left}")
    assert {one["eventId"] for one in caller.get(f"/events?type={left}")["events"]} == {
        "old",
        "young",
    }
    field.reaper().reap(NOW)
    assert [one["eventId"] for one in caller.get(f"/events?type={left}")["events"]] == ["young"]
    field.run("delete from {table} where event_type = %s", left)


def test_batches_are_as_large_as_they_are_quick() -> None:
    assert next_batch(100, 0.001) == 200
    assert next_batch(MOST_DELETED, 0.001) == MOST_DELETED
    assert next_batch(100, 0.03) == 100
    assert next_batch(100, 0.09) == 50
    assert next_batch(1, 9) == 1
