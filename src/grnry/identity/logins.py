"""Password logins wait for their turn here, outside the threads that all requests share.

A comparison takes memory and a core for some tens of milliseconds. In the threads, a flood of
logins would leave none for anybody else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grnry.errors import TooManyRequests
from grnry.identity.passwords import AT_ONCE, WAIT_SECONDS

MOST_WAITING = 1000


class LoginQueue:
    """A few at once; the rest wait in line, and are sent away where that takes too long."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self._take_place()
        try:
            yield
        finally:
            self._places.release()

    async def _take_place(self) -> None:
        if self._waiting >= self._most_waiting:
            raise _too_many()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise _too_many() from error
        finally:
            self._waiting -= 1


def _too_many() -> TooManyRequests:
    return TooManyRequests("Too many logins at once. Try again.", WAIT_SECONDS)
