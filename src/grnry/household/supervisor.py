"""The supervisor: owns all processes of one machine, starts them at once, stops them in order."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from grnry.errors import StartError
from grnry.household.child import Child, ChildSpec
from grnry.household.folder import DataFolder, Process, Running, start_of
from grnry.household.log_files import keep_bounded

FIRST_TRIES = 3
FIRST_TRIES_SECONDS = 5.0
READY_SECONDS = 60.0
NOTE_AGAIN_SECONDS = 1.0
TIDY_SECONDS = 5.0

logger = logging.getLogger("grnry.household")


class Supervisor:
    """Runs the children until a signal ends it.

    The order of `specs` is the order of dependence: they are stopped from the last to the first.
    """

    def __init__(
        self, folder: DataFolder, specs: Sequence[ChildSpec], running: Running, log_bytes: int
    ) -> None:
        self._folder = folder
        self._running = msgspec.structs.replace(
            running, pid=os.getpid(), started=start_of(os.getpid()) or 0, since=time.time()
        )
        self._log_bytes = log_bytes
        self._state = "starting"
        self._children = [Child(spec, folder.logs, self._note) for spec in specs]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Start all, say when all are ready, and keep them until told to stop."""
        self._listen_to_signals()
        if leftovers := self._folder.leftovers():
            names = ", ".join(process.name for process in leftovers)
            logger.info("Waiting for what an earlier run has left to end: %s.", names)
            wake = [child.spec.wake for child in self._children if child.spec.wake]
            await asyncio.to_thread(end_leftovers, leftovers, wake)
        for child in self._children:
            child.start()
        tidying = asyncio.create_task(self._tidy())
        try:
            await self._wait_until_ready()
            if not self._stop.is_set():
                self._turn("ready")
                when_ready()
            await self._wait_for_the_end()
        finally:
            tidying.cancel()
            await self._stop_all()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(sig, self._signalled)

    def _signalled(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _wait_until_ready(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set() and not all(c.ready.is_set() for c in self._children):
            for child in self._children:
                if child.task.done():
                    child.task.result()
                _give_up_on(child, time.monotonic() - began)
            await asyncio.sleep(0.01)

    async def _wait_for_the_end(self) -> None:
        """Until a signal comes; that a child is kept no longer is an error, and ends all."""
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait(
            {stop, *(child.task for child in self._children)}, return_when=asyncio.FIRST_COMPLETED
        )
        stop.cancel()
        for child in self._children:
            if child.task.done():
                child.task.result()

    async def _stop_all(self) -> None:
        began = time.monotonic()
        self._turn("stopping")
        if self._stop.is_set():
            logger.info("Stopping everything, in order. Ctrl-C again hurries.")
        hurry = asyncio.create_task(self._hurry.wait())
        for child in reversed(self._children):
            stop = asyncio.create_task(child.stop())
            await asyncio.wait({stop, hurry}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.done():
                await asyncio.gather(*(each.kill() for each in self._children), stop)
        hurry.cancel()
        # What went wrong in one of them was told already, by whoever waited for it.
        await asyncio.gather(*(child.task for child in self._children), return_exceptions=True)
        if self._stop.is_set():
            logger.info("Stopped after %.1f s.", time.monotonic() - began)

    async def _tidy(self) -> None:
        """Keep the log files small; what cannot be done now may be possible later."""
        keep = partial(keep_bounded, self._folder.logs, self._log_bytes)
        while True:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(keep)
            await asyncio.sleep(TIDY_SECONDS)

    def _turn(self, state: str) -> None:
        self._state = state
        self._note()

    def _note(self) -> None:
        """Keep the note of what runs true, so that the next start can end what a crash left.

        It is written again later where the disk is full: a process is not given up for a note.
        """
        notes = tuple(child.note() for child in self._children)
        now = msgspec.structs.replace(self._running, state=self._state, processes=notes)
        try:
            self._folder.note_running(now)
        except StartError:
            asyncio.get_running_loop().call_later(NOTE_AGAIN_SECONDS, self._note)


def _give_up_on(child: Child, seconds: float) -> None:
    """Raise where a process that was never ready will not become so."""
    if child.ready.is_set():
        return
    if child.is_hopeless:
        raise StartError(child.last_words())
    if child.failures >= FIRST_TRIES and seconds > FIRST_TRIES_SECONDS:
        words = child.last_words() or "it said nothing"
        raise StartError(f"The process '{child.name}' does not start: {words} (see {child.log})")
    if seconds > READY_SECONDS:
        raise StartError(f"The process '{child.name}' is not ready in time (see {child.log}).")


def end_leftovers(
    leftovers: Sequence[Process], wake: Sequence[Callable[[], None]] = (), seconds: float = 10.0
) -> None:
    """End what a killed supervisor left: it was asked to end already, so wait, then insist.

    What stands still has not heard of it yet, and goes on for it.
    """
    _send(leftovers, signal.SIGCONT)
    for each in wake:
        with contextlib.suppress(OSError):
            each()
    deadline = time.monotonic() + seconds
    while any(start_of(p.pid) == p.started for p in leftovers) and time.monotonic() < deadline:
        time.sleep(0.02)
    _send(leftovers, signal.SIGKILL)


def _send(processes: Sequence[Process], sig: signal.Signals) -> None:
    for process in processes:
        if start_of(process.pid) == process.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, sig)
