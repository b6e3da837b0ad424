"""One process of the household: started, watched, started again, and stopped in order."""

import asyncio
import contextlib
import ctypes
import logging
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grnry.errors import CANNOT_START, StartError
from grnry.household.folder import Process, start_of

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0
HURRY_SECONDS = 2.0
PATIENCE_SECONDS = 1.0

_libc = ctypes.CDLL(None)
logger = logging.getLogger("grnry.household")


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a process is: its command, how it tells that it is ready, how it is stopped."""

    name: str
    command: Callable[[], list[str]]
    is_ready: Callable[[], Awaitable[bool]]
    address: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    """Done before each start."""
    inherit: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    hurry_signal: signal.Signals = signal.SIGKILL
    wake: Callable[[], None] | None = None
    """Done when it is asked to end: lets go on what stands still of what it started."""
    clear: Callable[[], None] | None = None
    """Done after each end: does away with what it left."""


class Child:
    """Keeps one process running until it is told to stop."""

    def __init__(self, spec: ChildSpec, logs: Path, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.log = logs / f"{spec.name}.log"
        self.ready = asyncio.Event()
        self.failures = 0
        self.restarts = 0
        self.task: asyncio.Task[None]
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0
        self._since = 0.0
        self._trouble = ""
        self._was_ready = False
        self._ended_at = 0.0
        self._stopping = asyncio.Event()

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    @property
    def is_hopeless(self) -> bool:
        return self._process is not None and self._process.returncode == CANNOT_START

    @property
    def state(self) -> str:
        if self.pid is None:
            return "stopped" if self._stopping.is_set() else "down"
        if self._stopping.is_set():
            return "stopping"
        return "ready" if self.ready.is_set() else "starting"

    def note(self) -> Process:
        pid = self.pid
        return Process(
            self.name,
            pid or 0,
            self._started if pid else 0,
            self.ready.is_set(),
            self.restarts,
            self.state,
            self._since if pid else 0.0,
            self.spec.address,
        )

    def start(self) -> None:
        self.task = asyncio.create_task(self._keep(), name=self.name)

    async def _keep(self) -> None:
        """Run it; again whenever it ends, after a pause that grows while it fails early."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            await self._try_once()
            if self._stopping.is_set():
                return
            self.failures += 1
            self.restarts += 1
            steady = time.monotonic() - began > STEADY_SECONDS
            pause = FIRST_PAUSE_SECONDS if steady else min(pause * 2, LONGEST_PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return

    async def _try_once(self) -> None:
        """A start that fails for want of disk or memory is tried again, as one that ends is."""
        try:
            if self.spec.prepare:
                await asyncio.to_thread(self.spec.prepare)
            if not self._stopping.is_set():
                await self._run_once()
        except (OSError, StartError) as error:
            if isinstance(error, StartError) and not self._was_ready:
                raise
            self._trouble = str(error)
            logger.warning("%s cannot be started: %s", self.name, self._trouble)

    async def _run_once(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**_own_environment(), **self.spec.environment},
                pass_fds=self.spec.inherit,
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid(), self.spec.stop_signal),
            )
        self._trouble = ""
        self._started = start_of(self._process.pid) or 0
        self._since = time.time()
        if self._stopping.is_set():
            self._signal(self.spec.stop_signal)
        self._changed()
        watch = asyncio.create_task(self._watch_readiness())
        code = await self._process.wait()
        watch.cancel()
        self._has_ended(code)
        if self.spec.clear:
            await asyncio.to_thread(self.spec.clear)
        self._changed()

    def _has_ended(self, code: int) -> None:
        if self.ready.is_set():
            self._ended_at = time.monotonic()
        if self._was_ready and not self._stopping.is_set():
            how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with code {code}"
            logger.warning("%s %s; it is started again.", self.name, how)
        self.ready.clear()

    async def _watch_readiness(self) -> None:
        while not await self.spec.is_ready():
            await asyncio.sleep(0.02)
        if self._was_ready:
            away = time.monotonic() - self._ended_at
            logger.info("%s is ready again, after %.1f s.", self.name, away)
        self.failures = 0
        self._was_ready = True
        self.ready.set()
        self._changed()

    async def stop(self) -> None:
        """Ask it to end; insist when it does not within its time."""
        self._ask_to_end(self.spec.stop_signal)
        if await self._is_over(min(PATIENCE_SECONDS, self.spec.stop_seconds)):
            return
        rest = self.spec.stop_seconds - PATIENCE_SECONDS
        what = f"process {self.pid}" if self.pid else "what prepares its start"
        logger.info("Waiting for %s (%s), at most %.0f s.", self.name, what, rest)
        self._wake()
        if not await self._is_over(rest):
            logger.warning("%s does not end; it is killed. Nothing is lost.", self.name)
            await self.kill()

    async def kill(self) -> None:
        self._ask_to_end(self.spec.hurry_signal)
        while not await self._is_over(HURRY_SECONDS):
            self._signal(signal.SIGKILL)

    def _ask_to_end(self, sig: signal.Signals) -> None:
        """One that stands still goes on for it, and so does what it has started."""
        self._stopping.set()
        self._changed()
        self._signal(sig)
        self._wake()

    def _wake(self) -> None:
        self._signal(signal.SIGCONT)
        if self.spec.wake:
            with contextlib.suppress(OSError):
                self.spec.wake()

    async def _is_over(self, seconds: float) -> bool:
        return bool((await asyncio.wait({self.task}, timeout=seconds))[0])

    def _signal(self, sig: signal.Signals) -> None:
        if self.pid is not None and self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(sig)

    def last_words(self) -> str:
        """Why it could not be started, else what ended it or the last line of its log."""
        if self._trouble:
            return self._trouble
        with contextlib.suppress(OSError):
            lines = self.log.read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
            fatal = [line for line in lines if _FATAL.search(line)]
            return (fatal or lines or [""])[-1]
        return ""


_FATAL = re.compile(r" (?:FATAL|PANIC): ")
"""PostgreSQL says after it only that it is shut down."""


def _own_environment() -> dict[str, str]:
    """Ours, without what tells PostgreSQL's clients how to connect (PGSSLMODE, PGOPTIONS, …)."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _die_with_parent(parent: int, sig: signal.Signals) -> Callable[[], None]:
    def before_exec() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
