"""What a worker says of itself: whether it consumes, and what keeps it from doing so."""

import threading
import time
from dataclasses import dataclass

PATIENCE_SECONDS = 10.0
"""How long trouble may last before a worker that runs is called failed."""

STUCK_SECONDS = 120.0
"""How long one step may take; then nothing answers any more that could break it off."""


@dataclass(frozen=True, slots=True)
class Report:
    """A worker's own word."""

    state: str
    message: str = ""
    retrying: bool = False


class Status:
    """Written by the worker's threads, read by whoever reports it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_consuming = False
        self._troubles: dict[str, tuple[float, str]] = {}
        self._failures: dict[str, Report] = {}
        self._at_work_since = 0.0
        self.changed = threading.Event()
        self.rows = 0
        self.dead = 0
        self.replayed = 0

    def at_work(self, *, yes: bool) -> None:
        """A step that may be stuck begins, or one is done and the next begins, or all are."""
        self._at_work_since = time.monotonic() if yes else 0.0

    def is_stuck(self) -> str:
        since = self._at_work_since
        if since and time.monotonic() - since > STUCK_SECONDS:
            return f"the database has neither answered nor refused for {STUCK_SECONDS:.0f} s"
        return ""

    def consuming(self, *, yes: bool) -> None:
        with self._lock:
            is_new = self._is_consuming != yes
            self._is_consuming = yes
        if is_new:
            self.changed.set()

    def trouble(self, where: str, message: str) -> None:
        """Something is away; `clear` says that it is back."""
        with self._lock:
            since, _ = self._troubles.get(where, (time.monotonic(), ""))
            self._troubles[where] = (since, message)

    def clear(self, where: str) -> None:
        with self._lock:
            was_there = self._troubles.pop(where, None)
            had_failed = self._failures.pop(where, None)
        if was_there or had_failed:
            self.changed.set()

    def fail(self, where: str, message: str, *, retrying: bool) -> None:
        """It does not go on, or only after a long while; `clear` of the same place ends that."""
        with self._lock:
            self._failures[where] = Report("FAILED", message, retrying)
        self.changed.set()

    def report(self) -> Report:
        with self._lock:
            for failure in self._failures.values():
                return failure
            late = time.monotonic() - PATIENCE_SECONDS
            for where, (since, message) in self._troubles.items():
                if since < late or not self._is_consuming:
                    state = "FAILED" if since < late else "DEPLOYING"
                    return Report(state, f"{where}: {message}", retrying=True)
            return Report("RUNNING" if self._is_consuming else "DEPLOYING")
