"""The reaper: tells of events that have expired, and takes away what is past its end.

Reads: the event store, by time and by the end of what has one.
Writes: deletion events to the topics of event types; deletes rows of the event store, and of
tables in other databases that persisters write.

An event that is older than its type keeps them is told of by a deletion event on the type's topic,
so that belts hear of it; its persister then gives it its end, after a period of grace; past that it
is deleted. Each is told of once, and again when it has no end a day later: a persister that is
stopped does not make deletion events pile up. So how far we are is moved before we tell, and a
crash in between is mended by the next day's round.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.events.expiry import store
from grnry.events.expiry.ages import cutoff
from grnry.events.expiry.store import START, Expired, Kept, Place, Progress
from grnry.log.producer import Producer
from grnry.log.records import LogAway, Outgoing
from grnry.sinks import places

logger = logging.getLogger(__name__)

TOLD_AT_ONCE = 1000
AGAIN = timedelta(days=1)
MOST_FAILURES = 3

FIRST_DELETED, MOST_DELETED = 100, 2000
QUICK_SECONDS, SLOW_SECONDS = 0.02, 0.05
"""A batch of deletions is to hold its locks for less than a tenth of a second."""


@dataclass(slots=True)
class Counted:
    """What was done."""

    told: int = 0
    deleted: int = 0


class Reaper:
    """Goes through all event types once at each call."""

    def __init__(
        self, database: Database, producer: Producer, stopping: threading.Event | None = None
    ) -> None:
        self._database = database
        self._producer = producer
        self._stopping = stopping or threading.Event()
        self._batch = FIRST_DELETED
        self.counted = Counted()

    def reap(self, now: datetime | None = None) -> None:
        """Tell of what has expired, then take away what is past its end."""
        now = now or datetime.now(UTC)
        with self._database.transaction() as transaction:
            others = places.elsewhere(transaction)
            kept, former = store.event_types(transaction), store.former(transaction)
        failures = self._tell_of_all(kept, now)
        ms = int(now.timestamp() * 1000)
        self._delete(lambda transaction, limit: store.delete(transaction, ms, limit))
        for event_type in former:
            self._delete_of(event_type, now)
        for place in others:
            self._delete_elsewhere(place, ms)
        if failures:
            raise failures[0]

    # Telling ----------------------------------------------------------------------------------

    def _tell_of_all(self, kept: Sequence[Kept], now: datetime) -> list[LogAway]:
        """A topic that takes nothing keeps no other from being told; a log that is away does."""
        failures: list[LogAway] = []
        for event_type in kept:
            if self._stopping.is_set() or len(failures) == MOST_FAILURES:
                break
            try:
                self._tell(event_type, now)
            except LogAway as error:
                failures.append(error)
        return failures

    def _tell(self, kept: Kept, now: datetime) -> None:
        before = cutoff(now, kept.ttl)
        if before is None:
            return
        with self._database.transaction() as transaction:
            found = store.progress(transaction, kept.name, now + AGAIN)
        if found is None:
            return
        told = self.counted.told
        self._go_on(kept, before, found.reached, store.reach)
        if now >= found.again_at:
            self._go_through_again(kept, before, found, now)
        if self.counted.told > told:
            count = self.counted.told - told
            logger.info("%d events of %s have expired.", count, kept.name)

    def _go_through_again(self, kept: Kept, before: int, found: Progress, now: datetime) -> None:
        """What was reached a day ago, and has no end yet."""
        if found.again_until is not None:
            self._go_on(kept, before, found.again_reached, store.reach_again, found.again_until)
        if not self._stopping.is_set():
            with self._database.transaction() as transaction:
                store.end_round(transaction, kept.name, now + AGAIN)

    def _go_on(
        self,
        kept: Kept,
        before: int,
        reached: Place | None,
        reach: Callable[..., bool],
        until: Place | None = None,
    ) -> None:
        """Tell of all behind a place, batch by batch; up to another where there is one."""
        while not self._stopping.is_set():
            with self._database.transaction() as transaction:
                batch = store.expired(
                    transaction, kept.name, reached or START, before, TOLD_AT_ONCE
                )
                batch = [one for one in batch if until is None or one.place <= until]
                if not batch or not reach(transaction, kept.name, reached, batch[-1].place):
                    return
            try:
                self._send(kept, batch)
            except LogAway:
                with self._database.transaction() as transaction:
                    reach(transaction, kept.name, batch[-1].place, reached)
                raise
            reached = batch[-1].place

    def _send(self, kept: Kept, batch: Sequence[Expired]) -> None:
        records = [deletion_of(kept.name, one) for one in batch]
        outcome = self._producer.send_and_wait(kept.topic, records)
        if reasons := [reason for reason in outcome if reason is not None]:
            raise LogAway(
                f"{len(reasons)} of {len(records)} deletions of {kept.name} were not written:"
                f" {reasons[0]}."
            )
        self.counted.told += len(records)

    # Deleting ---------------------------------------------------------------------------------

    def _delete_of(self, former: Kept, now: datetime) -> None:
        """What is left of a deleted event type goes without a word: nobody reads its topic."""
        before = cutoff(now, former.ttl)
        if before is not None:
            self._delete(
                lambda transaction, limit: store.delete_of_former(
                    transaction, former.name, before, limit
                )
            )

    def _delete_elsewhere(self, place: places.Place, ms: int) -> None:
        """A database that does not answer keeps no other from being cleared."""
        table = (place.table_schema, place.table_name)
        try:
            self._delete(
                lambda transaction, limit: store.delete_elsewhere(transaction, table, ms, limit),
                place,
            )
        except places.NotThere as error:
            logger.warning("What is past its end there stays: %s", error.message)

    def _delete(
        self, delete: Callable[[Transaction, int], int], place: places.Place | None = None
    ) -> None:
        """In batches as large as are quickly done."""
        while not self._stopping.is_set():
            began = time.monotonic()
            with places.opened(self._database, place) as transaction:
                gone = delete(transaction, self._batch) if transaction is not None else 0
            took = time.monotonic() - began
            self.counted.deleted += gone
            if gone < self._batch:
                return
            self._batch = next_batch(self._batch, took)


def next_batch(size: int, seconds: float) -> int:
    """How many rows to delete next, by how long the last ones took."""
    if seconds > SLOW_SECONDS:
        return max(1, size // 2)
    return min(size * 2, MOST_DELETED) if seconds < QUICK_SECONDS else size


def deletion_of(event_type: str, expired: Expired) -> Outgoing:
    """The deletion event of one event, as its own persister and any belt understand it."""
    version = [] if expired.version is None else [("grnry-event-type-version", expired.version)]
    named: list[tuple[str, str | int]] = [
        ("grnry-correlation-id", expired.correlation_id),
        ("grnry-event-id", expired.event_id),
        ("grnry-event-type", event_type),
        *version,
        ("grnry-harvester-name", expired.harvester),
        ("grnry-event-timestamp", time.time_ns() // 1_000_000),
        ("grnry-deletion-flag", "true"),
        ("grnry-deletion-cause", "expiry"),
    ]
    body = {
        "correlationId": expired.correlation_id,
        "eventId": expired.event_id,
        "created": expired.created,
    }
    headers = [(name, _header(str(value))) for name, value in named]
    return Outgoing(expired.correlation_id.encode(), orjson.dumps(body), headers)


def _header(value: str) -> bytes:
    """A value that begins with a quote is quoted, as readers take it for quoted."""
    return orjson.dumps(value) if value.startswith('"') else value.encode()
