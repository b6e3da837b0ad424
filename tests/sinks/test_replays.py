"""Replays over real transactions: what is queued is stored once, and nothing old over new."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from grnry.database.leases import Leases
from grnry.persisters.event_store import EventStore
from grnry.persisters.live_segment.table import LiveTable
from grnry.sinks import replays
from grnry.sinks.batch import Batch
from grnry.sinks.replays import NOTHING, Replayed
from grnry.sinks.target import Connection, Target
from grnry.sinks.writer import Writer
from tests.sinks.records import TOPIC, Made, event, headers, in_partition

DEPLOYMENT = "grnry-p-pg-calls"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["id", "age"],
}


class Sink:
    """A writer, its target, and a look at the dead letters as their owner."""

    def __init__(self, url: str, owner: psycopg.Connection[DictRow], target: Target) -> None:
        self.owner = owner
        self.target = target
        self._url = url
        self._writers: list[Writer] = []
        self.writer = self.another("first")

    def another(self, name: str) -> Writer:
        made = Writer(self._url, DEPLOYMENT, Leases(DEPLOYMENT, name), self.target)
        made.take([(TOPIC, 0), (TOPIC, 1)])
        self._writers.append(made)
        return made

    def write(self, *records: Made) -> None:
        self.writer.write(Batch.of(records, self.target))

    def queue(self, at: int | None = None, payload: bytes | None = None, **more: bool) -> None:
        """What the API does: all that failed, or one with another payload."""
        self.owner.execute(
            "update grnry.dead_letters set state = 'queued', is_edited = %(edited)s,"
            " edited_payload = %(payload)s, is_forced = %(forced)s"
            " where state in ('failed', 'superseded') and coalesce(%(at)s, record_offset)"
            " = record_offset and (state = 'failed' or %(forced)s)",
            {
                "at": at,
                "edited": payload is not None or more.get("tombstone", False),
                "payload": payload,
                "forced": more.get("forced", False),
            },
        )

    def replay(self) -> Replayed:
        """Until nothing is left to do."""
        done = Replayed()
        while (found := self.writer.replay()) != NOTHING:
            done = Replayed(
                done.stored + found.stored,
                done.failed + found.failed,
                done.superseded + found.superseded,
            )
        return done

    def rows(self, statement: str) -> list[dict[str, Any]]:
        return self.owner.execute(statement.encode()).fetchall()

    @property
    def states(self) -> dict[tuple[int, int], str]:
        found = self.rows("select partition, record_offset, state from grnry.dead_letters")
        return {(row["partition"], row["record_offset"]): row["state"] for row in found}

    @property
    def events(self) -> dict[str, Any]:
        found = self.rows("select event_id, message from public.eventstore")
        return {row["event_id"]: row["message"] for row in found}

    @property
    def live(self) -> dict[str, int]:
        return {row["id"]: row["age"] for row in self.rows("select * from global.live")}

    def close(self) -> None:
        for writer in self._writers:
            writer.disconnect()


@pytest.fixture(name="owner")
def an_owner(database_url: str) -> Iterator[psycopg.Connection[DictRow]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def sink(worker_database_url: str, owner: psycopg.Connection[DictRow]) -> Iterator[Sink]:
    made = Sink(worker_database_url, owner, EventStore("calls"))
    yield made
    made.close()


@pytest.fixture
def live(worker_database_url: str, owner: psycopg.Connection[DictRow]) -> Iterator[Sink]:
    owner.execute(
        "insert into grnry.event_types (name, project, type, display_name, replication,"
        " partition_count, retention_ms, created_by, modified_by, phase)"
        " values ('live', 'global', 'live_segment', 'live', 1, 1, 1, '{}', '{}', 'ready')"
    )
    add_version(owner, 1, SCHEMA)
    owner.execute("create table global.live (id text primary key, age bigint)")
    owner.execute("grant select, insert, update, delete on global.live to grnry_worker")
    owner.execute("grant usage on schema global to grnry_worker")
    made = Sink(worker_database_url, owner, LiveTable("live", "global", "live"))
    yield made
    made.close()


def add_version(owner: psycopg.Connection[DictRow], number: int, schema: dict[str, Any]) -> None:
    owner.execute(
        "insert into grnry.event_type_versions (name, version, eventstore_ttl, schema_document)"
        " values ('live', %s, 'P1D', %s)",
        [number, json.dumps(schema)],
    )


def record(at: int, id_: str, age: object) -> Made:
    return Made(at, json.dumps({"id": id_, "age": age}).encode(), of_key=id_.encode())


def test_put_right_it_is_stored_once(sink: Sink) -> None:
    sink.write(event(0, b"{"), event(1), in_partition(1, event(7, b"[", event_id=b"7")))
    assert sink.states == {(0, 0): "failed", (1, 7): "failed"}
    assert sink.writer.replay() == NOTHING
    sink.queue(0, b'{"a": 1}')
    assert sink.replay() == Replayed(stored=1)
    assert sink.events == {"0": {"a": 1}, "1": {}}
    assert sink.states == {(0, 0): "replayed", (1, 7): "failed"}
    assert sink.writer.replay() == NOTHING
    row = sink.rows("select * from grnry.dead_letters where record_offset = 0")[0]
    assert (row["attempts"], row["payload"], row["last_reason"]) == (1, b"{", None)
    stored = sink.rows("select * from public.eventstore where event_id = '0'")[0]
    assert (stored["partition_offset"], stored["created"]) == (0, 1_600_000_000_000)


def test_what_fails_again_says_why(sink: Sink) -> None:
    nameless = Made(1, b"{}", [("grnry-correlation-id", b"u1")])
    sink.write(event(0, b"{"), nameless)
    sink.queue()
    assert sink.replay() == Replayed(failed=2)
    first, second = sink.rows("select * from grnry.dead_letters order by record_offset")
    assert (first["state"], first["attempts"], first["last_sqlstate"]) == ("failed", 1, "22P02")
    assert second["last_reason"] == "the header grnry-event-id is missing or empty"


def test_of_many_only_the_bad_ones_fail_again(sink: Sink) -> None:
    sink.write(*(event(at, b"{") for at in range(2500)))
    sink.queue()
    sink.owner.execute(
        "update grnry.dead_letters set is_edited = true, edited_payload = '{}'"
        " where record_offset %% 500 <> 0".replace("%%", "%").encode()
    )
    assert sink.replay() == Replayed(stored=2495, failed=5)
    assert len(sink.events) == 2495


def test_no_more_at_once_than_memory_allows(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    sink.write(*(event(at, b"{" + b" " * 1000) for at in range(10)))
    sink.queue()
    monkeypatch.setattr(replays, "BYTES_AT_ONCE", 2500)
    assert sink.writer.replay().failed == 3
    monkeypatch.setattr(replays, "BYTES_AT_ONCE", 1)
    assert sink.writer.replay().failed == 1


def test_an_event_that_is_there_stays(sink: Sink) -> None:
    sink.write(event(0, b"{", event_id=b"x"), event(1, b"{", event_id=b"y"))
    sink.write(event(2, b'"sent again"', event_id=b"x"), event(3, b"{", event_id=b"y"))
    for at in (0, 1, 3):
        sink.queue(at, b'"edited %d"' % at)
    assert sink.replay() == Replayed(stored=1, superseded=2)
    assert sink.events == {"x": "sent again", "y": "edited 1"}
    assert sink.states == {(0, 0): "superseded", (0, 1): "replayed", (0, 3): "superseded"}
    sink.queue(0, b'"by force"', forced=True)
    assert sink.replay() == Replayed(superseded=1)
    assert sink.events["x"] == "sent again"


@pytest.mark.parametrize("event_id", [b"1", b""], ids=["one", "the entity"])
def test_what_was_deleted_since_does_not_come_back(sink: Sink, event_id: bytes) -> None:
    deletion = headers(b"u1", event_id, deletion_flag=b"true")
    other = Made(2, b"{", headers(b"u10", b"1"))
    sink.write(Made(1, b"{", headers(b"u1", b"1")), other)
    sink.write(Made(3, b"{}", deletion), Made(4, b"{", headers(b"u1", b"4")))
    expected = {(0, 1): "superseded", (0, 2): "failed", (0, 4): "failed"}
    assert sink.states == expected
    # The same, where the letter is of the batch of the deletion.
    sink.owner.execute("delete from grnry.dead_letters")
    sink.write(
        in_partition(1, Made(1, b"{", headers(b"u1", b"1"))),
        in_partition(1, other),
        in_partition(1, Made(3, b"{}", deletion)),
        in_partition(1, Made(4, b"{", headers(b"u1", b"4"))),
    )
    assert sink.states == {(1, at): state for (_, at), state in expected.items()}


def test_killed_in_the_middle_it_is_stored_once(sink: Sink) -> None:
    sink.write(*(event(at, b"{") for at in range(20)))
    sink.queue()
    sink.owner.execute("update grnry.dead_letters set is_edited = true, edited_payload = '{}'")
    target = sink.target
    assert isinstance(target, EventStore)
    store = target.store_carefully

    def store_and_die(connection: Connection, lines: Sequence[bytes]) -> int:
        count = store(connection, lines)
        sink.owner.execute("select pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        return count

    target.store_carefully = store_and_die  # type: ignore[method-assign]
    with pytest.raises(psycopg.Error):
        sink.writer.replay()
    assert sink.events == {}
    assert set(sink.states.values()) == {"queued"}
    target.store_carefully = store  # type: ignore[method-assign]
    assert sink.replay() == Replayed(stored=20)
    assert len(sink.events) == 20


def test_only_who_holds_the_partition_replays(sink: Sink) -> None:
    sink.write(event(0, b"{"))
    sink.queue(0, b"{}")
    first, second = sink.writer, sink.another("second")
    # Its session was ended by who took over, so it does not even see what is queued.
    with pytest.raises(psycopg.OperationalError):
        first.replay()
    assert first.replay() == NOTHING
    assert first.lost == {(TOPIC, 0), (TOPIC, 1)}
    assert sink.events == {}
    assert second.replay().stored == 1
    assert sink.events == {"0": {}}


def test_one_that_rests_has_a_look_and_takes_up_what_is_queued(sink: Sink) -> None:
    sink.write(event(0, b"{"))
    sink.writer.disconnect()
    assert sink.writer.replay() == NOTHING
    seen = [sink.writer.is_connected]
    sink.queue(0, b"{}")
    assert sink.writer.replay().stored == 1
    assert [*seen, sink.writer.is_connected] == [False, True]
    # What comes next is stored as if nothing had been.
    sink.write(event(1))
    assert sink.events == {"0": {}, "1": {}}


# Live segments -------------------------------------------------------------------------------


def test_a_newer_row_is_not_overwritten(live: Sink) -> None:
    live.write(record(0, "a", "x"), record(1, "b", "x"), record(2, "c", "x"))
    live.write(record(3, "a", 3))
    assert live.states == {(0, 0): "superseded", (0, 1): "failed", (0, 2): "failed"}
    live.queue()
    for at, id_ in ((1, "b"), (2, "c")):
        live.queue(at, record(at, id_, at).payload)
    live.owner.execute(
        "update grnry.dead_letters set is_edited = true, edited_payload ="
        ' convert_to(format(\'{"id": "%s", "age": %s}\', convert_from(key, \'utf8\'),'
        " record_offset), 'utf8') where state = 'queued'"
    )
    assert live.replay() == Replayed(stored=2)
    assert live.live == {"a": 3, "b": 1, "c": 2}
    live.queue(0, record(0, "a", 0).payload, forced=True)
    assert live.replay() == Replayed(stored=1)
    assert live.live == {"a": 0, "b": 1, "c": 2}


def test_within_a_batch_what_comes_later_counts(live: Sink) -> None:
    live.write(record(0, "a", "x"), record(1, "a", 1), record(2, "a", "y"), record(3, "b", 3))
    assert live.states == {(0, 0): "superseded", (0, 2): "failed"}
    live.write(Made(4, None, of_key=b"a"))
    assert live.states == {(0, 0): "superseded", (0, 2): "superseded"}


def test_a_schema_put_right_and_the_last_of_an_id_wins(live: Sink) -> None:
    texts = [record(0, "a", "1"), record(1, "a", "2"), record(2, "b", "3"), record(3, "a", "4")]
    live.write(*texts)
    live.queue()
    assert live.replay() == Replayed(failed=4)
    live.owner.execute("alter table global.live alter column age type jsonb using to_jsonb(age)")
    both = {**SCHEMA, "properties": {"id": {"type": "string"}, "age": {}}}
    add_version(live.owner, 2, both)
    live.queue(3)
    assert live.replay() == Replayed(stored=1)
    assert texts_of(live) == {"a": "4"}
    assert live.states == {
        (0, 0): "superseded",
        (0, 1): "superseded",
        (0, 2): "failed",
        (0, 3): "replayed",
    }
    live.queue()
    live.replay()
    assert texts_of(live) == {"a": "4", "b": "3"}


def texts_of(live: Sink) -> dict[str, str]:
    return {row["id"]: row["age"] for row in live.rows("select * from global.live")}


def test_several_of_one_id_at_once(live: Sink) -> None:
    live.write(record(0, "a", "x"), record(1, "a", "x"))
    live.queue(0, record(0, "a", 0).payload)
    live.queue(1, record(1, "a", 1).payload)
    assert live.replay() == Replayed(stored=1, superseded=1)
    assert live.live == {"a": 1}


def test_an_id_that_nobody_could_see(live: Sink) -> None:
    """Whether what is there is older cannot be told, so only force overwrites it."""
    live.write(record(0, "a", 1), Made(1, b"{"), Made(2, b"["))
    live.queue(1, record(1, "a", 2).payload)
    live.queue(2, record(2, "b", 2).payload)
    assert live.replay() == Replayed(stored=1, superseded=1)
    assert live.live == {"a": 1, "b": 2}
    live.queue(1, record(1, "a", 2).payload, forced=True)
    assert live.replay() == Replayed(stored=1)
    assert live.live == {"a": 2, "b": 2}


def test_what_the_database_refuses_supersedes_nothing(live: Sink) -> None:
    """The second record of the id fits the schema, and not the table."""
    live.owner.execute("alter table global.live add check (age < 10)")
    live.write(record(0, "a", "x"), record(1, "a", 10), record(2, "b", 2))
    assert live.states == {(0, 0): "failed", (0, 1): "failed"}
    live.write(record(3, "a", 11), record(4, "b", 4))
    assert set(live.states.values()) == {"failed"}
    assert live.live == {"b": 4}


def test_a_key_of_the_users_own_costs_one_record(live: Sink) -> None:
    live.owner.execute("create unique index on global.live (age)")
    live.write(record(0, "a", 1), record(1, "b", 1), record(2, "c", "x"), record(3, "d", "x"))
    assert live.live == {"a": 1}
    assert live.states == {(0, 1): "failed", (0, 2): "failed", (0, 3): "failed"}
    live.queue(2, record(2, "c", 1).payload)
    live.queue(3, record(3, "d", 4).payload)
    assert live.replay() == Replayed(stored=1, failed=1)
    assert live.live == {"a": 1, "d": 4}
