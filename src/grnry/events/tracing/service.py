"""Says where an event is: waiting in the topic, stored, or in the dead letters.

The database is asked first how far the persister is and then what is stored, so that what is stored
meanwhile is found in one place or the other.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from grnry.database.pool import Database
from grnry.database.transaction import Reading
from grnry.errors import BadInput, ServiceAway, TooManyRequests
from grnry.event_types.kinds import DATA_IN
from grnry.event_types.service import EventTypes
from grnry.events.tracing import store
from grnry.events.tracing.model import (
    Found,
    Trace,
    Wanted,
    Whereabouts,
    found_in_topic,
    lag_of,
)
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.model import Span
from grnry.log.records import Partition
from grnry.log.tail import tail
from grnry.persisters.homes import expect_table_of
from grnry.persisters.kinds import stream_name
from grnry.persisters.model import Store
from grnry.persisters.service import Persisters
from grnry.persisters.tables import Unfit
from grnry.sinks import places

MOST_AT_ONCE = 2
SEARCH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database says."""

    next_offsets: Mapping[int, int]
    found: Sequence[Found]


class Tracing:
    """Looks for events of any event type."""

    def __init__(
        self,
        database: Database,
        event_types: EventTypes,
        persisters: Persisters,
        admin: Admin,
        cluster: Cluster,
    ) -> None:
        self._database = database
        self._event_types = event_types
        self._persisters = persisters
        self._admin = admin
        self._cluster = cluster
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def trace(
        self, project: str, event_type: str, wanted: Wanted, seconds: float = SEARCH_SECONDS
    ) -> Trace:
        """Look everywhere; a topic is searched for some seconds at most."""
        topic = self._topic_of(project, event_type)
        with self._place():
            persister, condition = self._persisters.find(project, event_type)
            store = self._persisters.store(persister)
            known = self._ask_database(event_type, topic, wanted, store)
            spans = self._admin.spans(self._admin.partitions(topic))
            starts = _starts(spans, known.next_offsets)
            ends = {one: span.end for one, span in spans.items()}
            search = _Search(self._cluster, wanted, time.monotonic() + seconds)
            waiting = search.run(starts, ends, Whereabouts.WAITING)
            found = [*waiting, *(_with_place(one, topic, spans) for one in known.found)]
            if not found:
                begins = {one: span.start for one, span in spans.items()}
                found = search.run(begins, starts, Whereabouts.PASSED)
        lag = lag_of(starts, ends)
        return Trace(topic, condition, lag, found, search.is_complete, store == Store())

    def _topic_of(self, project: str, event_type: str) -> str:
        found = self._event_types.version(project, event_type, None)
        if found.draft.type != DATA_IN or found.topic is None:
            raise BadInput.of(
                "event_type_name",
                f"must be of type '{DATA_IN}' but '{event_type}' is of type '{found.draft.type}'",
            )
        return found.topic

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A search reads a topic at the speed of the network: few at once."""
        if not self._places.acquire(blocking=False):
            raise TooManyRequests(f"{MOST_AT_ONCE} events are being traced already. Try again.", 2)
        try:
            yield
        finally:
            self._places.release()

    def _ask_database(self, event_type: str, topic: str, wanted: Wanted, store_: Store) -> _Known:
        deployment, topic_id = stream_name(event_type), self._admin.topic_id(topic)
        with places.kept(self._database, deployment, locking=bool(store_.owner)) as (reading, name):
            if reading is None:
                return _Known({}, [])
            source = store.Source(name, topic, topic_id)
            next_offsets = store.next_offsets(reading, source)
            dead = store.dead_letters(reading, source, wanted)
            if store_.owner:
                _look_at(reading, store_)
            rows = store.stored(reading, store_.table, event_type, wanted)
        return _Known(next_offsets, [*dead, *rows])


def _look_at(reading: Reading, found: Store) -> None:
    """A project's table is read as it is written: only where no code of anybody's runs by it."""
    try:
        expect_table_of(reading.connection, found.table, found.owner)
    except Unfit as unfit:
        raise ServiceAway(f"{unfit.message}.") from unfit


class _Search:
    """Reads a topic until its time is over."""

    def __init__(self, cluster: Cluster, wanted: Wanted, until: float) -> None:
        self._cluster = cluster
        self._wanted = wanted
        self._until = until
        self.is_complete = True

    def run(
        self, starts: Mapping[Partition, int], ends: Mapping[Partition, int], where: Whereabouts
    ) -> list[Found]:
        found: list[Found] = []
        try:
            for record in tail(self._cluster, starts, ends, self._until):
                if self._wanted.means(record):
                    first = starts[record.topic(), record.partition()]
                    found.append(found_in_topic(record, where, first))
                    if len(found) == store.MOST:
                        break
        except TimeoutError:
            self.is_complete = False
        return found


def _starts(
    spans: Mapping[Partition, Span], next_offsets: Mapping[int, int]
) -> dict[Partition, int]:
    """Where the persister goes on, within what is there."""
    return {
        (topic, number): min(max(span.start, next_offsets.get(number, 0)), span.end)
        for (topic, number), span in spans.items()
    }


def _with_place(found: Found, topic: str, spans: Mapping[Partition, Span]) -> Found:
    """Whether its record is in the topic still."""
    span = spans.get((topic, found.partition))
    is_within = span is not None and span.start <= found.offset < span.end
    return replace(found, in_topic=found.in_topic and is_within)
