"""One transaction: run named statements, get rows; the driver's errors stop here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from grnry.errors import GranaryError, ServiceAway

Row = dict[str, Any]
Statement = sql.SQL | sql.Composed

Json = Jsonb
"""Wraps a value that goes into a jsonb column."""

# SQLSTATE classes of a server that is away, going away or at its limits, not of a wrong statement.
_AWAY_CLASSES = ("08", "53", "57")
# A standby where the primary was, a lock nobody gives up, a transaction that was idle too long.
_AWAY_STATES = ("25006", "25P03", "25P04", "55P03")
# Serialization failure, deadlock: nothing is wrong with either transaction but that there are two.
_COLLISIONS = ("40001", "40P01")


class DatabaseAway(ServiceAway):
    """The database does not answer at the moment. Try again."""


class Collision(ServiceAway):
    """Another change was made at the same time. Try again."""


class UniqueViolation(GranaryError):  # noqa: N818
    """A row with that key is there already."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(f"A row violates '{constraint}'.")


class NameTaken(GranaryError):  # noqa: N818
    """Something of that name is there already, which somebody else has made."""


class StillNeeded(GranaryError):  # noqa: N818
    """Something else in the database stands on it."""

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(f"It cannot be dropped: {by}")


def is_away(error: psycopg.Error) -> bool:
    """Tell a database that is away from a statement that is wrong."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_AWAY_CLASSES) or error.sqlstate in _AWAY_STATES


@contextmanager
def foreign_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise UniqueViolation(error.diag.constraint_name or "") from error
    except (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject) as error:
        raise NameTaken(error.diag.message_primary) from error
    except psycopg.errors.DependentObjectsStillExist as error:
        raise StillNeeded(error.diag.message_detail or "") from error
    except psycopg.Error as error:
        if is_away(error):
            raise DatabaseAway from error
        if error.sqlstate in _COLLISIONS:
            raise Collision from error
        raise


class Reading:
    """What a store may do where it only reads.

    Each statement sees what was committed before it began, as within a transaction of ours.
    """

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self.connection = connection

    def rows(self, statement: Statement, **values: Any) -> list[Row]:
        return self._execute(statement, values).fetchall()

    def planned_anew(self, statement: Statement, **values: Any) -> list[Row]:
        """Rows of a statement whose best plan depends on the values, so that none is kept."""
        return self._execute(statement, values, prepare=False).fetchall()

    def row(self, statement: Statement, **values: Any) -> Row | None:
        return self._execute(statement, values).fetchone()

    def value(self, statement: Statement, **values: Any) -> Any:
        row = self.row(statement, **values)
        return None if row is None else next(iter(row.values()))

    def _execute(
        self, statement: Statement, values: Row, *, prepare: bool | None = None
    ) -> psycopg.Cursor[DictRow]:
        return self.connection.execute(statement, values or None, prepare=prepare)


class Transaction(Reading):
    """What a store may do within a transaction."""

    def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement; the answer is how many rows it touched."""
        return self._execute(statement, values).rowcount

    def many(self, statement: Statement, rows: Sequence[Row]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done within is undone by an exception, and the transaction goes on."""
        with foreign_errors(), self.connection.transaction():
            yield
