"""A time in which a live segment may leave no record out: where it stops is noted, and mended.

What is mended by a version of the schema that takes the record, or by letting records be left out
until the topic's end.
"""

import random
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx2
import psycopg
from confluent_kafka import KafkaException

from tests.faults.house import House
from tests.faults.judging import Place, Stop
from tests.faults.live_records import NEXT_GRADE
from tests.faults.load import ends

if TYPE_CHECKING:
    from tests.faults.live_segment import LiveSegmentCase

STOPPED = re.compile(
    r"Topic (\S+), partition (\d+), offset (\d+): (.+)\. Nothing after it is stored", re.DOTALL
)
"""Who stops without a word of where is never mended, and the run comes to no end."""
LATE_SECONDS, CATCH_UP_SECONDS, FINISH_SECONDS = 10.0, 20.0, 90.0
UNSURE = (
    psycopg.Error,
    httpx2.HTTPError,
    KafkaException,
    AssertionError,
    OSError,
    RuntimeError,  # a client that was closed, as the Granary is started again
)
"""What asking for something may come to while things are away."""


class NoneLeftOut:
    """Lasts until its end is wanted and something has stopped; a thread of its own."""

    def __init__(self, house: House, case: "LiveSegmentCase", chance: random.Random) -> None:
        self._house, self._case, self._chance = house, case, chance
        self._is_over, self._give_up = threading.Event(), threading.Event()
        self._late_since = 0.0
        self._mended: tuple[Place | None, float] = (None, 0.0)
        self._crash: Exception | None = None
        self._thread = threading.Thread(target=self._guarded, name="none left out")
        self._thread.start()

    @property
    def lasts(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        """Soon, and without waiting for it."""
        self._is_over.set()

    def finish(self) -> None:
        """Once all else is mended."""
        self.end()
        self._thread.join(FINISH_SECONDS)
        self._give_up.set()
        self._thread.join(FINISH_SECONDS)
        assert not self.lasts, "it cannot be told to leave records out again"
        if self._crash is not None:
            raise self._crash

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:
            self._crash = error

    def _run(self) -> None:
        self._insist(lambda: self._case.tolerate(self._house, yes=False))
        while not (self._give_up.is_set() or (self._is_over.is_set() and self._mended[0])):
            self._try(self._look)
            self._give_up.wait(0.3)
        if not self._case.tolerates:
            self._insist(lambda: self._case.tolerate(self._house, yes=True))

    def _try(self, do: Callable[[], object]) -> bool:
        try:
            do()
        except UNSURE:
            return False
        return True

    def _insist(self, do: Callable[[], object]) -> None:
        until = time.monotonic() + 2 * FINISH_SECONDS
        while not self._try(do) and time.monotonic() < until:
            self._give_up.wait(0.3)

    def _look(self) -> None:
        state = self._case.state(self._house)
        told = STOPPED.search(state.get("message", ""))
        is_named = told is not None and told[1] == self._case.topic
        if told is None or not is_named or state["status"] != "FAILED" or "outdated" in state:
            self._late_since = 0.0
            return
        stop = self._observed((int(told[2]), int(told[3])), told[4])
        if self._is_another_start_at_it(stop):
            return
        if stop.place != self._mended[0]:  # else its mending has failed
            self._house.history.say(f"  stopped at {stop.place}: {stop.reason[:100]}")
            self._case.stops.append(stop)
            self._mended = (stop.place, float("-inf"))
        self._mend(stop)
        self._mended = (stop.place, time.monotonic())

    def _is_another_start_at_it(self, stop: Stop) -> bool:
        """What is told may be of a start before, whose stop is passed. Not for long, though."""
        place, at = self._mended
        is_told_late = stop.place == place and time.monotonic() < at + LATE_SECONDS
        if stop.next_offset == stop.place[1] and not is_told_late:
            self._late_since = 0.0
            return False
        self._late_since = self._late_since or time.monotonic()
        return time.monotonic() < self._late_since + LATE_SECONDS

    def _observed(self, place: Place, reason: str) -> Stop:
        """With all that is stored at the same moment."""
        case = self._case
        with self._house.connect(autocommit=False) as connection:
            connection.execute(b"set transaction isolation level repeatable read")
            connection.execute(b"set local lock_timeout = 5000")
            lease = connection.execute(
                b"select next_offset from grnry.leases where deployment = %s and partition = %s",
                [case.deployment, place[0]],
            ).fetchone()
            rows = connection.execute(f"select number from {case.table}".encode()).fetchall()
            letters = connection.execute(
                b"select partition, record_offset from grnry.dead_letters where deployment = %s",
                [case.deployment],
            ).fetchall()
        return Stop(
            place,
            reason,
            None if lease is None else lease["next_offset"],
            frozenset(row["number"] - 1 for row in rows),
            frozenset((row["partition"], row["record_offset"]) for row in letters),
        )

    def _mend(self, stop: Stop) -> None:
        case, house = self._case, self._house
        is_early = NEXT_GRADE in stop.reason and self._chance.random() < 0.7
        if is_early and case.version < case.evolve(house):
            case.act(house, "RESTART")
            return
        case.tolerate(house, yes=True)
        wanted, until = ends(house.bootstrap, case.topic), time.monotonic() + CATCH_UP_SECONDS
        while time.monotonic() < until and not self._is_over.wait(0.3):
            found = house.leases(case.deployment)
            if all(found.get(partition, 0) >= end for partition, end in wanted.items()):
                break
        if not self._is_over.is_set():
            case.tolerate(house, yes=False)
