"""Two projects in one database, with events in both: the one attacks, the other is attacked."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from grnry.database.pool import Database
from grnry.event_types import relations
from grnry.event_types.kinds import DATA_IN
from grnry.projects.database_space import Limits, make_space, role_of
from tests.conftest import PASSWORD, Postgres
from tests.servers import OutsideServer

Connection = psycopg.Connection
Server = Postgres | OutsideServer

LIMITS = Limits(connections=4, temporary_files="1MB")

ADD_EVENT = sql.SQL(
    "insert into public.eventstore"
    " (correlation_id, event_id, created, message, event_type, partition_id, partition_offset)"
    " values (%(who)s, %(id)s, 1, %(message)s::jsonb, %(type)s, 0, 0)"
)


@dataclass
class Arena:
    """The database, and how each party logs in to it."""

    server: Server
    name: str
    database: Database

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def log_in(self, role: str) -> Connection:
        url = self.server.url(self.name, role)
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def project(self, project: str) -> Connection:
        return self.log_in(role_of(project))

    def make(self, project: str, event_type: str, events: dict[str, str]) -> None:
        with self.database.transaction() as transaction:
            make_space(transaction, project, LIMITS)
            role = sql.Identifier(role_of(project))
            transaction.run(
                sql.SQL("alter role {} login password {}").format(role, sql.Literal(PASSWORD))
            )
            relations.make(transaction, DATA_IN, event_type, project, [])
            for event_id, secret in events.items():
                message = f'{{"secret": "{secret}"}}'
                transaction.run(
                    ADD_EVENT, who=project, id=event_id, message=message, type=event_type
                )


@pytest.fixture(scope="session")
def arena(server: Server) -> Iterator[Arena]:
    """For attacks that leave nothing behind; where they do not fail, others tell."""
    yield from _arena(server)


@pytest.fixture
def own_arena(server: Server) -> Iterator[Arena]:
    """For what changes something."""
    yield from _arena(server)


def _arena(server: Server) -> Iterator[Arena]:
    name = server.make_database()
    database = Database(server.url(name), size=4).open()
    made = Arena(server, name, database)
    made.make("north", "birds", {"1": "heron", "2": "crane"})
    made.make("south", "fish", {"not-a-number": "salmon"})
    yield made
    database.close()
    server.drop_database(name)
