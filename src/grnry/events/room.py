"""Room: how many bytes of events may be in hand at once, of all requests together.

What finds no room is refused, and sent again later; a body that is read while it comes waits for
room first, which holds its sender up.
"""

import asyncio

from grnry.errors import ServiceAway

PATIENCE_SECONDS = 5.0


class NoRoom(ServiceAway):
    """More events are in hand than memory is granted for. Try again."""


class Room:
    """Used from one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._freed = asyncio.Event()

    @property
    def used(self) -> int:
        return self._used

    def take(self, size: int) -> None:
        """Raises NoRoom where there is none. What is larger than all of it fits alone."""
        if self._used and self._used + size > self._most:
            raise NoRoom
        self._used += size

    async def wait_and_take(self, size: int, seconds: float = PATIENCE_SECONDS) -> None:
        """The same, after a while in which there may be."""
        try:
            async with asyncio.timeout(seconds):
                while self._used and self._used + size > self._most:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            raise NoRoom from None
        self._used += size

    def give_back(self, size: int) -> None:
        self._used -= size
        self._freed.set()
