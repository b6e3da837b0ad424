"""Failed logins wait: longer with each failure, per user and address, and per address.

Counts are kept in this process, for the moment that an attack lasts; they are bounded, and are
lost with a restart.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from grnry.errors import TooManyRequests

FORGET_SECONDS = 900
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures are free, and how long the wait grows after them."""

    free: int
    longest: float

    def wait(self, failures: int) -> float:
        over = failures - self.free
        return 0.0 if over < 0 else min(self.longest, 2.0 ** min(over, 16))


# Behind a proxy many users share one address, so an address alone waits late and shortly.
OF_USER = Patience(free=5, longest=60)
OF_ADDRESS = Patience(free=50, longest=5)

Key = tuple[str, ...]


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class Slowdown:
    """Remembers failures and refuses who has to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[Key, _Failures] = {}
        self._lock = threading.Lock()

    def check(self, username: str, address: str) -> None:
        """Raise `TooManyRequests` while they have to wait."""
        with self._lock:
            wait = max(
                self._left(key, patience) for key, patience in _keys(username, address).items()
            )
        if wait > 0:
            seconds = math.ceil(wait)
            raise TooManyRequests(
                f"Too many failed logins. Try again in {seconds} seconds.", seconds
            )

    def failed(self, username: str, address: str) -> None:
        with self._lock:
            now = self._clock()
            for key in _keys(username, address):
                known = self._failures.pop(key, None)
                old = known.count if known and now - known.last < FORGET_SECONDS else 0
                self._failures[key] = _Failures(old + 1, now)
            while len(self._failures) > REMEMBERED:
                del self._failures[next(iter(self._failures))]

    def succeeded(self, username: str, address: str) -> None:
        with self._lock:
            self._failures.pop(_user_key(username, address), None)

    def _left(self, key: Key, patience: Patience) -> float:
        known = self._failures.get(key)
        if known is None:
            return 0.0
        return known.last + patience.wait(known.count) - self._clock()


def _user_key(username: str, address: str) -> Key:
    return (username.lower(), address)


def _keys(username: str, address: str) -> dict[Key, Patience]:
    return {_user_key(username, address): OF_USER, (address,): OF_ADDRESS}
