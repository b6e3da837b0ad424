"""How long dead letters are kept, and what is said before they are dropped.

Each is marked when it is to be dropped soon, which is counted and logged, and dropped only a notice
after that: what is overdue after a long stop is said first as well.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.dead_letters import store
from grnry.dead_letters.model import OPEN
from grnry.sinks import places

logger = logging.getLogger(__name__)

AT_ONCE = 1000
LONGEST_NOTICE = timedelta(days=7)

Found = list[tuple[str, str]]
"""The deployment and state of each."""


class Retention:
    """Warns and drops, at each call."""

    def __init__(
        self, database: Database, days: int, stopping: threading.Event | None = None
    ) -> None:
        self._database = database
        self._kept = timedelta(days=days)
        self._notice = min(LONGEST_NOTICE, self._kept / 2)
        self._stopping = stopping or threading.Event()
        self.dropped = 0
        self.warned = 0

    def keep(self, now: datetime | None = None) -> None:
        """Drop what has been warned of for long enough; warn of what is next."""
        now = now or datetime.now(UTC)
        self._keep(now, None)
        with self._database.transaction() as transaction:
            others = places.elsewhere(transaction)
        for place in others:
            try:
                self._keep(now, place)
            except places.NotThere as error:
                logger.warning("Its old dead letters are dropped later: %s", error.message)

    def _keep(self, now: datetime, place: places.Place | None) -> None:
        """In the platform's database; or what is ours in another."""
        only = place.name if place else None
        dropped = self._all(
            place,
            lambda transaction: store.expire(
                transaction, only, now - self._kept, now - self._notice, AT_ONCE
            ),
        )
        warned = self._all(
            place,
            lambda transaction: store.warn(
                transaction, only, now - self._kept + self._notice, now, AT_ONCE
            ),
        )
        self.dropped += dropped.total()
        self.warned += warned.total()
        for deployment, count in sorted(dropped.items()):
            logger.warning(
                "Dropped %d dead letters of %s, %d days old and never replayed.",
                count,
                place.deployment if place else deployment,
                self._kept.days,
            )
        for deployment, count in sorted(warned.items()):
            logger.warning(
                "%d dead letters of %s will be dropped from %s on. See them with"
                " `grnry dlq show %s`; replay them, or keep all longer by GRNRY_DEAD_LETTER_DAYS.",
                count,
                place.deployment if place else deployment,
                f"{now + self._notice:%Y-%m-%d %H:%M} UTC",
                place.deployment if place else deployment,
            )

    def _all(
        self, place: places.Place | None, some: Callable[[Transaction], Found]
    ) -> "Counter[str]":
        """Batch by batch until there is none left; how many of each deployment were open."""
        counted: Counter[str] = Counter()
        while not self._stopping.is_set():
            with places.opened(self._database, place) as transaction:
                found = some(transaction) if transaction is not None else []
            counted.update(deployment for deployment, state in found if state in OPEN)
            if len(found) < AT_ONCE:
                break
        return counted
