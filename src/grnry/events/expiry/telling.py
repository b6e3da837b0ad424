"""Telling of events that have expired: a deletion event for each, on the topic of its type.

Each is told of once, and again when it has no end a day later: a persister that is stopped does not
make deletion events pile up. So how far we are is moved before we tell, and a crash in between is
mended by the next day's round.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import orjson

from grnry.database.pool import Database
from grnry.events.expiry import store
from grnry.events.expiry.ages import cutoff
from grnry.events.expiry.shelves import Shelf
from grnry.events.expiry.store import START, Expired, Kept, Place, Progress
from grnry.log.producer import Producer
from grnry.log.records import LogAway, Outgoing

logger = logging.getLogger(__name__)

TOLD_AT_ONCE = 1000
AGAIN = timedelta(days=1)


class Teller:
    """Tells of what has expired, table by table."""

    def __init__(self, database: Database, producer: Producer) -> None:
        self._database = database
        self._producer = producer
        self.told = 0

    def tell(self, kept: Kept, shelf: Shelf, now: datetime) -> None:
        """Of one type's events in one table. Raises LogAway where the topic does not take it."""
        before = cutoff(now, kept.ttl)
        if before is None:
            return
        with self._database.transaction() as transaction:
            found = store.progress(transaction, kept.name, shelf.name, now + AGAIN)
        if found is None:
            return
        told = self.told
        self._go_on(kept, shelf, before, found.reached, store.reach)
        if now >= found.again_at:
            self._go_through_again(kept, shelf, before, found, now)
        if self.told > told:
            where = f" in {shelf.name}" if shelf.name else ""
            logger.info("%d events of %s%s have expired.", self.told - told, kept.name, where)

    def _go_through_again(
        self, kept: Kept, shelf: Shelf, before: int, found: Progress, now: datetime
    ) -> None:
        """What was reached a day ago, and has no end yet."""
        if found.again_until is not None:
            again, until = found.again_reached, found.again_until
            self._go_on(kept, shelf, before, again, store.reach_again, until)
        if shelf.has_time():
            with self._database.transaction() as transaction:
                store.end_round(transaction, kept.name, shelf.name, now + AGAIN)

    def _go_on(
        self,
        kept: Kept,
        shelf: Shelf,
        before: int,
        reached: Place | None,
        reach: Callable[..., bool],
        until: Place | None = None,
    ) -> None:
        """Tell of all behind a place, batch by batch; up to another where there is one."""
        while shelf.has_time():
            batch = _read(kept, shelf, reached, before, until)
            if not batch:
                return
            place = batch[-1].place
            with self._database.transaction() as transaction:
                if not reach(transaction, kept.name, shelf.name, reached, place):
                    return
            try:
                self._send(kept, batch)
            except LogAway:
                with self._database.transaction() as transaction:
                    reach(transaction, kept.name, shelf.name, place, reached)
                raise
            self._end(kept, shelf, batch)
            reached = place

    def _send(self, kept: Kept, batch: Sequence[Expired]) -> None:
        records = [deletion_of(kept.name, one) for one in batch]
        outcome = self._producer.send_and_wait(kept.topic, records)
        if reasons := [reason for reason in outcome if reason is not None]:
            raise LogAway(
                f"{len(reasons)} of {len(records)} deletions of {kept.name} were not written:"
                f" {reasons[0]}."
            )
        self.told += len(records)

    def _end(self, kept: Kept, shelf: Shelf, batch: Sequence[Expired]) -> None:
        """Where the persister writes another table now, nobody else gives them their end."""
        if shelf.grace:
            with self._database.transaction() as transaction:
                store.end(transaction, shelf.rows, kept.name, batch, shelf.grace)


def _read(
    kept: Kept, shelf: Shelf, reached: Place | None, before: int, until: Place | None
) -> list[Expired]:
    with shelf.begin() as transaction:
        if transaction is None:
            return []
        after = reached or START
        found = store.expired(transaction, shelf.rows, kept.name, after, before, TOLD_AT_ONCE)
    return [one for one in found if until is None or one.place <= until]


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
