"""Deletion events: no rows of their own, but the word that stored ones expire. Pure.

A deletion is about what was sent before it. Within a batch it is applied after all rows that do not
follow it, so that ten thousand of them cost two statements and not ten thousand.
"""

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct

from grnry.persisters.rows import is_true, unquoted
from grnry.sinks.target import Unstorable

CAUSE = "grnry-deletion-cause"
"""A header of deletions that the platform makes itself."""
EXPIRY = b"expiry"

_FIRST_LENGTH = Struct(">i").unpack_from


class Deletion(bytes):
    """A line that is no row."""

    correlation_id: str
    event_id: str | None
    """The one event that is meant; else all of the entity."""

    @classmethod
    def of(cls, headers: Mapping[str, bytes | None], *, random_ids: bool) -> "Deletion | None":
        """The deletion that these headers ask for, if they do; raises Unstorable for whose not.

        An id that is made at random names no event that was stored before, unless the platform
        itself names what has expired.
        """
        if not is_true(headers.get("grnry-deletion-flag")):
            return None
        made = cls()
        made.correlation_id = _text("grnry-correlation-id", headers)
        if not made.correlation_id:
            raise Unstorable("the header grnry-correlation-id is missing or empty")
        is_of_one = not random_ids or headers.get(CAUSE) == EXPIRY
        made.event_id = (_text("grnry-event-id", headers) or None) if is_of_one else None
        return made


def _text(name: str, headers: Mapping[str, bytes | None]) -> str:
    try:
        text = unquoted(headers.get(name) or b"").decode()
    except UnicodeDecodeError:
        raise Unstorable(f"the header {name} is not UTF-8") from None
    if "\0" in text:
        raise Unstorable(f"the header {name} has the character U+0000")
    return text


def has_no_deletions(lines: Sequence[bytes]) -> bool:
    return {*map(type, lines)} <= {bytes}


def parts(lines: Sequence[bytes]) -> Iterator[tuple[list[bytes], list[Deletion]]]:
    """Rows to be stored, and deletions to be applied after them, part by part."""
    if has_no_deletions(lines):
        yield list(lines), []
        return
    rows: list[bytes] = []
    deletions: list[Deletion] = []
    named: set[bytes] = set()
    for line in lines:
        if isinstance(line, Deletion):
            deletions.append(line)
            named.add(line.correlation_id.encode())
            continue
        if named and _correlation_id(line) in named:
            yield rows, deletions
            rows, deletions, named = [], [], set()
        rows.append(line)
    yield rows, deletions


def _correlation_id(row: bytes) -> bytes:
    """The first field of a tuple of binary COPY, behind the number of its fields."""
    (length,) = _FIRST_LENGTH(row, 2)
    return row[6 : 6 + length]
