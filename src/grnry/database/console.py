"""One statement for a person: run as a role of theirs, answered as rows of JSON-able values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

from grnry.database.json_text import JsonText


class NotUnderstood(Exception):  # noqa: N818
    """The database refused the statement; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    status: str


def query(url: str, statement: str) -> Answer:
    """Of several statements, the last one's answer; they are one transaction."""
    try:
        text = statement.encode()
    except UnicodeEncodeError as error:
        raise NotUnderstood("The statement is not UTF-8.") from error
    connection = None
    try:
        connection = psycopg.connect(url, connect_timeout=5, application_name="grnry-sql")
        for name, loader in _LOADERS.items():
            connection.adapters.register_loader(name, loader)
        cursor = connection.execute(text)
        while cursor.nextset():
            pass
        columns = _distinct([column.name for column in cursor.description or []])
        rows = [[_plain(value) for value in row] for row in cursor] if columns else []
        connection.commit()
        return Answer(columns, rows, cursor.statusmessage or "")
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None and "COPY" in str(error):
            raise NotUnderstood("COPY from or to a client needs psql: see --url.") from error
        raise NotUnderstood(str(error).strip()) from error
    except psycopg.Error as error:
        raise NotUnderstood(str(error).strip()) from error
    finally:
        if connection is not None:
            connection.close()


def _lenient(kind: type[Loader]) -> type[Loader]:
    """A loader that leaves as text what Python has no value for, such as infinity."""

    class Lenient(kind):  # type: ignore[misc, valid-type]
        def load(self, data: Buffer) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return Lenient


class _JsonLoader(Loader):
    """Parsed, its numbers would be others, and some of it is deeper than a parser goes."""

    def load(self, data: Buffer) -> JsonText:
        # Line breaks of JSON are between its values: within texts they are escaped.
        return JsonText(bytes(data).decode().replace("\n", " "))


_LOADERS: dict[str, type[Loader]] = {
    "json": _JsonLoader,
    "jsonb": _JsonLoader,
    "date": _lenient(DateLoader),
    "timestamp": _lenient(TimestampLoader),
    "timestamptz": _lenient(TimestamptzLoader),
}


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of columns as keys: the second of a name gets a number."""
    found: list[str] = []
    for name in names:
        number, key = 1, name
        while key in found:
            number += 1
            key = f"{name}_{number}"
        found.append(key)
    return found


def _plain(value: Any) -> Any:
    """What JSON knows stays as it is; all else is shown as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
