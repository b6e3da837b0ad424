"""Sinks of both kinds, and bare writers, on a database of their own."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from grnry.database.leases import Leases
from grnry.persisters.event_store import EventStore
from grnry.persisters.live_segment.table import LiveTable
from grnry.sinks.writer import Writer
from tests.sinks.sinks import SCHEMA, Sink, add_version
from tests.sinks.writing import DEPLOYMENT, ONE, ZERO, Look, MakeWriter


@pytest.fixture(name="owner")
def an_owner(database_url: str) -> Iterator[psycopg.Connection[DictRow]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture(name="sink")
def a_sink(worker_database_url: str, owner: psycopg.Connection[DictRow]) -> Iterator[Sink]:
    made = Sink(worker_database_url, owner, EventStore("calls"))
    yield made
    made.close()


@pytest.fixture(name="live")
def a_live_sink(worker_database_url: str, owner: psycopg.Connection[DictRow]) -> Iterator[Sink]:
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


@pytest.fixture
def make_writer(worker_database_url: str) -> Iterator[MakeWriter]:
    made: list[Writer] = []

    def make(owner: str) -> Writer:
        leases = Leases(DEPLOYMENT, owner)
        made.append(Writer(worker_database_url, DEPLOYMENT, leases, EventStore("calls")))
        return made[-1]

    yield make
    for writer in made:
        writer.disconnect()


@pytest.fixture
def writer(make_writer: MakeWriter) -> Writer:
    made = make_writer("first")
    assert made.take([ZERO, ONE]) == {ZERO: None, ONE: None}
    return made


@pytest.fixture
def look(database_url: str, worker_database_url: str) -> Iterator[Look]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield Look(connection, worker_database_url)
