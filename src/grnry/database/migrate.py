"""Migrations: numbered SQL files, each applied once, in order, under one lock."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import sql

from grnry.database.queries import load
from grnry.errors import StartError

# Any number serves, as long as nobody else in the database takes it.
LOCK = 0x6772_6E72_79


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    text: str


def migrations() -> list[Migration]:
    return sorted(_read(), key=lambda migration: migration.number)


def _read() -> Iterator[Migration]:
    for file in files("grnry.database.migrations").iterdir():
        if file.name.endswith(".sql"):
            number, _, name = file.name.removesuffix(".sql").partition("_")
            yield Migration(int(number), name, file.read_text(encoding="utf-8"))


def migrate(connection: psycopg.Connection, upto: int | None = None) -> list[Migration]:
    """Bring the database to the newest version (or `upto`); answers what was applied.

    Several processes may call this at once: one works, the others wait and find nothing to do.
    """
    queries = load("grnry.database", "migrate.sql")
    with connection.transaction():
        connection.execute(queries.lock, {"lock": LOCK})
        connection.execute(queries.make_history)
        rows = connection.execute(queries.applied).fetchall()
    applied = {int(row[0]) for row in rows}
    known = migrations()
    if newer := applied - {migration.number for migration in known}:
        raise StartError(
            f"The database is of a newer version of Granary (it has migration {max(newer)}). "
            "Start that version, or use another database."
        )
    todo = [m for m in known if m.number not in applied and (upto is None or m.number <= upto)]
    return [migration for migration in todo if _apply(connection, migration)]


def _apply(connection: psycopg.Connection, migration: Migration) -> bool:
    queries = load("grnry.database", "migrate.sql")
    with connection.transaction():
        connection.execute(queries.lock, {"lock": LOCK})
        number = {"number": migration.number, "name": migration.name}
        if connection.execute(queries.record, number).rowcount == 0:
            return False
        connection.execute(sql.SQL(migration.text))
    return True
