"""What an error of the database means for the batch it came with."""

from enum import Enum

import psycopg

from grnry.database.transaction import is_away


class Verdict(Enum):
    """Whose error it is."""

    AWAY = "the database is away: wait for it"
    PASSING = "the same batch may pass in a moment: try again"
    REFUSED = "the server does not let us in: somebody has to change something"
    TABLE = "no row fits the table, or we may not write it"
    THERE_ALREADY = "a row with that key is stored: store carefully"
    RECORDS = "some record is bad: find it"


OF_RECORDS = (Verdict.THERE_ALREADY, Verdict.RECORDS)
"""After these a batch is stored carefully."""

STANDS = {
    Verdict.TABLE: "The table cannot be written",
    Verdict.REFUSED: "The database does not let us in",
}
"""What stays as it is until somebody changes something, as it is told."""


class NoRowFits(psycopg.Error):
    """Not even a sample can be stored: it is the table, and not the records."""


# Rolled back by the server for reasons of the moment: serialization, deadlock, locks, limits.
_PASSING_CLASSES = ("40", "55")
# Undefined or renamed tables and columns, missing rights, a read-only server, a full WAL.
_TABLE_CLASSES = ("42", "25", "0A", "3F", "3D")
# What a server says to who knocks, and will say again until somebody has changed something. The
# driver has no codes for it.
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "does not exist",
    "permission denied for database",
    "does not support SSL",
    "certificate verify failed",
)


def is_refusal(error: psycopg.Error) -> bool:
    """Whether a server that lives does not let us in."""
    is_knock = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return is_knock and any(words in str(error) for words in _REFUSALS)


def verdict_of(error: psycopg.Error) -> Verdict:
    if isinstance(error, NoRowFits):
        return Verdict.TABLE
    if is_refusal(error):
        return Verdict.REFUSED
    state = error.sqlstate or ""
    if is_away(error):
        return Verdict.AWAY
    if state.startswith(_PASSING_CLASSES):
        return Verdict.PASSING
    if state.startswith(_TABLE_CLASSES):
        return Verdict.TABLE
    if state == "23505":
        return Verdict.THERE_ALREADY
    return Verdict.RECORDS
