"""Keys of a live segment's rows: one sequence of bytes for each id, however it is written. Pure.

Two records are about the same row where their keys are equal, so a key is what the server makes of
an id: a moment is the same in every time zone, a uuid in capitals as well.
"""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from grnry.schemas import ColumnType, is_of
from grnry.sinks.target import Unstorable

LONGEST = 2000
"""Bytes of an id: an index entry has to fit a third of a page."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d).(\d\d:\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def key_maker(kind: ColumnType) -> Callable[[Any], bytes]:
    """What makes the key of an id that is valid; raises OverflowError, ValueError or Unstorable."""
    return _MAKERS[kind]


def key_of_deletion(kind: ColumnType, key: bytes | None) -> bytes:
    """The id in a record's key, as the deletion of a row has it: as a text, or a string of JSON."""
    if not key:
        raise Unstorable("a deletion has the id as its key, and this one has none")
    try:
        text = msgspec.json.decode(key, type=str) if key[:1] == b'"' else key.decode()
        return _MAKERS[kind](_id(kind, text))
    except (ValueError, OverflowError, msgspec.DecodeError) as error:
        raise Unstorable(f"the key {key[:60]!r} of a deletion is no id") from error


def unlikely_id(kind: ColumnType) -> int | str:
    """An id that hardly anything has: a row of it is nobody else's to wait for."""
    match kind:
        case ColumnType.BIGINT:
            return -secrets.randbits(62)
        case ColumnType.DATE:
            return (date.max - timedelta(secrets.randbelow(1_000_000))).isoformat()
        case ColumnType.TIMESTAMPTZ:
            moment = datetime.max.replace(tzinfo=UTC) - timedelta(1, 0, secrets.randbits(57))
            return moment.isoformat()
    return str(uuid4())


def _id(kind: ColumnType, text: str) -> int | str:
    """As JSON writes it: `int` takes more, such as '1_0', and the server does, such as 'today'."""
    is_number = kind is ColumnType.BIGINT
    if not (_INTEGER.fullmatch(text) if is_number else is_of(kind, text)):
        raise ValueError(text)
    return int(text) if is_number else text


def _of_integer(value: Any) -> bytes:
    return int(value).to_bytes(8, signed=True)


def _of_text(value: Any) -> bytes:
    if "\0" in value:
        raise Unstorable("#/id has the character U+0000, which a text in PostgreSQL cannot hold")
    encoded: bytes = value.encode()
    if len(encoded) > LONGEST:
        raise Unstorable(f"#/id is longer than {LONGEST} bytes")
    return encoded


def _of_uuid(value: Any) -> bytes:
    return _of_text(value.lower())


def _of_moment(value: Any) -> bytes:
    """In UTC, with a fraction as the server rounds it."""
    found = _MOMENT.fullmatch(value)
    if found is None:
        return _of_text(value)
    day, time, seconds, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}") + timedelta(
            seconds=int(seconds), microseconds=round(float(fraction or 0) * 1_000_000)
        )
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            moment += offset if sign == "-" else -offset
    except OverflowError:
        # Beyond the calendar that Python has: within a few hours of its ends.
        return _of_text(value)
    return moment.isoformat(timespec="microseconds").encode() + b"Z"


_MAKERS: dict[ColumnType, Callable[[Any], bytes]] = {
    ColumnType.BIGINT: _of_integer,
    ColumnType.UUID: _of_uuid,
    ColumnType.TIMESTAMPTZ: _of_moment,
    **dict.fromkeys((ColumnType.TEXT, ColumnType.DATE), _of_text),
}
