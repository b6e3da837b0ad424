"""What can be read of the event store, and by whom.

Who may not see an event is answered as if there were none.
"""

from dataclasses import replace

from grnry.database.pool import Database
from grnry.database.transaction import Reading
from grnry.errors import NotFound
from grnry.events.reading import store
from grnry.events.reading.access import grants_of
from grnry.events.reading.model import Event, Page, Readable, Window
from grnry.identity.model import Identity


class Events:
    """The events that are stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_entity(
        self,
        caller: Identity,
        correlation_id: str,
        event_type: str,
        window: Window,
        *,
        with_messages: bool,
        with_total: bool,
    ) -> Page:
        """What the caller may see of an entity, oldest first; of one type where one is named."""
        with self._database.reading() as reading:
            readable = readable_by(reading, caller, event_type)
            found = store.of_entity(
                reading, correlation_id, readable, window, with_messages=with_messages
            )
            if not with_total and (found.events or not window.offset):
                return _unless_empty(found, f"Events with correlationId '{correlation_id}'")
            total = store.count_of_entity(reading, correlation_id, readable, window)
        return _counted(found, total, f"Events with correlationId '{correlation_id}'", with_total)

    def newest(
        self,
        caller: Identity,
        event_type: str,
        window: Window,
        *,
        with_messages: bool,
        with_total: bool,
    ) -> Page:
        """What the caller may see of a type, newest first."""
        with self._database.reading() as reading:
            readable = readable_by(reading, caller, event_type)
            if not readable.types:
                raise NotFound(f"Events of type '{event_type}' not found.")
            found = store.newest(reading, event_type, readable, window, with_messages=with_messages)
            if not with_total and (found.events or not window.offset):
                return _unless_empty(found, f"Events of type '{event_type}'")
            total = store.count_of_type(reading, event_type, readable, window)
        return _counted(found, total, f"Events of type '{event_type}'", with_total)

    def one(self, caller: Identity, correlation_id: str, event_id: str, event_type: str) -> Event:
        """One event; where several types have one of these ids, the oldest, or that of the type."""
        with self._database.reading() as reading:
            readable = readable_by(reading, caller, event_type)
            found = store.one(reading, correlation_id, event_id, readable)
        if found is None:
            raise NotFound(
                f"Event with correlationId '{correlation_id}' and eventId '{event_id}' not found."
            )
        return found


def readable_by(reading: Reading, caller: Identity, event_type: str) -> Readable:
    """What the caller may read, of one type where one is named."""
    grants = grants_of(caller)
    found = Readable(store.types_of(reading, grants.projects), grants.streams)
    return found.only(event_type) if event_type else found


def _unless_empty(page: Page, what: str) -> Page:
    if not page.events:
        raise NotFound(f"{what} not found.")
    return page


def _counted(page: Page, total: int, what: str, with_total: bool) -> Page:
    """A page behind the last one is empty; where there is nothing at all, there is no list."""
    if not total:
        raise NotFound(f"{what} not found.")
    return replace(page, total=total) if with_total else page
