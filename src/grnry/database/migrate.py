"""Migrations: numbered SQL files, each applied once, in order, one at a time.

Each is a transaction with its own entry in the history, so one that fails leaves nothing behind.
Numbers may have gaps. What is refused, as it would make two databases of one version differ: an
applied file that was edited, and a file that comes before one that is applied already.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from grnry.database.queries import load
from grnry.database.transaction import is_away
from grnry.errors import StartError

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# What loses a race for making the history finds it made.
_RACES = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.DuplicateSchema,
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateColumn,
    psycopg.errors.InternalError_,  # "tuple concurrently updated"
)
_RACE_TRIES = 20


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number} ({self.name})"


def migrations(folder: Traversable | None = None) -> list[Migration]:
    """What this version knows, in order."""
    found: dict[int, Migration] = {}
    for file in (folder or files("grnry.database.migrations")).iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            raise StartError(f"The migration {file.name} is not named like 0001_what_it_does.sql.")
        migration = Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        if (other := found.get(migration.number)) is not None:
            raise StartError(
                f"Two migrations have the number {migration.number}: {other.name} and"
                f" {migration.name}. Give the one that is not released yet the next free number."
            )
        found[migration.number] = migration
    return [found[number] for number in sorted(found)]


def make_history(connection: psycopg.Connection[Any]) -> None:
    """The table of what is applied, where there is none; it is the lock as well."""
    queries = load("grnry.database", "migrate.sql")
    for attempt in range(_RACE_TRIES):
        try:
            with connection.transaction():
                connection.execute(queries.settle)
                connection.execute(queries.make_history)
        except _RACES:
            if attempt == _RACE_TRIES - 1:
                raise
        else:
            return


def be_alone(connection: psycopg.Connection[Any]) -> None:
    """For the rest of the transaction no other process migrates, or makes roles."""
    connection.execute(load("grnry.database", "migrate.sql").be_alone)


def migrate(
    connection: psycopg.Connection[Any],
    upto: int | None = None,
    known: Sequence[Migration] | None = None,
) -> list[Migration]:
    """Bring the database to the newest version (or `upto`); answers what was applied.

    Several processes may call this at once: they take turns, and none does what another has done.
    """
    known = migrations() if known is None else known
    make_history(connection)
    done = []
    while (migration := _apply_next(connection, known, upto)) is not None:
        done.append(migration)
    return done


def _apply_next(
    connection: psycopg.Connection[Any], known: Sequence[Migration], upto: int | None
) -> Migration | None:
    queries = load("grnry.database", "migrate.sql")
    with connection.transaction():
        connection.execute(queries.settle)
        be_alone(connection)
        with connection.cursor(row_factory=dict_row) as cursor:
            history = {row["number"]: row for row in cursor.execute(queries.applied)}
        _check(history, known)
        for migration in known:
            values = {"number": migration.number, "checksum": migration.checksum}
            if migration.number in history:
                # From before checksums were kept.
                if history[migration.number]["checksum"] is None:
                    connection.execute(queries.remember, values)
            elif upto is None or migration.number <= upto:
                _run(connection, migration)
                connection.execute(queries.record, {**values, "name": migration.name})
                return migration
    return None


def _check(history: Mapping[int, Mapping[str, Any]], known: Sequence[Migration]) -> None:
    if newer := history.keys() - {migration.number for migration in known}:
        raise StartError(
            f"The database is of a newer version of Granary (it has migration {max(newer)}). "
            "Start that version, or use another database."
        )
    for migration in known:
        applied = history.get(migration.number)
        if applied is None:
            if (last := max(history, default=0)) > migration.number:
                raise StartError(
                    f"Migration {migration} comes before migration {last}, which the database has"
                    " already. Give it the next free number, or use another database."
                )
        elif applied["checksum"] not in (None, migration.checksum):
            raise StartError(
                f"Migration {migration} was edited after it was applied to this database. Restore"
                " the file and put the change into a new one, or use another database."
            )


def _run(connection: psycopg.Connection[Any], migration: Migration) -> None:
    try:
        # Several statements, of which none can be prepared.
        connection.execute(sql.SQL(migration.text), prepare=False)
    except psycopg.Error as error:
        if is_away(error):
            raise
        said = error.diag.message_primary or str(error).strip()
        raise StartError(
            f"Migration {migration} failed and has changed nothing: {said}."
            " Start again once that is put right."
        ) from error
