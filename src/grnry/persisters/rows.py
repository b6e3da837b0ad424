"""Rows of the event store: a record's bytes and headers to one line of COPY text. Pure."""

import re
from collections.abc import Sequence

import msgspec

from grnry.sinks.target import Unstorable

COLUMNS = (
    "correlation_id",
    "event_id",
    "created",
    "message",
    "event_type",
    "event_type_version",
    "event_harvester",
    "partition_id",
    "partition_offset",
)

NULL = rb"\N"
LARGEST_VERSION_DIGITS = 9
LARGEST_TIME_DIGITS = 18

Headers = Sequence[tuple[str, bytes | None]]


# An escaped NUL that is not itself part of an escaped backslash.
_NUL = re.compile(rb"((?<!\\)(?:\\\\)*)\\u0000")


def line_of(
    event_type: bytes,
    headers: Headers,
    value: bytes | None,
    place: tuple[int, int],
    record_time: int,
) -> bytes:
    """The line of COPY text that stores this record; raises Unstorable where none can."""
    found = dict(headers)
    correlation_id = found.get("grnry-correlation-id")
    event_id = found.get("grnry-event-id")
    if not correlation_id:
        raise Unstorable("the header grnry-correlation-id is missing or empty")
    if found.get("grnry-deletion-flag") is not None and is_true(found["grnry-deletion-flag"]):
        raise Unstorable("deletion events are not supported by this version")
    if not event_id:
        raise Unstorable("the header grnry-event-id is missing or empty")
    return b"%b\t%b\t%b\t%b\t%b\t%b\t%b\t%d\t%d\n" % (
        text(correlation_id),
        text(event_id),
        _time(found.get("grnry-event-timestamp"), record_time),
        NULL if value is None else message(value),
        event_type,
        _version(found.get("grnry-event-type-version")),
        text(found.get("grnry-harvester-name") or b"na"),
        *place,
    )


def text(value: bytes) -> bytes:
    """A header's value as COPY text. Spring clients quote theirs as JSON strings."""
    if value[0] == 0x22 and len(value) > 1 and value[-1] == 0x22:
        value = _unquoted(value)
    return escaped(value)


def _unquoted(value: bytes) -> bytes:
    try:
        return msgspec.json.decode(value, type=str).encode()
    except (msgspec.DecodeError, UnicodeEncodeError):
        return value


def escaped(value: bytes) -> bytes:
    """What COPY's text format reads as exactly these bytes."""
    if b"\\" in value:
        value = value.replace(b"\\", b"\\\\")
    if b"\n" in value:
        value = value.replace(b"\n", b"\\n")
    if b"\t" in value:
        value = value.replace(b"\t", b"\\t")
    if b"\r" in value:
        value = value.replace(b"\r", b"\\r")
    return value


def message(value: bytes) -> bytes:
    """A payload as COPY text; a NUL, which jsonb cannot hold, becomes U+FFFD."""
    if b"\\u0000" in value:
        value = _NUL.sub(rb"\1\\ufffd", value)
    return escaped(value)


def _time(value: bytes | None, record_time: int) -> bytes:
    """Milliseconds since 1970, from the header; the record's own where that is unreadable."""
    if value and value.isdigit() and len(value) <= LARGEST_TIME_DIGITS:
        return value
    try:
        number = int(_unquoted(value)) if value else record_time
    except ValueError:
        number = record_time
    return b"%d" % (number if -(2**63) <= number < 2**63 else record_time)


def _version(value: bytes | None) -> bytes:
    if not value:
        return NULL
    value = _unquoted(value) if value[0] == 0x22 else value
    return value if value.isdigit() and len(value) <= LARGEST_VERSION_DIGITS else NULL


def is_true(value: bytes | None) -> bool:
    return value is not None and _unquoted(value).strip().lower() == b"true"
