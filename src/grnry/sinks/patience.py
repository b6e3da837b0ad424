"""What a writer tries until it is done, for as long as the database is away or refuses it."""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg

from grnry.sinks.pace import Pace
from grnry.sinks.relay import Relay
from grnry.sinks.status import Status
from grnry.sinks.verdict import STANDS, Verdict, verdict_of

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
REFUSED_PAUSE = 1.0
TABLE_PAUSE = 60.0

FINISH_SECONDS = 0.2
"""How long a batch may take that is in hand, until it is asked whether it waits for a lock."""


class Stopped(Exception):  # noqa: N818 - a signal between our own frames
    """The writer was told to stop while it waited."""


class Patience:
    """Says what is wrong, and waits between tries until one of them ends well.

    It ends with `stop`: what can be stored then still is; what cannot is read again at the next
    start, and nobody waits for it.
    """

    def __init__(self, relay: Relay, status: Status, pace: Pace, stop: threading.Event) -> None:
        self._relay = relay
        self._status = status
        self._pace = pace
        self._stop = stop

    def persist(self, attempt: Callable[[], Answer]) -> Answer:
        """Try until it is done; what only time mends is waited for."""
        pause, refusals = SHORTEST_PAUSE, 0
        while True:
            try:
                answer = attempt()
            except psycopg.Error as error:
                refusals = refusals + 1 if verdict_of(error) is Verdict.PASSING else 0
                pause = self._wait(error, pause, refusals)
            else:
                self._status.clear("database")
                return answer

    def await_end(self, thread: threading.Thread) -> None:
        """Wait for the thread that stores, after `stop`; whatever waits for a lock is broken off.

        Its lock may be given to it in an hour, or never.
        """
        thread.join(FINISH_SECONDS)
        while thread.is_alive():
            with contextlib.suppress(psycopg.Error):  # the server's, which ends the waiting as well
                self._relay.break_off_waiting()
            thread.join(FINISH_SECONDS)

    def _wait(self, error: psycopg.Error, pause: float, refusals: int) -> float:
        """Say what is wrong and wait; answers the next pause."""
        verdict, said = verdict_of(error), str(error).strip().splitlines()[0]
        if self._stop.is_set():
            logger.info("Stopped with a batch in hand, which is read again: %s", said)
            raise Stopped
        if verdict in STANDS:
            told = f"{STANDS[verdict]}: {said}"
            pause = TABLE_PAUSE if verdict is Verdict.TABLE else max(pause, REFUSED_PAUSE)
            logger.error("Again in %.0f s. %s", pause, told)
            self._status.fail("database", told, retrying=True)
        elif verdict is Verdict.PASSING and self._pace.most_retries is not None:
            pause = max(pause, self._pace.retry_seconds)
            logger.warning("Try %d, again in %.1f s: %s", refusals, pause, said)
            if refusals > self._pace.most_retries:
                told = f"The database has refused a batch {refusals} times: {said}"
                self._status.fail("database", told, retrying=True)
        elif verdict in (Verdict.AWAY, Verdict.PASSING):
            logger.warning("Trying again in %.1f s: %s", pause, said)
            self._status.trouble("database", said)
        else:
            raise error
        if verdict is not Verdict.PASSING:
            self._relay.disconnect()
        self._status.at_work(yes=False)
        if self._stop.wait(pause):
            raise Stopped
        self._status.at_work(yes=True)
        return min(pause * 2, TABLE_PAUSE if verdict is Verdict.REFUSED else LONGEST_PAUSE)
