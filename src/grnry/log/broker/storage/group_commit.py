"""Syncing files in a thread: all who wait while one sync runs share the next."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

log = logging.getLogger("grnry.log.broker")


class CanSync(Protocol):
    def sync(self) -> None: ...


class SyncMark(Protocol):
    @property
    def files(self) -> Sequence[CanSync]: ...


class Syncable(Protocol):
    """Something that was written and is to be synced."""

    def begin_sync(self) -> Any: ...
    def end_sync(self, mark: Any) -> None: ...


class GroupCommit:
    """Lives on the event loop; only the syncing itself is in the thread.

    A sync that fails ends the broker: the kernel may have dropped what it could not write, and
    only reading the files again, as a start does, tells what is there.
    """

    def __init__(self, on_failure: Callable[[OSError], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_failure = on_failure
        self._pending: dict[Syncable, None] = {}
        self._next: asyncio.Future[None] = self._loop.create_future()
        self._is_running = False
        self._has_failed = False
        self._work: SimpleQueue[tuple[list[tuple[Syncable, SyncMark]], asyncio.Future[None]] | None]
        self._work = SimpleQueue()
        self.seconds = 0.0
        self.count = 0
        self._thread = Thread(target=self._sync_forever, name="log-sync", daemon=True)
        self._thread.start()

    def add(self, written: Syncable) -> asyncio.Future[None]:
        """Done when what has been written up to now is on the disk."""
        self._pending[written] = None
        if not self._is_running:
            self._is_running = True
            self._loop.call_soon(self._begin)
        return self._next

    def _begin(self) -> None:
        pending, self._pending = self._pending, {}
        done, self._next = self._next, self._loop.create_future()
        self._work.put(([(one, one.begin_sync()) for one in pending], done))

    def _sync_forever(self) -> None:
        while (work := self._work.get()) is not None:
            marks, done = work
            started = time.perf_counter()
            try:
                for _one, mark in marks:
                    for file in mark.files:
                        file.sync()
            except OSError as error:
                self._loop.call_soon_threadsafe(self.fail, error)
                return
            self.seconds += time.perf_counter() - started
            self.count += 1
            self._loop.call_soon_threadsafe(self._end, marks, done)

    def fail(self, error: OSError) -> None:
        """Nothing counts as safe any more, also what a sync under way says is."""
        self._has_failed = True
        self._on_failure(error)

    def _end(self, marks: list[tuple[Syncable, Any]], done: asyncio.Future[None]) -> None:
        if self._has_failed:
            return
        for one, mark in marks:
            one.end_sync(mark)
        if not done.cancelled():
            done.set_result(None)
        if self._pending:
            self._begin()
        else:
            self._is_running = False

    async def flush(self) -> None:
        """Wait for all that was added."""
        while self._is_running:
            await asyncio.shield(self._next if self._pending else self._idle())

    async def _idle(self) -> None:
        await asyncio.sleep(0.001)

    def stop(self) -> None:
        self._work.put(None)
        self._thread.join()
