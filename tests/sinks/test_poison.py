"""What is told of records that cannot be stored is what storing them says, on each PostgreSQL."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from grnry.database.leases import Leases
from grnry.database.roles import WORKER_ROLE
from grnry.persisters.event_store import EventStore
from grnry.sinks.batch import Batch
from grnry.sinks.narrowing import store_narrowed
from grnry.sinks.writer import Writer
from tests.conftest import Postgres
from tests.servers import OutsideServer
from tests.sinks.records import TOPIC, Made, event, headers
from tests.sinks.test_writer import POISON

TARGET = EventStore("calls")


@pytest.fixture
def worker_url(server: Postgres | OutsideServer) -> Iterator[str]:
    name = server.make_database()
    yield server.url(name, WORKER_ROLE)
    server.drop_database(name)


@pytest.mark.parametrize("name", [name for name, (_, state) in POISON.items() if state])
def test_what_is_told_of_poison_is_what_storing_it_says(worker_url: str, name: str) -> None:
    bad, sqlstate = POISON[name]
    lines = [TARGET.line(event(1)), TARGET.line(bad)]
    with psycopg.connect(worker_url, row_factory=dict_row) as connection:
        with pytest.raises(psycopg.Error) as refused, connection.transaction():
            TARGET.store_carefully(connection, lines[1:])
        told = TARGET.refused(connection, lines)
        said = refused.value.diag
        both = f"{said.message_primary}: {said.message_detail}"
        reason = both if said.message_detail else said.message_primary
        # What is not of its message, or depends on the server's stack, is told by storing it alone.
        is_of_its_message = sqlstate != "54001" and bad.payload != b"{}"
        assert told == ({1: (reason, sqlstate)} if is_of_its_message else {})


def test_deletions_and_events_without_a_message_are_not_refused(worker_url: str) -> None:
    deletion = Made(0, b"{", headers(deletion_flag=b"true"))
    lines = [TARGET.line(each) for each in (deletion, event(1, None), event(2, b"{"), event(3))]
    with psycopg.connect(worker_url, row_factory=dict_row) as connection:
        assert [*TARGET.refused(connection, lines)] == [2]


def test_where_nothing_can_be_told_each_is_tried(worker_url: str) -> None:
    """As where somebody may not write functions."""
    given = [event(0), event(1, b"{"), event(2, b"}"), event(3)]
    tried = Batch.of(given, TARGET)
    with psycopg.connect(worker_url, row_factory=dict_row) as connection:
        connection.execute("create function pg_temp.refusal_of(message bytea) returns int return 1")
        with pytest.raises(psycopg.Error), connection.transaction():
            TARGET.refused(connection, tried.lines)
        found = store_narrowed(connection, TARGET, tried)
    assert [(each.record.offset(), each.sqlstate) for each in found] == [(1, "22P02"), (2, "22P02")]


def test_a_batch_of_nothing_else_on_each_server(worker_url: str) -> None:
    writer = Writer(worker_url, "poisoned", Leases("poisoned", "me"), TARGET)
    writer.take([(TOPIC, 0)])
    bad = [made for made, _ in POISON.values()]
    records = [Made(at, made.payload, made.named) for at, made in enumerate(bad)]
    written = writer.write(Batch.of(records, TARGET))
    writer.disconnect()
    assert (len(written.lines), len(written.dead)) == (0, len(POISON))
    found = sorted((letter.record.offset(), letter.sqlstate) for letter in written.dead)
    assert found == [(at, state) for at, (_, state) in enumerate(POISON.values())]
