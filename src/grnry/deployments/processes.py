"""The deployer of one machine: replicas are child processes of this one.

A replica that dies is started again after a pause. One that takes more memory than its limit, that
is not ready in time, or that says nothing any more is killed, and is one that died.
"""

import os
import select
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grnry.deployments.child import (
    BEGINNING,
    Child,
    Entry,
    fork,
    kill_with_all_it_started,
    start_ticks,
)
from grnry.deployments.deployer import Saved
from grnry.deployments.log_files import LogFolder
from grnry.deployments.memory import own_bytes, resident_bytes
from grnry.deployments.model import (
    BackOff,
    Deployment,
    Observation,
    Seen,
    State,
    all_together,
)

STOP_SECONDS = 20.0
WATCH_SECONDS = 1.0
"""How often memory, logs and deadlines are looked at."""

LATE_SECONDS = 15.0
"""Who was not asked for so long was frozen itself, and blames nobody for silence."""

MB = 2**20


@dataclass(slots=True)
class _Replica:
    child: Child | None = None
    back_off: BackOff = field(default_factory=BackOff)
    seen: Seen = BEGINNING
    """While it has no process."""

    @property
    def has_given_up(self) -> bool:
        return self.child is None and self.seen.state is State.FAILED and not self.seen.retrying


@dataclass(slots=True)
class _Running:
    """A deployment that was started."""

    deployment: Deployment
    replicas: list[_Replica]
    kill_at: float = 0.0

    @property
    def is_stopping(self) -> bool:
        return self.kill_at > 0

    def children(self) -> Iterator[Child]:
        return (each.child for each in self.replicas if each.child is not None)


class Processes:
    """Deployments as child processes."""

    def __init__(self, entry: Entry, logs: Path) -> None:
        self._entry = entry
        self._logs = LogFolder(logs)
        self._running: dict[str, _Running] = {}
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        self._tended = time.monotonic()
        self._watched = 0.0
        self._known: frozenset[str] = frozenset()

    # The port

    def start(self, deployment: Deployment) -> None:
        if deployment.name not in self._running:
            replicas = [_Replica() for _ in range(deployment.replicas)]
            self._running[deployment.name] = _Running(deployment, replicas)
            self.tend()

    def stop(self, name: str) -> None:
        running = self._running.get(name)
        if running is None or running.is_stopping:
            return
        running.kill_at = time.monotonic() + STOP_SECONDS
        for child in running.children():
            child.ask_to_end()

    def poll(self, saved: Mapping[str, Saved]) -> Mapping[str, Observation]:
        self.tend()
        found = {name: self._observed(running) for name, running in self._running.items()}
        for name, left in saved.items():
            if left and name not in found and self._is_left_over(left):
                seen = Seen(State.STOPPING, "what was left over is ended")
                found[name] = Observation(seen, is_stopping=True, saved=left)
        return found

    def _observed(self, running: _Running) -> Observation:
        deployment = running.deployment
        processes = [[child.pid, child.started_ticks] for child in running.children()]
        saved: dict[str, Any] = {"boot": self._boot, "processes": processes}
        seen = [each.child.said if each.child else each.seen for each in running.replicas]
        return Observation(
            all_together(seen), deployment.generation, deployment.run, running.is_stopping, saved
        )

    def _is_left_over(self, saved: Saved) -> bool:
        """Whether processes that are not ours live on; they are killed.

        The kernel ends them with their parent, so that only what got away from that is found.
        """
        if saved.get("boot") != self._boot:
            return False
        left = [pid for pid, ticks in saved["processes"] if start_ticks(pid) == ticks]
        for pid in left:
            kill_with_all_it_started(pid)
        return bool(left)

    # What keeps them running

    @property
    def names(self) -> frozenset[str]:
        """What was started and is not gone altogether."""
        return frozenset(self._running)

    def filenos(self) -> list[int]:
        """What becomes readable when a worker says something or ends."""
        return [child.pipe for each in self._running.values() for child in each.children()]

    def due_in(self) -> float:
        """In how many seconds `tend` has something to do, whatever the workers say."""
        now = time.monotonic()
        waits = [
            replica.back_off.until - now
            for running in self._running.values()
            for replica in running.replicas
            if replica.child is None and not replica.has_given_up
        ]
        if self.filenos():
            waits.append(self._watched + WATCH_SECONDS - now)
        return max(0.0, min(waits, default=60.0))

    def tend(self) -> None:
        """Listen to the workers, bury the dead, start again what is due."""
        now = time.monotonic()
        self._forgive_if_late(now)
        watches = now - self._watched >= WATCH_SECONDS
        readable = _readable(self.filenos())
        for name, running in list(self._running.items()):
            for number, replica in enumerate(running.replicas):
                child = replica.child
                if child is None:
                    self._start_again(running, number, replica, now)
                elif watches or child.pipe in readable:
                    _listen(running, replica, child, now, watches=watches)
            if watches:
                self._logs.keep_bounded(name)
            if running.is_stopping and not any(running.children()):
                del self._running[name]
        if watches:
            self._watched = now

    def _forgive_if_late(self, now: float) -> None:
        if now - self._tended > LATE_SECONDS:
            for running in self._running.values():
                for child in running.children():
                    child.heard = child.said_since = now
        self._tended = now

    def _start_again(self, running: _Running, number: int, replica: _Replica, now: float) -> None:
        is_due = now >= replica.back_off.until and not replica.has_given_up
        if is_due and not running.is_stopping:
            replica.child = self._fork(running.deployment, number, now)

    def _fork(self, deployment: Deployment, number: int, now: float) -> Child:
        log = self._logs.open(deployment.name)
        try:
            return fork(deployment, number, self._entry, log, now)
        finally:
            os.close(log)

    def keep_logs_of(self, names: frozenset[str]) -> None:
        """Delete the logs of deployments that are gone."""
        if names != self._known:
            self._logs.keep_only(names | self.names)
            self._known = names

    def stop_all(self) -> None:
        """Stop every worker and wait for the last of them."""
        for name in self._running:
            self.stop(name)
        self.tend()
        while self._running:
            time.sleep(0.01)
            self.tend()


def _readable(filenos: list[int]) -> set[int]:
    poll = select.poll()
    for fileno in filenos:
        poll.register(fileno, select.POLLIN)
    return {fileno for fileno, _ in poll.poll(0)} if filenos else set()


def _listen(
    running: _Running, replica: _Replica, child: Child, now: float, *, watches: bool
) -> None:
    child.listen(now)
    if not child.is_alive:
        replica.child, replica.seen = None, child.said
        replica.back_off.died(now, now - child.started)
    elif child.reason:
        pass  # it is on its way out
    elif running.is_stopping:
        if now > running.kill_at:
            child.kill("it did not end in time")
    elif watches and (reason := _why_to_kill(child, running.deployment, now)):
        child.kill(reason)


def _why_to_kill(child: Child, deployment: Deployment, now: float) -> str:
    """What this replica may not do; empty where it does nothing of the kind."""
    wanted = deployment.resources
    if now - child.heard > wanted.silent_seconds:
        return f"it has said nothing for {wanted.silent_seconds:g} s"
    is_deploying = child.said.state is State.DEPLOYING
    if is_deploying and now - child.said_since > wanted.ready_seconds:
        why = f": {child.said.message}" if child.said.message else ""
        return f"it was not ready within {wanted.ready_seconds:g} s{why}"
    most = wanted.memory_bytes
    if most and resident_bytes(child.pid) > most and (taken := own_bytes(child.pid)) > most:
        return f"it took {taken / MB:.0f} MiB of memory, more than its limit of {most / MB:g} MiB"
    return ""
