"""The deployer of one machine: workers are forks of this process, which has everything imported.

A worker dies with this process, so nothing runs twice and nothing is left over. It tells its state
by lines of JSON through a pipe; the end of the pipe tells that it ended.
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from grnry.deployments.model import Deployment, Observation, State
from grnry.deployments.reporting import DEPLOYMENT_VARIABLE, REPORT_FD_VARIABLE, Said

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 20.0
LOG_BYTES = 10 * 2**20

_libc = ctypes.CDLL(None)

Entry = Callable[[Sequence[str], Mapping[str, str]], int]
"""Runs a worker's command with its environment; answers the exit code."""


@dataclass(slots=True)
class _Worker:
    pid: int
    pipe: int
    started: float
    observed: Observation
    kill_at: float = 0.0
    unread: bytes = b""


class Processes:
    """Workers as child processes."""

    def __init__(self, entry: Entry, logs: Path) -> None:
        self._entry = entry
        self._logs = logs
        self._workers: dict[str, _Worker] = {}
        self._logs.mkdir(parents=True, exist_ok=True)

    def filenos(self) -> list[int]:
        """What becomes readable when a worker says something or ends."""
        return [worker.pipe for worker in self._workers.values() if worker.observed.is_alive]

    def start(self, deployment: Deployment) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        gc.freeze()
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            self._become_worker(deployment, writing, parent)
        os.close(writing)
        self._workers[deployment.name] = _Worker(
            pid,
            reading,
            time.monotonic(),
            Observation(is_alive=True, generation=deployment.generation),
        )

    def _become_worker(self, deployment: Deployment, pipe: int, parent: int) -> None:
        """In the child; never returns."""
        code = 1
        try:
            _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(sig, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            os.setsid()
            self._redirect(deployment.name)
            os.dup2(pipe, 3)
            os.closerange(4, os.sysconf("SC_OPEN_MAX"))
            own = {
                **deployment.environment,
                DEPLOYMENT_VARIABLE: deployment.name,
                REPORT_FD_VARIABLE: "3",
            }
            code = self._entry(deployment.command, own)
        except BaseException as error:  # the child must never return into the parent's code
            _say_last(error)
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(code)

    def _redirect(self, name: str) -> None:
        log = self._logs / f"{name}.log"
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > LOG_BYTES:
                log.rename(log.with_suffix(".log.1"))
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(file, stream)

    def stop(self, name: str) -> None:
        worker = self._workers[name]
        worker.observed = replace(worker.observed, is_stopping=True)
        worker.kill_at = time.monotonic() + STOP_SECONDS
        self._signal(worker, signal.SIGTERM)
        self._signal(worker, signal.SIGCONT)  # one that stands still hears of it as well

    def poll(self) -> Mapping[str, Observation]:
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.observed.is_alive:
                self._listen(worker, now)
        return {name: worker.observed for name, worker in self._workers.items()}

    def _listen(self, worker: _Worker, now: float) -> None:
        ended = False
        with contextlib.suppress(BlockingIOError):
            while not ended:
                data = os.read(worker.pipe, 65536)
                ended = not data
                worker.unread += data
        *lines, worker.unread = worker.unread.split(b"\n")
        for line in lines:
            said = msgspec.json.decode(line, type=Said)
            worker.observed = replace(
                worker.observed,
                state=State(said.state),
                message=said.message,
                retrying=said.retrying,
            )
        if ended or os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self._reap(worker, now)
        elif worker.kill_at and now > worker.kill_at:
            self._signal(worker, signal.SIGKILL)

    def _reap(self, worker: _Worker, now: float) -> None:
        _, status = os.waitpid(worker.pid, 0)
        os.close(worker.pipe)
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {-code} ended it" if code < 0 else f"it ended with exit code {code}"
        last = worker.observed
        said = f": {last.message}" if last.state is State.FAILED and last.message else ""
        worker.observed = replace(
            last,
            is_alive=False,
            message=f"{how}{said}",
            ran_seconds=now - worker.started,
        )

    def forget(self, name: str) -> None:
        del self._workers[name]

    def stop_all(self) -> None:
        """Stop every worker and wait for the last of them."""
        for name, worker in self._workers.items():
            if worker.observed.is_alive and not worker.observed.is_stopping:
                self.stop(name)
        while any(observed.is_alive for observed in self.poll().values()):
            time.sleep(0.01)

    def _signal(self, worker: _Worker, sig: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, sig)


def _say_last(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error, file=sys.stderr)
