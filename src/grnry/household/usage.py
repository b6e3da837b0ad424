"""What each process of a running household takes, as the kernel counts it."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from grnry.household.folder import Process, Running, start_of

MB = 2**20


@dataclass(frozen=True, slots=True)
class Used:
    """A process with all that it started."""

    process: Process
    memory: int | None
    """Bytes, shared pages counted in proportion; none where the process is another user's."""

    children: int

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self.process)
        return {**found, "memory_bytes": self.memory, "children": self.children}

    def as_row(self) -> tuple[Any, ...]:
        one = self.process
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.since)) if one.since else "-"
        memory = "-" if self.memory is None else f"{self.memory / MB:.0f} MB"
        return one.name, one.pid or "-", one.state, since, one.restarts, memory, one.address


def processes_of(running: Running) -> list[Used]:
    """The supervisor and its processes."""
    own = Process(
        "supervisor", running.pid, running.started, ready=True, state="ready", since=running.since
    )
    return [_used(own, alone=True), *(_used(process) for process in running.processes)]


def _used(process: Process, *, alone: bool = False) -> Used:
    if not process.pid or start_of(process.pid) != process.started:
        return Used(process, None, 0)
    family = [process.pid] if alone else list(family_of(process.pid))
    sizes = [proportional_bytes(pid) for pid in family]
    known = [size for size in sizes if size is not None]
    return Used(process, sum(known) if known else None, len(family) - 1)


def family_of(pid: int) -> Iterator[int]:
    """A process and all that come from it."""
    yield pid
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family_of(int(child))


def proportional_bytes(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
