"""The watchdog: ends sessions of projects that go beyond their limits.

A role can lift every time-out that was set for it. What it cannot do is keep its session: one that
holds a transaction open holds back the vacuum of the whole database, and the locks that a migration
or the deletion of an event type waits for.
"""

import logging
import threading

from grnry.database.pool import Database
from grnry.database.queries import load
from grnry.errors import ServiceAway
from grnry.projects.database_space import LIMITS, PREFIX, Limits

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0


class Watchdog:
    """Looks every few seconds. Several of them, one in each API process, do no harm."""

    def __init__(self, database: Database, limits: Limits = LIMITS) -> None:
        self._database = database
        self._limits = limits
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look()
            except ServiceAway:
                continue
            except Exception:
                logger.exception("The sessions of projects could not be looked at.")

    def look(self) -> int:
        """Look once; answers how many sessions were ended."""
        with self._database.transaction() as transaction:
            ended = transaction.rows(
                load("grnry.projects", "database_space.sql").end_overdue,
                prefix=PREFIX,
                transaction=self._limits.transaction_seconds,
                # Its own time-out comes first, where it has not lifted it.
                idle_in_transaction=self._limits.idle_in_transaction_seconds * 2,
            )
        for row in ended:
            logger.warning(
                "Ended a session of %s (%s): it kept its transaction open beyond the limit.",
                row["role"],
                row["state"],
            )
        return len(ended)
