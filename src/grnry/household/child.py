"""One process of the household: started, watched, started again, and stopped in order."""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grnry.household.folder import Process, start_of

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0
LOG_BYTES = 20 * 2**20

CANNOT_START = 78
"""The exit code of a process that says why it cannot start; starting it again is no use."""

_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a process is: its command, how it tells that it is ready, how it is stopped."""

    name: str
    command: Callable[[], list[str]]
    is_ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    inherit: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0


class Child:
    """Keeps one process running until it is told to stop."""

    def __init__(self, spec: ChildSpec, logs: Path, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.log = logs / f"{spec.name}.log"
        self.ready = asyncio.Event()
        self.failures = 0
        self.restarts = 0
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0
        self._stopping = False

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    def _is_stopping(self) -> bool:
        return self._stopping

    @property
    def is_hopeless(self) -> bool:
        return self._process is not None and self._process.returncode == CANNOT_START

    def note(self) -> Process | None:
        if (pid := self.pid) is None:
            return None
        return Process(self.name, pid, self._started, self.ready.is_set(), self.restarts)

    async def keep(self) -> None:
        """Run it; again whenever it ends, after a pause that grows while it fails early."""
        if self.spec.prepare:
            await asyncio.to_thread(self.spec.prepare)
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            await self._run_once()
            if self._is_stopping():
                return
            self.failures += 1
            self.restarts += 1
            steady = time.monotonic() - began > STEADY_SECONDS
            pause = FIRST_PAUSE_SECONDS if steady else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)
            if self._is_stopping():
                return

    async def _run_once(self) -> None:
        _keep_small(self.log)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.spec.environment},
                pass_fds=self.spec.inherit,
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid(), self.spec.stop_signal),
            )
        self._started = start_of(self._process.pid) or 0
        self._changed()
        watch = asyncio.create_task(self._watch_readiness())
        await self._process.wait()
        watch.cancel()
        self.ready.clear()
        self._changed()

    async def _watch_readiness(self) -> None:
        while not await self.spec.is_ready():
            await asyncio.sleep(0.02)
        self.failures = 0
        self.ready.set()
        self._changed()

    async def stop(self) -> None:
        """Ask it to end; insist when it does not within its time."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.spec.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_seconds)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        self._stopping = True
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def last_words(self) -> str:
        """The last line of its log."""
        with contextlib.suppress(OSError):
            lines = self.log.read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""


def _die_with_parent(parent: int, sig: signal.Signals) -> Callable[[], None]:
    def before_exec() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def _keep_small(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))
