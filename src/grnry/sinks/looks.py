"""When a worker looks for dead letters that are to be replayed. Pure, but for the clock."""

import time

LOOK_SECONDS = 2.0
"""How often a worker looks which is connected to the database anyway."""

IDLE_LOOK_SECONDS = 15.0
"""How often one looks that has to connect for it."""

FAILED_SECONDS = 30.0
"""How long one waits that could not store what is queued."""


class Looks:
    """The time of the next look."""

    def __init__(self) -> None:
        self._next = time.monotonic()  # a worker that starts may find some

    def seconds(self, is_connected: bool) -> float:
        """How long to wait for other work, at most."""
        longer = 0 if is_connected else IDLE_LOOK_SECONDS - LOOK_SECONDS
        return max(0.001, self._next + longer - time.monotonic())

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._next

    def done(self, *, is_more: bool) -> None:
        """The next one is at once where there may be more."""
        self._next = time.monotonic() + (0 if is_more else LOOK_SECONDS)

    def failed(self, *, passes: bool) -> None:
        """`passes`: whether only time is needed, and nobody's help."""
        self._next = time.monotonic() + (LOOK_SECONDS if passes else FAILED_SECONDS)
