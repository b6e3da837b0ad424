"""What an operator is told of a database: whether it answers, and what is in it."""

from dataclasses import dataclass

import psycopg

from grnry.database.migrate import migrations
from grnry.database.queries import load
from grnry.errors import ServiceAway

OLDEST_SERVER = 14
CONNECT_SECONDS = 3


class NotReached(ServiceAway):
    """The server's or the network's own words for why there is no connection."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found in a database."""

    server: str
    major: int
    connections: int
    most_connections: int
    is_durable: bool
    applied: int
    """The newest migration, 0 where the schema is not there."""

    roles: frozenset[str]
    """Those of the platform that exist."""

    @property
    def known(self) -> int:
        """The newest migration that this version brings."""
        return max(migration.number for migration in migrations())


def look_at(url: str, roles: list[str]) -> Facts:
    """Connect once and look; raises `NotReached` where that is not possible."""
    queries = load("grnry.database", "inspection.sql")
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            row = connection.execute(queries.server).fetchone()
            assert row is not None
            found = connection.execute(queries.roles, {"names": roles}).fetchall()
            history = connection.execute(queries.has_history).fetchone()
            applied = (
                connection.execute(queries.newest_migration).fetchone()
                if history and history[0]
                else None
            )
    except psycopg.Error as error:
        raise NotReached(first_line(error)) from error
    return Facts(
        server=row[0],
        major=row[1] // 10_000,
        connections=row[2],
        most_connections=row[3],
        is_durable=row[4],
        applied=applied[0] if applied else 0,
        roles=frozenset(name for (name,) in found),
    )


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
