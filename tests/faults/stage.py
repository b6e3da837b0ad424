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

    @property
    def history(self) -> History:
        return self.house.history

    def some_seconds(self, most: float) -> float:
        return self.chance.uniform(0.3, min(most, self.longest))

    def lasting(self, name: str, what: str, seconds: float, undo: Callable[[], None]) -> str:
        """Note what ends a fault; answers what is said of it."""
        self._undo.append(Undo(time.monotonic() + seconds, what, name, undo))
        return f"for {seconds:.1f} s"

    def is_held(self, what: str) -> bool:
        return any(one.what == what for one in self._undo)

    def pause(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Let everybody work for so long, or until it is over; what is due ends meanwhile."""
        until, never = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < until and not is_over():
            self.end_due()
            never.wait(0.05)

    def end_due(self, *, all_of_them: bool = False) -> None:
        """End what has lasted its time."""
        now = time.monotonic()
        for one in [one for one in self._undo if all_of_them or one.at <= now]:
            self._undo.remove(one)
            one.do()
            self.history.say(f"  {one.name} ends")
