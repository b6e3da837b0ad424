"""What is read of many events is read by an index, and little more than what is answered."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from grnry.database import sql
from grnry.database.pool import Database
from grnry.database.transaction import Row, Statement, Transaction
from grnry.events.expiry import store as expiry
from grnry.events.expiry.shelves import PLATFORM_ROWS
from grnry.events.reading import store
from grnry.events.reading.model import Readable, Window
from tests.conftest import Postgres

TYPES, ENTITIES, EVENTS = 50, 200, 5
NAMES = tuple(f"type-{number}" for number in range(TYPES))


class Explained(Transaction):
    """Runs statements, and keeps how the server ran them."""

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        super().__init__(connection)
        self.plans: list[dict[str, Any]] = []

    def planned_anew(self, statement: Statement, **values: Any) -> list[Row]:
        text = "explain (analyze, format json) " + statement.as_string(self.connection)
        row = self.connection.execute(text.encode(), values).fetchone()
        assert row is not None
        self.plans.append(next(iter(row.values()))[0]["Plan"])
        return super().planned_anew(statement, **values)

    def scans(self) -> list[dict[str, Any]]:
        """What was read of the table, how and how much."""
        return [node for plan in self.plans for node in _nodes(plan) if "Relation Name" in node]

    def rows_read(self) -> float:
        """Of the table itself, those that were left out included."""
        return sum(map(_rows_of, self.scans()))


def _rows_of(node: dict[str, Any]) -> float:
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return float(rows * node["Actual Loops"])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


@pytest.fixture(scope="module")
def many(postgres: Postgres) -> Iterator[Database]:
    """50,000 events: each of 50 types has some of each of 200 entities."""
    name = postgres.make_database()
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute(
            "insert into public.eventstore (event_type, correlation_id, event_id, created,"
            " message, partition_id, partition_offset, ttl, expires)"
            " select 'type-' || type, 'entity-' || entity, number, (number * 200 + entity) * 1000,"
            " '{}', 0, 0, null, null"
            " from generate_series(0, 49) as type, generate_series(0, 199) as entity,"
            " generate_series(0, 4) as number"
        )
        connection.execute("vacuum analyze public.eventstore")
    database = Database(postgres.url(name)).open()
    yield database
    database.close()
    postgres.drop_database(name)


@pytest.fixture
def explained(many: Database) -> Iterator[Explained]:
    with psycopg.connect(many._url, row_factory=dict_row) as connection:
        yield Explained(connection)


def by_index(explained: Explained) -> bool:
    return all(node["Node Type"] != "Seq Scan" for node in explained.scans())


def test_an_entity_of_all_types(explained: Explained) -> None:
    page = store.of_entity(
        explained, "entity-7", Readable(NAMES), Window(limit=20), with_messages=True
    )
    assert [event.created for event in page.events] == [7000] * 20
    assert page.has_next
    assert by_index(explained)
    # The page is sorted out of all that there is about the entity, and of no other.
    assert explained.rows_read() <= TYPES * EVENTS
    count = store.count_of_entity(explained, "entity-7", Readable(NAMES), Window())
    assert count == TYPES * EVENTS
    assert by_index(explained)


def test_the_newest_of_a_type(explained: Explained) -> None:
    readable = Readable(("type-3",))
    page = store.newest(explained, "type-3", readable, Window(limit=20), with_messages=True)
    assert [event.created for event in page.events] == [999_000 - 1000 * n for n in range(20)]
    assert by_index(explained)
    assert explained.rows_read() <= 30


def test_the_newest_of_what_one_harvester_sent(explained: Explained) -> None:
    readable = Readable((), frozenset({("type-3", "na"), ("type-4", "web")}))
    page = store.newest(
        explained, "type-3", readable.only("type-3"), Window(limit=20), with_messages=False
    )
    assert len(page.events) == 20
    assert by_index(explained)


def test_one_event(explained: Explained) -> None:
    assert store.one(explained, "entity-7", "2", Readable(NAMES))
    assert by_index(explained)
    assert explained.rows_read() <= TYPES


def test_what_has_expired(explained: Explained) -> None:
    place = (10_000, "entity-10", "0")
    found = expiry.expired(explained, PLATFORM_ROWS, "type-3", place, 40_000, 1000)
    assert [one.created for one in found] == [1000 * n for n in range(11, 40)]
    assert by_index(explained)
    assert explained.rows_read() <= 40


@pytest.mark.parametrize("rows", [PLATFORM_ROWS, sql.SQL("only {}").format(PLATFORM_ROWS)])
def test_what_is_past_its_end(explained: Explained, rows: sql.Composable) -> None:
    """Rows that are found by the index of ends are deleted where they are."""
    explained.connection.execute(
        "update public.eventstore set expires = created where event_type = 'type-7'"
    )
    deleted, seconds = expiry.delete(explained, rows, 900_000, 200)
    assert (deleted, seconds > 0) == (200, True)
    # Each is read where the index says, and once more by its place.
    assert by_index(explained)
    assert explained.rows_read() <= 3 * 200
    explained.connection.rollback()


def test_what_is_left_of_a_deleted_type(explained: Explained) -> None:
    deleted, _ = expiry.delete_of_former(explained, "type-7", 900_000, 200)
    assert deleted == 200
    # Each is read where the index says, and once more by its place.
    assert by_index(explained)
    assert explained.rows_read() <= 3 * 200
    explained.connection.rollback()
