from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from grnry.database.leases import Leases
from grnry.persisters.event_store import EventStore
from grnry.sinks.writer import Writer
from tests.sinks.writing import DEPLOYMENT, ONE, ZERO, Look, MakeWriter


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
