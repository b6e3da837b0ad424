"""The port of a sink: how records become lines, and how lines are stored."""

from collections.abc import Sequence
from typing import Protocol

import psycopg
from psycopg.rows import DictRow

from grnry.log.records import Record

Connection = psycopg.Connection[DictRow]


class Unstorable(Exception):  # noqa: N818 - it names what the record is
    """The record can never be stored; the text says why."""


class Target(Protocol):
    """What an engine writes to. Lines are opaque bytes to everybody else."""

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

    def store_carefully(self, connection: Connection, lines: Sequence[bytes]) -> None:
        """The same, leaving out what is stored already."""
        ...
