"""Lines put together to batches, of which one is written while the next is filled."""

import asyncio

from grnry.events.room import Room
from grnry.events.streaming import Line, TooLong
from grnry.events.taking import Taking

MOST_EVENTS = 1000
MOST_BYTES = 2**20


class Batches:
    """Holds room for what it has in hand; two batches at most."""

    def __init__(self, taking: Taking, room: Room) -> None:
        self._taking = taking
        self._room = room
        self._lines: list[Line] = []
        self._size = 0
        self._writing: asyncio.Task[None] | None = None

    async def add(self, line: Line) -> None:
        size = 0 if isinstance(line, TooLong) else len(line)
        if len(self._lines) == MOST_EVENTS or (self._lines and self._size + size > MOST_BYTES):
            await self._write()
        self._lines.append(line)
        self._size += size

    async def _write(self) -> None:
        lines, size = self._lines, self._size
        self._lines, self._size = [], 0
        await self._written()
        await self._room.wait_and_take(size)
        self._writing = asyncio.create_task(self._taken(lines, size))
        # Others come to their turn: what is looked at here keeps them waiting.
        await asyncio.sleep(0)

    async def _taken(self, lines: list[Line], size: int) -> None:
        try:
            await self._taking.take(lines)
        finally:
            self._room.give_back(size)

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def give_up(self) -> None:
        """Wait for what is being written, whatever becomes of it, and write nothing more."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
            self._writing.cancelled() or self._writing.exception()

    async def end(self) -> None:
        """Write what is left, and wait until the log has all."""
        if self._lines:
            await self._write()
        await self._written()
