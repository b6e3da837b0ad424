"""The relay: under load two sessions take turns, and batches are stored one after the other.

The transaction of a batch is begun while the one before it is copied, and it is copied while the
one before it commits. It moves the offsets, under its leases, when that one is known to be stored.
Where anything is other than usual the writer takes over, and stores one batch at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from grnry.sinks.batch import Batch
from grnry.sinks.passage import Passage
from grnry.sinks.verdict import OF_RECORDS, verdict_of
from grnry.sinks.writer import Writer


class Relay:
    """Sends batches on their way. Used by the writer's thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._copying: Passage | None = None
        self._landing: Passage | None = None
        self._unsettled: list[Batch] = []
        self._stored: list[Batch] = []

    def send(self, batch: Batch) -> None:
        """Store a batch after those that were sent before it. After an error it is sent again.

        It is on its way when this returns: `stored` tells when it is there, and `settle` waits for
        it. Raises the database's errors; nothing is on its way then.
        """
        passage = None
        try:
            self._store_unsettled()
            self._land()
            busy = self._copying.connection if self._copying else None
            passage = self._writer.begin(batch, busy)
            self._finish()
            if passage is None:
                self._land()
            else:
                passage.bring()
        except psycopg.Error as error:
            if passage is not None:
                passage.give_up()
                passage = None
            self._turn_back(error)
        if passage is None:
            self._stored.append(self._writer.write(batch))
        else:
            self._copying = passage

    def settle(self) -> None:
        """Wait until all that was sent is stored. Raises the database's errors, as `send`."""
        try:
            self._store_unsettled()
            self._land()
            self._finish()
            self._land()
        except psycopg.Error as error:
            self._turn_back(error)

    @property
    def is_settled(self) -> bool:
        return not (self._landing or self._copying or self._unsettled)

    def stored(self) -> list[Batch]:
        """What of the batches that were sent is stored since this was last asked."""
        stored, self._stored = self._stored, []
        return stored

    def _finish(self) -> None:
        """All lines are copied, so the next ones may be."""
        if self._copying is not None:
            passage, self._copying = self._copying, None
            with self._in_doubt(passage):
                passage.finish(self._writer.moved(passage.batch))
            self._landing = passage

    def _land(self) -> None:
        if self._landing is not None:
            passage, self._landing = self._landing, None
            with self._in_doubt(passage):
                passage.land()
            self._stored.append(passage.batch)

    @contextmanager
    def _in_doubt(self, passage: Passage) -> Iterator[None]:
        self._unsettled.append(passage.batch)
        try:
            yield
        except BaseException:
            passage.give_up()
            raise
        self._unsettled.pop()

    def _turn_back(self, error: psycopg.Error) -> None:
        """What is on its way is given up, as it would be in the way of what is to come before it.

        What the records are to blame for is stored carefully; other errors are raised again.
        """
        self._give_up()
        if verdict_of(error) not in OF_RECORDS:
            raise error
        self._store_unsettled()

    def _give_up(self) -> None:
        passages = [one for one in (self._landing, self._copying) if one is not None]
        self._landing = self._copying = None
        self._unsettled += [passage.batch for passage in passages]
        for passage in reversed(passages):
            passage.give_up()

    def _store_unsettled(self) -> None:
        """What was sent and has not arrived, as far as we know."""
        while self._unsettled:
            self._stored.append(self._writer.write(self._unsettled[0]))
            del self._unsettled[0]

    def break_off_waiting(self) -> None:
        """By any thread: a statement that waits for a lock fails."""
        self._writer.break_off_waiting()

    def disconnect(self) -> None:
        self._writer.disconnect()
        self._give_up()
