"""`grnry up`: start times, memory and CPU when idle, and the time back after `kill -9` of each."""

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.conftest import wait_for
from tests.running import Granary, seconds


def family(pid: int) -> list[int]:
    """A process and all that come from it."""
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += family(int(child))
    return found


def proportional_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def note(granary: Granary) -> dict[str, dict[str, Any]]:
    """What the supervisor notes; read from its file, as asking the command line takes long."""
    found = json.loads((granary.data / "running.json").read_text())
    return {process["name"]: process for process in found["processes"]}


def show_idle(granary: Granary, settle: float, watched: float) -> None:
    time.sleep(settle)
    parts = {"supervisor": [granary.process.pid]}
    parts |= {name: family(process["pid"]) for name, process in note(granary).items()}
    memory = {name: sum(map(proportional_mb, pids)) for name, pids in parts.items()}
    before = {name: sum(map(cpu_seconds, pids)) for name, pids in parts.items()}
    time.sleep(watched)
    cpu = {
        name: (sum(map(cpu_seconds, pids)) - before[name]) / watched * 100
        for name, pids in parts.items()
    }
    for name in parts:
        print(f"  {name:12} {memory[name]:7.1f} MB {cpu[name]:6.2f} % of a core")
    print(f"  {'in all':12} {sum(memory.values()):7.1f} MB {sum(cpu.values()):6.2f} % of a core")


def back_after_kill(granary: Granary, name: str) -> float:
    before = note(granary)[name]["pid"]

    def is_back() -> bool:
        now = note(granary).get(name, {"pid": before})
        return bool(now["pid"] != before and now["ready"])

    os.kill(before, signal.SIGKILL)
    return seconds(lambda: wait_for(is_back, what=f"{name} is back"))


def start_and_stop(granary: Granary) -> tuple[float, float]:
    return seconds(granary.start), seconds(granary.stop)


def spread(times: list[float]) -> str:
    return " ".join(f"{each:.2f}" for each in sorted(times))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks household", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--settle", type=float, default=5.0, help="seconds before it counts as idle"
    )
    parser.add_argument("--idle", type=float, default=30.0, help="seconds of CPU to watch")
    options = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="grnry-bench-"))
    try:
        first = [start_and_stop(Granary(folder / str(n))) for n in range(options.rounds)]
        later = [start_and_stop(Granary(folder / "0")) for _ in range(options.rounds)]
        print(f"start on an empty folder, s: {spread([start for start, _ in first])}")
        print(f"start later, s:              {spread([start for start, _ in later])}")
        print(f"stop, s:                     {spread([stop for _, stop in first + later])}")
        granary = Granary(folder / "0").start()
        try:
            print("idle (proportional set size, CPU):")
            show_idle(granary, options.settle, options.idle)
            for name in note(granary):
                print(f"{name} back after kill -9, s: {back_after_kill(granary, name):.2f}")
        finally:
            granary.stop()
    finally:
        shutil.rmtree(folder)
