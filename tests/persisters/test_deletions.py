"""Deletion events give what was stored before them the day on which it goes."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from grnry.database.leases import Leases
from grnry.persisters.deletions import Deletion, parts
from grnry.persisters.event_store import EventStore
from grnry.sinks.batch import Batch
from grnry.sinks.writer import Writer
from tests.sinks.records import TOPIC, Made, headers

DEPLOYMENT = "grnry-p-pg-calls"
DAY = 86_400_000


def sent(at: int, entity: bytes, event_id: bytes, **others: bytes) -> Made:
    return Made(at, b"{}", headers(entity, event_id, **others))


def deletion(at: int, entity: bytes, event_id: bytes = b"", **others: bytes) -> Made:
    return sent(at, entity, event_id, deletion_flag=b"true", **others)


class Sink:
    """A writer of one event type, and a look at what it has stored."""

    def __init__(self, url: str, owner: psycopg.Connection[DictRow]) -> None:
        self._url = url
        self._owner = owner
        self._writers: list[Writer] = []
        self.be(EventStore("calls"))

    def be(self, target: EventStore) -> "Sink":
        """Write as this target from now on."""
        self._target = target
        self._writer = Writer(self._url, DEPLOYMENT, Leases(DEPLOYMENT, "me"), target)
        self._writers.append(self._writer)
        self._writer.take([(TOPIC, 0)])
        return self

    def write(self, *records: Made) -> None:
        self._writer.write(Batch.of(records, self._target))

    def rows(self) -> dict[str, dict[str, Any]]:
        found = self._owner.execute(
            "select *, (extract(epoch from now()) * 1000)::bigint as now"
            " from public.eventstore order by correlation_id, event_id"
        ).fetchall()
        return {f"{row['correlation_id']}/{row['event_id']}": row for row in found}

    def ending(self) -> set[str]:
        return {name for name, row in self.rows().items() if row["expires"] is not None}

    def describe(self, name: str, *event_ids: str) -> None:
        """An event type whose versions have these expressions."""
        self._owner.execute(
            "insert into grnry.event_types (name, project, type, display_name, replication,"
            " partition_count, retention_ms, created_by, modified_by, phase)"
            " values (%s, 'global', 'data_in', %s, 1, 1, 1, '{}', '{}', 'ready')",
            [name, name],
        )
        for version, event_id in enumerate(event_ids, 1):
            self._owner.execute(
                "insert into grnry.event_type_versions"
                " (name, version, eventstore_ttl, event_id_expression) values (%s, %s, 'P1D', %s)",
                [name, version, event_id],
            )

    def dead(self) -> list[str]:
        found = self._owner.execute("select reason from grnry.dead_letters").fetchall()
        return [row["reason"] for row in found]

    def close(self) -> None:
        for writer in self._writers:
            writer.disconnect()


@pytest.fixture
def sink(database_url: str, worker_database_url: str) -> Iterator[Sink]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as owner:
        made = Sink(worker_database_url, owner)
        yield made
        made.close()


def test_all_of_an_entity_or_the_one_that_is_named(sink: Sink) -> None:
    sink.write(
        *(sent(at, entity, b"%d" % at) for at, entity in enumerate((b"a", b"a", b"b", b"b", b"c")))
    )
    sink.write(deletion(5, b"a"), deletion(6, b"b", b"3"), deletion(7, b"nobody", b"1"))
    assert sink.ending() == {"a/0", "a/1", "b/3"}
    assert sink.dead() == []


def test_the_end_is_now_and_the_grace(sink: Sink) -> None:
    sink.be(EventStore("calls", "P2D"))
    sink.write(sent(0, b"a", b"0", event_timestamp=b"1700000000123"), deletion(1, b"a"))
    (row,) = sink.rows().values()
    assert abs(row["expires"] - row["now"] - 2 * DAY) < 60_000
    seconds = row["ttl"].removeprefix("PT").removesuffix("S")
    assert row["created"] + round(float(seconds) * 1000) == row["expires"]


@pytest.mark.parametrize("created", [-(2**63), 2**63 - 1, 0])
def test_times_that_nobody_can_have_sent(sink: Sink, created: int) -> None:
    sink.write(sent(0, b"a", b"0", event_timestamp=b"%d" % created), deletion(1, b"a"))
    (row,) = sink.rows().values()
    assert row["expires"] > row["now"]
    assert row["ttl"].startswith("PT")
    assert "-" not in row["ttl"]


def test_a_further_deletion_does_not_put_the_end_off(sink: Sink) -> None:
    sink.write(sent(0, b"a", b"0"), sent(1, b"b", b"1"), deletion(2, b"a"), deletion(3, b"b", b"1"))
    first = sink.rows()
    sink.be(EventStore("calls", "P100D"))
    sink.write(deletion(4, b"a"), deletion(5, b"b", b"1"), deletion(6, b"a", b"0"))
    second = sink.rows()
    assert {n: (r["ttl"], r["expires"]) for n, r in first.items()} == {
        n: (r["ttl"], r["expires"]) for n, r in second.items()
    }


def test_what_is_sent_after_a_deletion_stays(sink: Sink) -> None:
    sink.write(
        sent(0, b"a", b"before"),
        deletion(1, b"a"),
        sent(2, b"b", b"other"),
        sent(3, b"a", b"after"),
        deletion(4, b"b"),
        sent(5, b"b", b"last"),
    )
    assert sink.ending() == {"a/before", "b/other"}
    assert set(sink.rows()) == {"a/before", "a/after", "b/other", "b/last"}


def test_random_ids_name_nothing_unless_it_is_what_has_expired(sink: Sink) -> None:
    sink.be(EventStore("calls", random_ids=True))
    sink.write(sent(0, b"a", b"0"), sent(1, b"a", b"1"), sent(2, b"b", b"2"), sent(3, b"b", b"3"))
    sink.write(deletion(4, b"a", b"new and random"))
    sink.write(deletion(5, b"b", b"2", deletion_cause=b"expiry"))
    assert sink.ending() == {"a/0", "a/1", "b/2"}


def test_whether_ids_are_random_is_known_from_the_latest_version(sink: Sink) -> None:
    sink.describe("calls", "payload.id", "#randomUUID()")
    sink.be(EventStore("calls"))
    sink.write(sent(0, b"a", b"0"), sent(1, b"a", b"1"))
    sink.write(deletion(2, b"a", b"new and random"))
    assert sink.ending() == {"a/0", "a/1"}


def test_among_poison_and_what_is_stored_already(sink: Sink) -> None:
    sink.write(sent(0, b"a", b"0"), sent(1, b"b", b"1"))
    bad = Made(3, b"{", headers(b"x", b"3"))
    sink.write(sent(2, b"a", b"0"), deletion(3, b"a"), bad, sent(4, b"c", b"4"), deletion(5, b"b"))
    assert sink.ending() == {"a/0", "b/1"}
    assert "c/4" in sink.rows()
    assert len(sink.dead()) == 1


def test_deletions_of_whom_nobody_can_be(sink: Sink) -> None:
    sink.write(
        deletion(0, b""), deletion(1, b"\xff"), deletion(2, b"a\0b"), deletion(3, b"a", b"\xff")
    )
    assert sorted(sink.dead()) == [
        "the header grnry-correlation-id has the character U+0000",
        "the header grnry-correlation-id is missing or empty",
        "the header grnry-correlation-id is not UTF-8",
        "the header grnry-event-id is not UTF-8",
    ]


def test_quoted_headers_are_read_as_those_of_events(sink: Sink) -> None:
    sink.write(sent(0, b'"a"', b'"0"'), deletion(1, b'"a"', b'"0"'))
    assert sink.ending() == {"a/0"}


def test_a_batch_is_cut_only_where_a_row_follows_its_own_deletion() -> None:
    target = EventStore("calls")
    made = [target.line(sent(at, b"%d" % at, b"1")) for at in range(100)]
    deleted = [target.line(deletion(at, b"%d" % at)) for at in range(100)]
    mixed = [line for pair in zip(made, deleted, strict=True) for line in pair]
    ((rows, deletions),) = parts(mixed)
    assert (len(rows), len(deletions)) == (100, 100)
    assert len(list(parts([*mixed, *mixed]))) == 2
    assert all(type(line) is bytes for line in rows)
    assert all(isinstance(line, Deletion) for line in deletions)
    assert list(parts(made)) == [(made, [])]
