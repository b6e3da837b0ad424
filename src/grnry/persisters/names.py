"""Names of stored events: the correlation id, a NUL, and the event id. Pure.

Neither may hold a NUL itself, so the events of one entity are what begins with it: one range.
"""

from collections.abc import Mapping
from struct import Struct

from grnry.persisters.deletions import Deletion
from grnry.persisters.rows import unquoted

_LENGTH = Struct(">i").unpack_from
_NUL, _BEHIND_NUL = b"\0", b"\1"


def row_name(row: bytes) -> bytes:
    """Of a tuple of binary COPY, whose first two fields are the ids."""
    end = 6 + _LENGTH(row, 2)[0]
    start = end + 4
    return b"%b\0%b" % (row[6:end], row[start : start + _LENGTH(row, end)[0]])


def name_of(headers: Mapping[str, bytes | None]) -> bytes | None:
    """Of a record that could not be stored, by its headers."""
    correlation_id = unquoted(headers.get("grnry-correlation-id") or b"")
    event_id = unquoted(headers.get("grnry-event-id") or b"")
    if not correlation_id or not event_id or _NUL in correlation_id + event_id:
        return None
    return b"%b\0%b" % (correlation_id, event_id)


def names_of_deletion(deletion: Deletion) -> tuple[bytes, bytes]:
    """The first and last of what it is about: one event, or all of the entity."""
    entity = deletion.correlation_id.encode()
    if deletion.event_id is None:
        return entity + _NUL, entity + _BEHIND_NUL
    name = b"%b\0%b" % (entity, deletion.event_id.encode())
    return name, name


def parts_of(name: bytes) -> tuple[str, str] | None:
    """The ids again; none where they are no texts, as no stored event's."""
    try:
        correlation_id, _, event_id = name.decode().partition("\0")
    except UnicodeDecodeError:
        return None
    return None if "\0" in event_id else (correlation_id, event_id)
