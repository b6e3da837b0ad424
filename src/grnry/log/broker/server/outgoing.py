"""What goes out on a connection: bytes that are in memory, and parts of files that are not yet.

A file's part is read when there is room for it. A client that is slow, or never reads, makes the
broker hold a chunk of what it asked for, and not all of it.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable

from grnry.log.broker.storage.files import OpenFile, read_at

from .answers import FilePart, Pieces

log = logging.getLogger("grnry.log.broker")

CHUNK = 256 << 10


def read_cached(file: OpenFile, position: int, size: int) -> bytes | bytearray:
    """Read without waiting for the disk; raises BlockingIOError where that can't be."""
    data = bytearray(size)
    try:
        count = os.preadv(file.fd, [data], position, os.RWF_NOWAIT)
    except BlockingIOError:
        raise
    except OSError:  # not every file system knows the flag
        return read_at(file, position, size)
    if count < size:
        raise BlockingIOError
    return data


class Outgoing:
    """The answers of one connection, in order; `on_progress` hears when there is room again."""

    def __init__(self, transport: asyncio.Transport, on_progress: Callable[[], None]) -> None:
        self._transport = transport
        self._on_progress = on_progress
        self._pieces: deque[bytes | bytearray | memoryview | FilePart] = deque()
        self._is_paused = False
        self._is_reading = False

    @property
    def is_blocked(self) -> bool:
        return self._is_paused or bool(self._pieces) or self._is_reading

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        self.send()

    def add(self, pieces: Pieces) -> None:
        self._pieces.extend(pieces)

    def send(self) -> None:
        """As much as the client takes."""
        while self._pieces and not self._is_paused and not self._is_reading:
            ready = self._next_chunk()
            if ready:
                self._transport.writelines(ready)

    def _next_chunk(self) -> list[bytes | bytearray | memoryview]:
        ready: list[bytes | bytearray | memoryview] = []
        size = 0
        while self._pieces and size < CHUNK:
            piece = self._pieces.popleft()
            if isinstance(piece, FilePart):
                try:
                    data, rest = self._head_of(piece)
                except BlockingIOError:
                    self._read_in_thread(piece)
                    break
                if rest is not None:
                    self._pieces.appendleft(rest)
                piece = data
            ready.append(piece)
            size += len(piece)
        return ready

    def _head_of(self, part: FilePart) -> tuple[bytes | bytearray, FilePart | None]:
        size = min(part.size, CHUNK)
        return read_cached(part.file, part.position, size), part.after(size)

    def _read_in_thread(self, part: FilePart) -> None:
        """What is not in the page cache must not hold up the others."""
        self._is_reading = True
        size = min(part.size, CHUNK)
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(None, read_at, part.file, part.position, size)
        reading.add_done_callback(lambda done: self._was_read(done, part, size))

    def _was_read(self, done: "asyncio.Future[bytes]", part: FilePart, size: int) -> None:
        self._is_reading = False
        if done.cancelled() or self._transport.is_closing():
            return
        error = done.exception()
        if error is not None or len(done.result()) < size:
            log.error("an answer can't be read from the disk: %s", error or "the file is too short")
            self._transport.abort()
            return
        rest = part.after(size)
        if rest is not None:
            self._pieces.appendleft(rest)
        self._pieces.appendleft(done.result())
        self.send()
        self._on_progress()
