"""Notices that a topic was deleted and made again while it is read.

Its offsets begin anew then: going on where the old one was left would pass over what the new one
has. Whoever notices ends, and begins anew from the new one's beginning; what it has stored of it
already is dropped by its key.
"""

import logging
import threading
import time
from collections.abc import Callable

from grnry.errors import GranaryError
from grnry.log.records import LogAway

logger = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""How long what was stored may be of a topic that nobody has looked at since."""

IDLE_SECONDS = 60.0
AGAIN_SECONDS = 1.0


class TopicMadeAgain(GranaryError):  # noqa: N818 - errors are named for what happened
    """The topic was deleted and made again. It is read from its beginning."""


class TopicWatch:
    """Knows which topic is read. Used by the writer's thread."""

    def __init__(self, ask: Callable[[], str | None]) -> None:
        self._ask = ask
        self._id: str | None = None
        self._due = float("inf")

    def begin(self, stop: threading.Event) -> str | None:
        """The topic from which partitions are to be read from now on; waits for who can tell."""
        while not stop.is_set():
            try:
                self._look()
            except LogAway:
                stop.wait(AGAIN_SECONDS)
            else:
                break
        return self._id

    def stored(self) -> None:
        """Something was stored since, so it is looked at soon."""
        self._due = min(self._due, time.monotonic() + BUSY_SECONDS)

    def expect_the_same(self, *, at_once: bool = False) -> None:
        """Raise TopicMadeAgain where it is another one by now; looked at when it is time to."""
        if not at_once and time.monotonic() < self._due:
            return
        try:
            self._look()
        except LogAway:
            self._due = time.monotonic() + BUSY_SECONDS

    def _look(self) -> None:
        found = self._ask()
        self._due = time.monotonic() + IDLE_SECONDS
        if found is None:  # it is deleted, or brokers have not heard of it yet
            self._due = time.monotonic() + BUSY_SECONDS
        elif self._id in (None, found):
            self._id = found
        else:
            logger.error("%s", TopicMadeAgain.__doc__)
            raise TopicMadeAgain
