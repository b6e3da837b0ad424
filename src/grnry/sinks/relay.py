"""The relay: under load two sessions take turns, and batches are committed one after the other.

A batch is copied while the one before it is, or while that one commits. It moves the offsets, under
its leases, when that one is known to be stored. Where anything is other than usual the writer takes
over, and stores one batch at a time.
"""

import time
from collections import deque
from collections.abc import Callable

import psycopg

from grnry.sinks.batch import Batch
from grnry.sinks.lanes import Lanes
from grnry.sinks.passage import GaveWay, Passage
from grnry.sinks.verdict import OF_RECORDS, verdict_of
from grnry.sinks.writer import Writer

SESSIONS = 2
IN_FILE_SECONDS = 60.0
"""How long no batch is copied beside another, after two had keys in common."""


class Relay:
    """Sends batches on their way. Used by the writer's thread.

    `tell` is called by another one when a batch has arrived, or will not: it is time to `receive`.
    """

    def __init__(self, writer: Writer, tell: Callable[[], None] = lambda: None) -> None:
        self._writer = writer
        self._tell = tell
        self._lanes = Lanes(SESSIONS)
        self._on_way: deque[Passage] = deque()
        self._unsettled: list[Batch] = []
        self._stored: list[Batch] = []
        self._in_file_until = 0.0

    def send(self, batch: Batch, *, is_followed: bool = True) -> None:
        """Store a batch after those that were sent before it. After an error it is sent again.

        It is on its way when this returns, where one is to follow: `stored` tells when it is there,
        and `settle` waits for it. Raises the database's errors; nothing is on its way then.
        """
        self._store_unsettled()
        self._receive(SESSIONS - 1)
        passage = self._begin(batch)
        if passage is None:
            self.settle()
            self._stored.append(self._writer.write(batch))
        elif self._on_way or is_followed:
            self._start(passage)
        else:
            passage.go()
            self._on_way.append(passage)
            self._receive(0)

    def settle(self) -> None:
        """Wait until all that was sent is stored. Raises the database's errors, as `send`."""
        self._store_unsettled()
        self._receive(0)

    def receive(self) -> None:
        """See to what has arrived, or will not. Raises the database's errors, as `send`."""
        self._store_unsettled()
        self._receive(SESSIONS)

    @property
    def is_settled(self) -> bool:
        return not (self._on_way or self._unsettled)

    def stored(self) -> list[Batch]:
        """What of the batches that were sent is stored since this was last asked."""
        stored, self._stored = self._stored, []
        return stored

    def _begin(self, batch: Batch) -> Passage | None:
        busy = self._on_way[-1].connection if self._on_way else None
        try:
            return self._writer.begin(batch, busy)
        except psycopg.Error:
            self._abandon()
            raise

    def _start(self, passage: Passage) -> None:
        before = self._on_way[-1] if self._on_way else None
        in_file = time.monotonic() < self._in_file_until

        def go() -> None:
            try:
                passage.go(before, in_file=in_file)
            finally:
                self._tell()

        self._lanes.go(go)
        self._on_way.append(passage)

    def _receive(self, most: int) -> None:
        """What is over, and more until only so many are on their way."""
        while self._on_way and (len(self._on_way) > most or self._on_way[0].is_over):
            self._on_way[0].wait()
            if self._on_way[0].error is None:
                self._stored.append(self._on_way.popleft().batch)
            else:
                self._turn_back(self._on_way[0].error)

    def _turn_back(self, error: BaseException) -> None:
        """What is on its way gives way to what is to come before it.

        What the records are to blame for is stored carefully; other errors are raised again.
        """
        self._abandon()
        if isinstance(error, GaveWay | psycopg.errors.DeadlockDetected):
            self._in_file_until = time.monotonic() + IN_FILE_SECONDS
        elif not isinstance(error, psycopg.Error) or verdict_of(error) not in OF_RECORDS:
            raise error
        self._store_unsettled()

    def _abandon(self) -> None:
        """Wait for all that is on its way: what follows on an error is one itself."""
        for passage in self._on_way:
            passage.wait()
            if passage.error is None:
                self._stored.append(passage.batch)
            else:
                self._unsettled.append(passage.batch)
        self._on_way.clear()

    def _store_unsettled(self) -> None:
        """What was sent and has not arrived, as far as we know."""
        while self._unsettled:
            self._stored.append(self._writer.write(self._unsettled[0]))
            del self._unsettled[0]

    def break_off_waiting(self) -> None:
        """By any thread: a statement that waits for a lock fails."""
        self._writer.break_off_waiting()

    def disconnect(self) -> None:
        self._abandon()
        self._lanes.end()
        self._writer.disconnect()
