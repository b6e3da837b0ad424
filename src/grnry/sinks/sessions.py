"""A writer's sessions with its database: one that holds the leases, and a second one to overlap.

The second session copies a batch while the first one commits. It is opened when there is more to
write than one can, is known to the leases, and is done without where the server has no room for it:
half of its connections are left to those who cannot do without.
"""

import logging
import time
from collections.abc import Callable, Mapping

import psycopg
from psycopg.rows import dict_row

from grnry.database.connection import SESSION
from grnry.database.leases import Lease, LeaseLost, Leases, NoRoom, Partition
from grnry.sinks.target import Connection

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
WITHOUT_SECONDS = 60.0
"""How long it is done without a second session that could not be had."""

WRITING = f"{SESSION} -c synchronous_commit=on -c lock_timeout=5000"


class Sessions:
    """Used by one thread."""

    def __init__(self, url: str, deployment: str, leases: Leases) -> None:
        self._url = url
        self._deployment = deployment
        self._leases = leases
        self._first: Connection | None = None
        self._second: Connection | None = None
        self._without_until = 0.0

    @property
    def is_connected(self) -> bool:
        return self._first is not None and not self._first.closed

    @property
    def pids(self) -> list[int]:
        """Of the server's processes."""
        sessions = (self._first, self._second)
        return [one.info.backend_pid for one in sessions if one is not None and not one.closed]

    def first(self, make_ready: Callable[[Connection], None]) -> Connection:
        """The session that holds the leases; one that is opened is made ready before it is used."""
        if self._first is None or self._first.closed:
            self.close()
            self._first = self._ready(make_ready)
        return self._first

    def other(self, busy: Connection, held: Mapping[Partition, Lease]) -> Connection | None:
        """One that is not busy; none where there is none to be had."""
        if busy is not self._first:
            return self._first
        if self._second is None or self._second.closed:
            self._second = self._additional(held)
        return self._second

    def _additional(self, held: Mapping[Partition, Lease]) -> Connection | None:
        if time.monotonic() < self._without_until:
            return None
        try:
            return self._ready(lambda session: self._leases.add_session(session, held))
        except (psycopg.Error, LeaseLost, NoRoom) as error:
            logger.info("There is no second session to write by: %s", error)
            self._without_until = time.monotonic() + WITHOUT_SECONDS
            return None

    def _ready(self, make_ready: Callable[[Connection], None]) -> Connection:
        session = self.open(WRITING)
        # What is prepared later, among batches, would keep the memory around it from being given
        # back.
        session.prepare_threshold = 0
        try:
            make_ready(session)
        except BaseException:
            session.close()
            raise
        return session

    def open(self, options: str = SESSION) -> Connection:
        return psycopg.connect(
            self._url,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=CONNECT_SECONDS,
            application_name=self._deployment,
            options=options,
        )

    def close_second(self) -> None:
        if self._second is not None:
            self._second.close()
            self._second = None

    def close(self) -> None:
        self.close_second()
        if self._first is not None:
            self._first.close()
            self._first = None
