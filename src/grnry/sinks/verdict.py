"""What an error of the database means for the batch it came with."""

from enum import Enum

import psycopg

from grnry.database.transaction import is_away


class Verdict(Enum):
    """Whose error it is."""

    AWAY = "the database is away: wait for it"
    PASSING = "the same batch may pass in a moment: try again"
    TABLE = "no row fits the table, or we may not write it"
    THERE_ALREADY = "a row with that key is stored: store carefully"
    RECORDS = "some record is bad: find it"


class NoRowFits(psycopg.Error):
    """Not even a sample can be stored: it is the table, and not the records."""


# Rolled back by the server for reasons of the moment: serialization, deadlock, locks, limits.
_PASSING_CLASSES = ("40", "55")
# Undefined or renamed tables and columns, missing rights, a read-only server, a full WAL.
_TABLE_CLASSES = ("42", "25", "0A", "3F", "3D")


def verdict_of(error: psycopg.Error) -> Verdict:
    if isinstance(error, NoRowFits):
        return Verdict.TABLE
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
