"""One replica's process on this machine: a fork of this process, which has everything imported.

It dies with this process, so nothing runs twice and nothing is left over. It tells its state by
lines of JSON through a pipe, and says at least every few seconds that it is there.
"""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from grnry.deployments.memory import data_bytes
from grnry.deployments.model import Deployment, Seen, State
from grnry.deployments.reporting import (
    DEPLOYMENT_VARIABLE,
    REPLICA_VARIABLE,
    REPLICAS_VARIABLE,
    REPORT_FD_VARIABLE,
    Said,
)

PR_SET_PDEATHSIG = 1
REPORT_FD = 3
SPARE_BYTES = 512 * 2**20
"""Above the limit that is watched, for stacks of threads and what is reserved and never used."""

OWN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""Those that mean another thing to a replica than to its parent."""

BEGINNING = Seen(State.DEPLOYING)

_libc = ctypes.CDLL(None)

Entry = Callable[[Sequence[str], Mapping[str, str]], int]
"""Runs a worker's command with its environment; answers the exit code."""


@dataclass(slots=True)
class Child:
    """A replica's process, as its parent sees it."""

    pid: int
    started_ticks: int
    pipe: int
    started: float
    heard: float
    said: Seen = BEGINNING
    said_since: float = 0.0
    reason: str = ""
    """Why it is killed, where we do it."""

    unread: bytes = b""

    @property
    def is_alive(self) -> bool:
        return self.pipe >= 0

    def listen(self, now: float) -> None:
        """Take in what it has said; afterwards it is known whether it lives."""
        has_ended = False
        with contextlib.suppress(BlockingIOError):
            while not has_ended:
                data = os.read(self.pipe, 65536)
                has_ended = not data
                self.unread += data
                self.heard = now
        *lines, self.unread = self.unread.split(b"\n")
        for line in lines:
            self._hear(line, now)
        if has_ended or os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self._reap()

    def _hear(self, line: bytes, now: float) -> None:
        said = msgspec.json.decode(line, type=Said)
        if said.state != self.said.state:
            self.said_since = now
        self.said = Seen(State(said.state), said.message, said.retrying)

    def _reap(self) -> None:
        """It is over, or has closed its pipe, which is as good; what it started goes as well."""
        kill_with_all_it_started(self.pid)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pipe)
        self.pipe = -1
        self.said = Seen(State.FAILED, self._how_it_ended(status), self._goes_on())

    def _goes_on(self) -> bool:
        return bool(self.reason) or self.said.state is not State.FAILED or self.said.retrying

    def _how_it_ended(self, status: int) -> str:
        if self.reason:
            return self.reason
        last = self.said.message if self.said.state is State.FAILED else ""
        if last and not self._goes_on():
            return last
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {-code} ended it" if code < 0 else f"it ended with exit code {code}"
        return f"{how}: {last}" if last else how

    def kill(self, reason: str) -> None:
        """End it at once; its death is told with the reason."""
        self.reason = reason
        kill_with_all_it_started(self.pid)

    def ask_to_end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            os.kill(self.pid, signal.SIGCONT)  # one that stands still hears of it as well


def kill_with_all_it_started(pid: int) -> None:
    """Before it is its own group's leader, it has started nothing."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def fork(deployment: Deployment, replica: int, entry: Entry, log: int, now: float) -> Child:
    """Start a replica; what it prints goes to the open file `log`."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    gc.freeze()
    parent = os.getpid()
    # A signal that comes before the child has its own handlers waits: ours would swallow it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OWN_SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _become(deployment, replica, entry, (log, writing), parent)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(writing)
    return Child(pid, start_ticks(pid) or 0, reading, started=now, heard=now, said_since=now)


def _become(
    deployment: Deployment, replica: int, entry: Entry, files: tuple[int, int], parent: int
) -> None:
    """In the child; never returns."""
    code = 1
    try:
        _belong_to(parent)
        _take_files(*files)
        _limit(deployment)
        own = {
            **deployment.environment,
            DEPLOYMENT_VARIABLE: deployment.name,
            REPLICA_VARIABLE: str(replica),
            REPLICAS_VARIABLE: str(deployment.replicas),
            REPORT_FD_VARIABLE: str(REPORT_FD),
        }
        code = entry(deployment.command, own)
    except BaseException as error:  # the child must never return into the parent's code
        os.write(2, "".join(traceback.format_exception(error)).encode(errors="replace"))
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def _belong_to(parent: int) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    for sig in OWN_SIGNALS:
        signal.signal(sig, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OWN_SIGNALS)
    os.setsid()


def _take_files(log: int, pipe: int) -> None:
    for stream in (1, 2):
        os.dup2(log, stream)
    if pipe == REPORT_FD:
        os.set_inheritable(pipe, True)
    else:
        os.dup2(pipe, REPORT_FD)
    os.closerange(REPORT_FD + 1, os.sysconf("SC_OPEN_MAX"))


def _limit(deployment: Deployment) -> None:
    """Its weight among others; and a bound to what it takes faster than anybody watches."""
    wanted = deployment.resources
    if wanted.nice:
        os.nice(wanted.nice)
        with contextlib.suppress(OSError):  # where sessions are scheduled as groups
            Path("/proc/self/autogroup").write_text(str(wanted.nice))
    if wanted.memory_bytes:
        most = data_bytes() + wanted.memory_bytes + SPARE_BYTES
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def start_ticks(pid: int) -> int | None:
    """When a process was started, in the kernel's ticks; none where it is gone.

    With its number it names a process, as numbers come again.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
