"""Rows of the event store: a record's bytes and headers to one tuple of binary COPY. Pure.

Binary, as values then travel as they are: nothing has to be searched for what needs escaping, and
no value can end its row early.
"""

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import Any, TypeVar

import msgspec

from grnry.log.records import Header, Record
from grnry.persisters.copying import (
    BACKSLASH,
    ESCAPED_NUL,
    JSONBS,
    LENGTHS,
    NULL,
    SHORT,
    jsonb_start,
    length_of,
)
from grnry.sinks.target import Unstorable

COLUMNS = (
    "correlation_id",
    "event_id",
    "created",
    "partition_id",
    "partition_offset",
    "event_type",
    "event_type_version",
    "event_harvester",
    "message",
)


NO_HARVESTER = b"\0\0\0\x02na"

Other = TypeVar("Other")

# The number of columns and the length of the first.
_BEGIN = Struct(">hi").pack
# Three numbers of eight bytes each, with their lengths.
NUMBERS = Struct(">iqiqiq").pack
_INTEGER = Struct(">ii").pack

# Looked up: how a row begins, by the length of its first value; versions.
BEGINS = [_BEGIN(len(COLUMNS), size) for size in SHORT]
VERSIONS = {b"%d" % number: _INTEGER(4, number) for number in range(100)}

# One that is not itself part of an escaped backslash.
_NUL = re.compile(rb"((?<!\\)(?:\\\\)*)\\u0000")
QUOTE = 0x22
_LARGEST_VERSION = 2**31 - 1
UNUSUAL = (LookupError, TypeError, ValueError, struct.error)


class IsDeletion(Exception):  # noqa: N818 - it names what the record is
    """The record is no event to be stored."""


def event_type_field(event_type: str) -> bytes:
    """The event type, ready to stand in every row."""
    name = event_type.encode()
    return length_of(len(name)) + name


def rows_of(
    event_type: bytes, records: Iterable[Record], otherwise: Callable[[Record], Other]
) -> list[bytes | Other]:
    """The tuples of records as nearly all of them are; for any other, what `otherwise` answers.

    It runs for every event, so nothing is called that can be looked up, and what is not as usual
    shows as an error: a header that is missing or empty, a time that is no number, a null.
    """
    rows: list[bytes | Other] = []
    add, numbers, join = rows.append, NUMBERS, b"".join
    for record in records:
        try:
            found: dict[str, Any] = dict(record.headers() or ())
            correlation_id = found["grnry-correlation-id"]
            event_id = found["grnry-event-id"]
            harvester = found["grnry-harvester-name"]
            value: Any = record.value()
            if (
                QUOTE in (correlation_id[0], event_id[0], harvester[0])
                or "grnry-deletion-flag" in found
                or (BACKSLASH in value and value.find(ESCAPED_NUL) >= 0)
            ):
                add(otherwise(record))
                continue
            created = int(found["grnry-event-timestamp"])
            row = (
                BEGINS[len(correlation_id)],
                correlation_id,
                LENGTHS[len(event_id)],
                event_id,
                numbers(8, created, 8, record.partition(), 8, record.offset()),
                event_type,
                VERSIONS[found["grnry-event-type-version"]],
                LENGTHS[len(harvester)],
                harvester,
                JSONBS[len(value)],
                value,
            )
        except UNUSUAL:
            add(otherwise(record))
        else:
            add(join(row))
    return rows


def row_of(
    event_type: bytes,
    headers: Iterable[Header],
    value: bytes | None,
    place: tuple[int, int],
    record_time: int,
) -> bytes:
    """The tuple that stores this record; raises Unstorable where none can, or IsDeletion."""
    found = dict(headers)
    correlation_id, event_id = _ids(found)
    created = _time(found.get("grnry-event-timestamp"), record_time)
    if value is None:
        message = NULL
    else:
        if ESCAPED_NUL in value:
            value = without_nul(value)
        message = jsonb_start(len(value)) + value
    return b"%b%b%b%b%b%b%b%b%b" % (
        _BEGIN(len(COLUMNS), len(correlation_id)),
        correlation_id,
        length_of(len(event_id)),
        event_id,
        NUMBERS(8, created, 8, place[0], 8, place[1]),
        event_type,
        _version(found.get("grnry-event-type-version")),
        _harvester(found.get("grnry-harvester-name")),
        message,
    )


def message_of(row: bytes) -> bytes | None:
    """The message of a row: the last of its fields."""
    at = 2
    for _ in COLUMNS[:-1]:
        at += 4 + max(0, _length_at(row, at))
    return None if _length_at(row, at) < 0 else row[at + 5 :]


def _length_at(row: bytes, at: int) -> int:
    """Of the field that begins there; less than nothing where it is null."""
    return int.from_bytes(row[at : at + 4], signed=True)


def _ids(found: Mapping[str, bytes | None]) -> tuple[bytes, bytes]:
    """The ids; or why these headers make no row. A deletion flag that says false is no reason."""
    correlation_id = unquoted(found.get("grnry-correlation-id") or b"")
    event_id = unquoted(found.get("grnry-event-id") or b"")
    if not correlation_id:
        raise Unstorable("the header grnry-correlation-id is missing or empty")
    if is_true(found.get("grnry-deletion-flag")):
        raise IsDeletion
    if not event_id:
        raise Unstorable("the header grnry-event-id is missing or empty")
    return correlation_id, event_id


def unquoted(value: bytes) -> bytes:
    """A header's value. Spring clients quote theirs as JSON strings."""
    if value[:1] != b'"':
        return value
    try:
        return msgspec.json.decode(value, type=str).encode()
    except (msgspec.DecodeError, UnicodeError):
        return value


def without_nul(value: bytes) -> bytes:
    """A payload in which a NUL, which jsonb cannot hold, is U+FFFD."""
    return _NUL.sub(rb"\1\\ufffd", value)


def _time(value: bytes | None, record_time: int) -> int:
    """Milliseconds since 1970, from the header; the record's own where that is unreadable."""
    try:
        number = int(value) if value else record_time
    except ValueError:
        number = _quoted_number(value, record_time)
    return number if -(2**63) <= number < 2**63 else record_time


def _quoted_number(value: bytes | None, otherwise: int) -> int:
    try:
        return int(unquoted(value or b""))
    except ValueError:
        return otherwise


def _version(value: bytes | None) -> bytes:
    number = _quoted_number(value, -1) if value else -1
    return _INTEGER(4, number) if 0 <= number <= _LARGEST_VERSION else NULL


def _harvester(value: bytes | None) -> bytes:
    if not value:
        return NO_HARVESTER
    name = unquoted(value)
    return length_of(len(name)) + name


def is_true(value: bytes | None) -> bool:
    return value is not None and unquoted(value).strip().lower() == b"true"
