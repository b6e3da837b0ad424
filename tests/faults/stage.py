"""Where faults happen: the house, the engine and its load, and what is to be undone when."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.engines import Case
from tests.faults.history import History
from tests.faults.house import House
from tests.faults.load import Load


class NotNowError(Exception):
    """A fault finds nothing that it could be done to at the moment."""


@dataclass(frozen=True, slots=True)
class Undo:
    """The end of a fault that lasts."""

    at: float
    what: str
    """The thing that it has in its hands; no two faults have the same."""
    name: str
    do: Callable[[], None]


class Stage:
    """One Granary at work."""

    def __init__(self, house: House, case: Case, load: Load, chance: random.Random) -> None:
        self.house, self.case, self.load, self.chance = house, case, load, chance
        self.longest = 60.0
        """Seconds that a lasting fault may take."""
        self._undo: list[Undo] = []
        self.crash: Exception | None = None
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        # By itself, as what is done next may wait for the end of what was done before.
        self._ender = threading.Thread(target=self._end_in_time, name="ender")
        self._ender.start()

    @property
    def history(self) -> History:
        return self.house.history

    def some_seconds(self, most: float) -> float:
        return self.chance.uniform(0.3, min(most, self.longest))

    def lasting(self, name: str, what: str, seconds: float, undo: Callable[[], None]) -> str:
        """Note what ends a fault; answers what is said of it."""
        with self._lock:
            self._undo.append(Undo(time.monotonic() + seconds, what, name, undo))
        return f"for {seconds:.1f} s"

    def is_held(self, what: str) -> bool:
        with self._lock:
            return any(one.what == what for one in self._undo)

    def pause(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Let everybody work for so long, or until it is over."""
        until, never = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < until and not is_over():
            never.wait(0.05)

    def _end_in_time(self) -> None:
        while not self._is_over.wait(0.05):
            self._end(time.monotonic())

    def end_all(self) -> None:
        """Whether it is time or not."""
        self._end(float("inf"))

    def _end(self, until: float) -> None:
        with self._lock:
            for one in [one for one in self._undo if one.at <= until]:
                self._undo.remove(one)
                try:
                    one.do()
                except Exception as error:
                    self.history.say(f"  {one.name} does not end: {error}")
                    self.crash = error
                else:
                    self.history.say(f"  {one.name} ends")

    def close(self) -> None:
        """Raises what has kept a fault from its end."""
        self._is_over.set()
        self._ender.join()
        self.end_all()
        if self.crash is not None:
            raise self.crash
