"""One statement for a person: run as a role of theirs, answered as rows of JSON-able values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg


class NotUnderstood(Exception):  # noqa: N818
    """The database refused the statement; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    status: str


def query(url: str, statement: str) -> Answer:
    try:
        with psycopg.connect(url, connect_timeout=5, application_name="grnry-sql") as connection:
            cursor = connection.execute(statement.encode())
            columns = [column.name for column in cursor.description or []]
            rows = [[_plain(value) for value in row] for row in cursor] if columns else []
            return Answer(columns, rows, cursor.statusmessage or "")
    except psycopg.Error as error:
        raise NotUnderstood(str(error).strip()) from error


def _plain(value: Any) -> Any:
    """What JSON knows stays as it is; all else is shown as text."""
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value.hex() if isinstance(value, bytes) else str(value)
