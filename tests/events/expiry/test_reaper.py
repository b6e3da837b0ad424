"""The reaper, over the database and the log of a whole running Granary."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grnry.database.pool import Database
from grnry.deployments import service as deployments
from grnry.events.expiry.reaper import MOST_DELETED, Reaper, next_batch
from grnry.log.admin import Admin
from grnry.log.producer import Producer
from grnry.log.records import LogAway, Record
from grnry.log.tail import tail
from grnry.sinks import upkeep
from grnry.sinks.upkeep import DEPLOYMENT
from tests.conftest import wait_for
from tests.event_types.calling import Caller

NOW = datetime.now(UTC)
MS = int(NOW.timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR


class Field:
    """One event type of the shared Granary, with rows of any age."""

    def __init__(self, caller: Caller, database: Database, producer: Producer) -> None:
        self._caller = caller
        self._kafka = caller.granary.said["kafka"]
        self.database = database
        self.producer = producer
        self.name = caller.make(eventstoreTTL="P1D", partitionCount=2)

    def reaper(self, stopping: threading.Event | None = None) -> Reaper:
        return Reaper(self.database, self.producer, stopping)

    def add(self, event_id: str, age: int, entity: str = "u") -> None:
        self.run(
            "insert into public.eventstore (event_type, correlation_id, event_id, created,"
            " event_type_version, event_harvester, partition_id, partition_offset)"
            " values (%s, %s, %s, %s, 3, 'web', 0, 0)",
            self.name,
            entity,
            event_id,
            MS - age,
        )

    def run(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with self._caller.granary.platform() as connection:
            done = connection.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    def told(self) -> list[Record]:
        """The deletion events in the topic, in the order of their partitions."""
        admin = Admin(self._kafka)
        spans = admin.spans(admin.partitions(f"grnry_data_in_{self.name}"))
        starts = {one: span.start for one, span in spans.items()}
        found = tail(self._kafka, starts, {one: span.end for one, span in spans.items()})
        return [one for one in found if dict(one.headers() or ()).get(FLAG) == (b"true")]

    def told_ids(self) -> list[str]:
        found = [dict(record.headers() or ())["grnry-event-id"] for record in self.told()]
        return sorted((each or b"").decode() for each in found)

    def end(self, event_id: str, expires: int) -> None:
        self.run(
            "update public.eventstore set ttl = 'P1D', expires = %s"
            " where event_type = %s and event_id = %s",
            expires,
            self.name,
            event_id,
        )

    def ids(self) -> list[str]:
        statement = "select event_id from public.eventstore where event_type = %s order by 1"
        return [row["event_id"] for row in self.run(statement, self.name)]


FLAG = "grnry-deletion-flag"


@pytest.fixture(scope="module")
def database(caller: Caller) -> Iterator[Database]:
    with caller.granary.platform() as connection:
        info = connection.info
        url = f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}"
    made = Database(url).open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def producer(caller: Caller) -> Iterator[Producer]:
    made = Producer(caller.granary.said["kafka"], "test-reaper")
    yield made
    made.close()


def state(database: Database) -> str:
    with database.transaction() as transaction:
        found = deployments.condition(transaction, DEPLOYMENT)
    return found.state if found else "none"


@pytest.fixture(scope="module", autouse=True)
def alone(database: Database) -> Iterator[None]:
    """The shared Granary's own reaper would be in the way; it has to run again afterwards."""
    wait_for(lambda: state(database) == "RUNNING", 60, what="the reaper runs")
    with database.transaction() as transaction:
        deployments.stop(transaction, DEPLOYMENT)
    wait_for(lambda: state(database) == "STOPPED", 60, what="it is stopped")
    yield
    upkeep.ensure(database)
    wait_for(lambda: state(database) == "RUNNING", 60, what="it runs again")


@pytest.fixture
def field(caller: Caller, database: Database, producer: Producer) -> Iterator[Field]:
    made = Field(caller, database, producer)
    yield made
    made.run("delete from public.eventstore where event_type = %s", made.name)
    caller.delete(f"/event-types/{made.name}")


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
        "insert into public.eventstore (event_type, correlation_id, event_id, created,"
        " partition_id, partition_offset)"
        " select %s, 'u' || number %% 7, number, %s, 0, 0 from generate_series(1, 2500) as number",
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
            Reaper(field.database, nowhere).reap(NOW)
    finally:
        nowhere.close()
    assert field.told_ids() == []
    field.reaper().reap(NOW)
    assert field.told_ids() == ["old"]


def test_what_is_past_its_end_goes(field: Field) -> None:
    field.run(
        "insert into public.eventstore (event_type, correlation_id, event_id, created, ttl,"
        " expires, partition_id, partition_offset)"
        " select %s, 'u', number, %s, 'P1D', %s - number, 0, 0"
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


def test_who_is_at_work_on_a_row_keeps_it(field: Field, caller: Caller) -> None:
    for event_id in ("held", "free"):
        field.add(event_id, 0)
        field.end(event_id, MS - 1)
    with caller.granary.platform() as connection, connection.transaction():
        connection.execute(
            "select from public.eventstore where event_type = %s and event_id = 'held' for update",
            [field.name],
        )
        field.reaper().reap(NOW)
        assert field.ids() == ["held"]
    field.reaper().reap(NOW)
    assert field.ids() == []


def test_what_is_left_of_a_deleted_type_goes_when_it_is_old(field: Field, caller: Caller) -> None:
    field.add("old", 2 * DAY)
    field.add("young", HOUR)
    left = caller.make(eventstoreTTL="P1D", partitionCount=1)
    field.run(
        "update public.eventstore set event_type = %s where event_type = %s", left, field.name
    )
    caller.delete(f"/event-types/{left}")
    assert {one["eventId"] for one in caller.get(f"/events?type={left}")["events"]} == {
        "old",
        "young",
    }
    field.reaper().reap(NOW)
    assert [one["eventId"] for one in caller.get(f"/events?type={left}")["events"]] == ["young"]
    field.run("delete from public.eventstore where event_type = %s", left)


def test_batches_are_as_large_as_they_are_quick() -> None:
    assert next_batch(100, 0.001) == 200
    assert next_batch(MOST_DELETED, 0.001) == MOST_DELETED
    assert next_batch(100, 0.03) == 100
    assert next_batch(100, 0.09) == 50
    assert next_batch(1, 9) == 1
