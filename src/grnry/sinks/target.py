"""The port of a sink: how records become lines, and how lines are stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import psycopg
from psycopg.rows import DictRow

from grnry.database import sql
from grnry.log.records import Record

Connection = psycopg.Connection[DictRow]

Refusals = Mapping[int, tuple[str, str]]
"""By the places of lines: why the database refuses each, and by which SQLSTATE."""


class Statement(NamedTuple):
    """What is to be executed, with its values."""

    query: sql.SQL
    values: Mapping[str, object] | None = None


class Load(NamedTuple):
    """What stores lines: a COPY and what it takes, or none, and what is to be executed after it."""

    copy: sql.SQL | None
    pieces: Iterable[bytes]
    rest: Sequence[Statement] = ()
    rest_sees_rows: bool = True
    """Whether the rest has to find what the lines before have stored, and not only wait for it."""
    holds_keys: bool = False
    """Whether another COPY waits for a key that this one has copied, until this one is over."""


class Unstorable(Exception):  # noqa: N818 - it names what the record is
    """The record can never be stored; the text says why."""


class Target(Protocol):
    """What an engine writes to. Lines are opaque bytes to everybody else."""

    keeps_first: bool
    """Whether the first record of a row stays, and not the last."""

    owns_constraints: bool
    """Whether its table has no constraints but ours, all of which a sample passes."""

    def lines(self, records: Sequence[Record]) -> list[bytes | Unstorable]:
        """What is stored for each of these records, or why nothing can be."""
        ...

    def line(self, record: Record) -> bytes:
        """What is stored for a record; raises Unstorable where nothing can be."""
        ...

    def sample(self) -> bytes:
        """A line that fits where any does; it is tried, and never kept."""
        ...

    def check(self, connection: Connection) -> None:
        """Before the first write: raises StartError where the table is not what we write to."""
        ...

    def refresh(self, connection: Connection, lines: Sequence[bytes]) -> bool:
        """Within a batch's transaction, before it is stored: whether its lines are to be made anew.

        What is stored may have changed since they were made.
        """
        ...

    def store(self, connection: Connection, lines: Sequence[bytes]) -> None:
        """Store lines the fastest way; an error of the database means that none is stored."""
        ...

    def load(self, connection: Connection, lines: Sequence[bytes]) -> Load | None:
        """Within a transaction: what stores lines; None where it takes more than that.

        The COPY may begin at any time; what follows it when all lines before are in the table, or
        when they are stored.
        """
        ...

    def key(self, line: bytes) -> bytes | None:
        """The name of the row that a line writes; none where it writes no row of its own."""
        ...

    def key_of(self, record: Record) -> bytes | None:
        """The name of the row that a record is about of which no line can be made, if it tells."""
        ...

    def outdates(self, lines: Sequence[bytes]) -> list[tuple[int, bytes, bytes]]:
        """What must not be stored after these lines.

        Which line, first and last of a range of names of rows.
        """
        ...

    def stored_keys(self, connection: Connection, lines: Sequence[bytes]) -> set[bytes]:
        """The names of those rows that are stored already."""
        ...

    def hold(self, connection: Connection) -> None:
        """Within a transaction: until it ends nobody changes what the table is.

        Else it could refuse a record as one table, and take the next one as another.
        """
        ...

    def store_carefully(self, connection: Connection, lines: Sequence[bytes]) -> int:
        """The same, leaving out what is stored already; answers how many rows the table took."""
        ...

    def refused(self, connection: Connection, lines: Sequence[bytes]) -> Refusals:
        """Of lines that are refused together those of which it can be told without storing them.

        Not all of them need to be found: it only spares trying each.
        """
        ...


def line_or_reason(target: Target, record: Record) -> bytes | Unstorable:
    """What is stored for a record, or why nothing can be."""
    try:
        return target.line(record)
    except Unstorable as reason:
        return reason


def bring(connection: Connection, copy: sql.SQL, pieces: Iterable[bytes]) -> None:
    """A COPY from its beginning to its end."""
    with connection.cursor().copy(copy) as into:
        for piece in pieces:
            into.write(piece)
