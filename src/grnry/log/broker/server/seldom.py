"""What clients can cause as often as they like is not told each time."""

import time


class Seldom:
    """Lets a few messages through in each interval, and counts those that it holds back."""

    def __init__(self, most: int = 10, seconds: float = 10.0) -> None:
        self._most = most
        self._seconds = seconds
        self._begin = 0.0
        self._told = 0
        self._untold = 0

    def due(self) -> int | None:
        """How many were held back before this one, or None where this one is, too."""
        now = time.monotonic()
        if now - self._begin >= self._seconds:
            self._begin, self._told = now, 0
        if self._told >= self._most:
            self._untold += 1
            return None
        self._told += 1
        untold, self._untold = self._untold, 0
        return untold
