"""Dead letters: what could not be stored, kept with its original bytes."""

from collections.abc import Sequence
from typing import Any

from grnry.database.queries import load
from grnry.sinks.batch import DeadLetter
from grnry.sinks.target import Connection

_LATEST = 9_000_000_000_000_000
"""Milliseconds since 1970; PostgreSQL's calendar ends soon after."""


def add(connection: Connection, deployment: str, letters: Sequence[DeadLetter]) -> None:
    if letters:
        queries = load("grnry.sinks", "dead_letters.sql")
        with connection.cursor() as cursor:
            cursor.executemany(queries.add, [_row(deployment, letter) for letter in letters])


def _row(deployment: str, letter: DeadLetter) -> dict[str, Any]:
    record = letter.record
    headers = record.headers() or []
    return {
        "deployment": deployment,
        "topic": record.topic(),
        "partition": record.partition(),
        "record_offset": record.offset(),
        "record_time": time if 0 <= (time := record.timestamp()[1]) < _LATEST else None,
        "key": record.key(),
        "payload": record.value(),
        "header_names": [name.replace("\0", "\ufffd") for name, _ in headers],
        "header_values": [value for _, value in headers],
        "reason": letter.reason.replace("\0", "\ufffd"),
        "sqlstate": letter.sqlstate,
    }
