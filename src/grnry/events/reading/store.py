"""Events as they lie in the event store."""

from collections.abc import Sequence
from typing import Any

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Reading
from grnry.events.reading.model import Event, Page, Readable, Window

MOST_BYTES = 16 * 2**20
"""How large the messages of one page may be together; a page ends early before it gets larger."""


def types_of(reading: Reading, projects: Sequence[str]) -> tuple[str, ...]:
    rows = reading.rows(_queries().types_of, projects=list(projects)) if projects else []
    return tuple(row["name"] for row in rows)


def of_entity(
    reading: Reading,
    correlation_id: str,
    readable: Readable,
    window: Window,
    *,
    with_messages: bool,
) -> Page:
    """One entity's events, oldest first."""
    values = {"correlation_id": correlation_id, "types": readable.types}
    return _page(reading, "of_entity", readable, window, values, with_messages=with_messages)


def newest(
    reading: Reading,
    event_type: str,
    readable: Readable,
    window: Window,
    *,
    with_messages: bool,
) -> Page:
    """One type's events, newest first."""
    values = {"event_type": event_type}
    return _page(reading, "newest", readable, window, values, with_messages=with_messages)


def count_of_entity(
    reading: Reading, correlation_id: str, readable: Readable, window: Window
) -> int:
    values = {"correlation_id": correlation_id, "types": readable.types}
    return _count(reading, "count_of_entity", readable, window, values)


def count_of_type(reading: Reading, event_type: str, readable: Readable, window: Window) -> int:
    values = {"event_type": event_type}
    return _count(reading, "count_of_type", readable, window, values)


def one(reading: Reading, correlation_id: str, event_id: str, readable: Readable) -> Event | None:
    """The first of these ids, as events of several types may have them."""
    values = {
        **_values(readable),
        "correlation_id": correlation_id,
        "event_id": event_id,
        "types": readable.types,
    }
    query = _composed("one", readable, with_messages=True)
    statement = _queries().composed("with_messages", page=query)
    # Whatever its size: it is one.
    rows = reading.planned_anew(statement, **values, most_bytes=MOST_BYTES)
    return Event.from_row(rows[0]) if rows else None


def _page(
    reading: Reading,
    name: str,
    readable: Readable,
    window: Window,
    asked: dict[str, Any],
    *,
    with_messages: bool,
) -> Page:
    statement = _composed(name, readable, with_messages=with_messages)
    values = {**_values(readable), **asked, "since": window.since, "until": window.until}
    values |= {"limit": window.limit + 1, "offset": window.offset}
    if with_messages:
        statement = _queries().composed("with_messages", page=statement)
        values["most_bytes"] = MOST_BYTES
    rows = reading.planned_anew(statement, **values)
    shown = [Event.from_row(row) for row in rows[: window.limit]]
    found = rows[0]["found"] if rows and with_messages else len(rows)
    return Page(shown, has_next=found > len(shown))


def _count(
    reading: Reading, name: str, readable: Readable, window: Window, asked: dict[str, Any]
) -> int:
    values = {**_values(readable), **asked, "since": window.since, "until": window.until}
    statement = _queries().composed(name, streams=_streams(readable))
    (row,) = reading.planned_anew(statement, **values)
    return int(row["count"])


def _composed(name: str, readable: Readable, *, with_messages: bool) -> sql.SQL:
    columns = _queries().columns_and_message if with_messages else _queries().columns
    return _queries().composed(name, columns=columns, streams=_streams(readable))


def _streams(readable: Readable) -> sql.SQL:
    return _queries().streams if readable.streams else sql.SQL("")


def _values(readable: Readable) -> dict[str, Any]:
    streams = sorted(readable.streams)
    return {
        "whole_types": list(readable.whole_types),
        "stream_types": [event_type for event_type, _ in streams],
        "stream_harvesters": [harvester for _, harvester in streams],
    }


def _queries() -> Queries:
    return load("grnry.events.reading")
