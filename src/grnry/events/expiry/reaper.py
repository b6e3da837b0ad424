"""The reaper: tells of events that have expired, and takes away what is past its end.

Reads: the event store, by time and by the end of what has one; tables of projects and of other
databases that persisters write instead of it, the same way.
Writes: deletion events to the topics of event types; deletes rows of all these tables.

An event that is older than its type keeps them is told of by a deletion event on the type's topic,
so that belts hear of it; its persister then gives it its end, after a period of grace; past that it
is deleted. The platform's own table comes first, and each other has its time: one that is slow, or
away, keeps no other waiting for long.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from grnry.database.address import Place
from grnry.database.pool import Database
from grnry.events.expiry import store
from grnry.events.expiry.ages import cutoff
from grnry.events.expiry.shelves import PLATFORM_ROWS, Shelf, time_until
from grnry.events.expiry.store import Kept
from grnry.events.expiry.telling import Teller
from grnry.log.producer import Producer
from grnry.log.records import LogAway
from grnry.persisters.apart import Apart, all_apart
from grnry.sinks.places import NoAnswer, NotThere

logger = logging.getLogger(__name__)

MOST_FAILURES = 3
SECONDS_APART = 30.0
"""How long a table that is not the platform's is worked at before the others have their turn."""

FIRST_DELETED, MOST_DELETED = 100, 2000
QUICK_SECONDS, SLOW_SECONDS = 0.02, 0.05
"""A batch of deletions is to hold its locks for less than a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was done."""

    told: int
    deleted: int


class Reaper:
    """Goes through all event types once at each call."""

    def __init__(
        self,
        database: Database,
        producer: Producer,
        own: Place,
        stopping: threading.Event | None = None,
    ) -> None:
        """`own` is where the platform's database is: a persister that names it names nothing."""
        self._database = database
        self._own = own
        self._stopping = stopping or threading.Event()
        self._teller = Teller(database, producer)
        self._deleted = 0
        self._failures: list[LogAway] = []

    @property
    def counted(self) -> Counted:
        return Counted(self._teller.told, self._deleted)

    def reap(self, now: datetime | None = None) -> None:
        """Tell of what has expired, then take away what is past its end; then so elsewhere."""
        now = now or datetime.now(UTC)
        self._failures = []
        with self._database.transaction() as transaction:
            kept, former = store.event_types(transaction), store.former(transaction)
            apart = all_apart(transaction, self._own)
        self._reap_here(kept, former, {one.event_type: one.grace for one in apart}, now)
        self._reap_apart(apart, {one.name: one for one in kept}, now)
        if self._failures:
            raise self._failures[0]

    def _reap_here(
        self, kept: Sequence[Kept], former: Sequence[Kept], graces: Mapping[str, str], now: datetime
    ) -> None:
        here = Shelf("", PLATFORM_ROWS, self._database.transaction, self._goes_on)
        for event_type in kept:
            self._tell(event_type, replace(here, grace=graces.get(event_type.name, "")), now)
        self._delete(here, now)
        for event_type in former:
            self._delete_of(event_type, now)

    def _reap_apart(self, apart: Sequence[Apart], kept: Mapping[str, Kept], now: datetime) -> None:
        """A table or a database that does not answer keeps no other from being cleared."""
        away: set[str] = set()
        for one in sorted(apart, key=lambda one: bool(one.address)):
            if not self._goes_on() or not one.can_be_visited or one.address in away:
                continue
            try:
                with one.visited(self._database) as begin:
                    time_left = time_until(self._stopping, SECONDS_APART)
                    shelf = Shelf(one.name, one.rows, begin, time_left)
                    if one.event_type in kept:
                        self._tell(kept[one.event_type], shelf, now)
                    self._delete(shelf, now)
            except NotThere as error:
                logger.warning("What has expired in %s stays: %s", one.name, error.message)
                if isinstance(error, NoAnswer):
                    away.add(one.address)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set()

    def _tell(self, kept: Kept, shelf: Shelf, now: datetime) -> None:
        """A topic that takes nothing keeps no other from being told; a log that is away does."""
        if not self._goes_on() or len(self._failures) == MOST_FAILURES:
            return
        try:
            self._teller.tell(kept, shelf, now)
        except LogAway as error:
            self._failures.append(error)

    # Deleting ---------------------------------------------------------------------------------

    def _delete_of(self, former: Kept, now: datetime) -> None:
        """What is left of a deleted event type goes without a word: nobody reads its topic."""
        before = cutoff(now, former.ttl)
        if before is None:
            return

        def delete(limit: int) -> tuple[int, float]:
            with self._database.transaction() as transaction:
                return store.delete_of_former(transaction, former.name, before, limit)

        self._delete_all(delete, self._goes_on)

    def _delete(self, shelf: Shelf, now: datetime) -> None:
        """What is past its end."""
        ms = int(now.timestamp() * 1000)

        def delete(limit: int) -> tuple[int, float]:
            with shelf.begin() as transaction:
                if transaction is None:
                    return 0, 0.0
                return store.delete(transaction, shelf.rows, ms, limit)

        self._delete_all(delete, shelf.has_time)

    def _delete_all(
        self, delete: Callable[[int], tuple[int, float]], goes_on: Callable[[], bool]
    ) -> None:
        """In batches as large as are quickly done."""
        batch = FIRST_DELETED
        while goes_on():
            gone, seconds = delete(batch)
            self._deleted += gone
            if gone < batch:
                return
            batch = next_batch(batch, seconds)


def next_batch(size: int, seconds: float) -> int:
    """How many rows to delete next, by how long the last ones took."""
    if seconds > SLOW_SECONDS:
        return max(1, size // 2)
    return min(size * 2, MOST_DELETED) if seconds < QUICK_SECONDS else size
