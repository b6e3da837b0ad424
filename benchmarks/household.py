"""`grnry up` against its budget: start times, memory and CPU when idle, back after `kill -9`.

Other work on the machine makes times longer, so the best of some rounds is judged; memory and CPU
are judged as they are.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from grnry.household.usage import cpu_seconds, family_of, proportional_bytes
from tests.conftest import wait_for
from tests.running import Granary, seconds

BUDGET_MB = 250.0
BUDGET_CPU_PERCENT = 2.0
BUDGET_FIRST_SECONDS = 5.0
BUDGET_LATER_SECONDS = 2.0
BUDGET_BACK_SECONDS = 2.0


class Verdicts:
    """Each figure beside its budget; one above it fails the run."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def judge(self, what: str, found: float, budget: float, unit: str) -> None:
        is_kept = found <= budget
        if not is_kept:
            self.failed.append(what)
        word = "pass" if is_kept else "FAIL"
        print(f"{word}  {what}: {found:.2f} {unit}, at most {budget:g}")


def processes(granary: Granary) -> dict[str, dict[str, Any]]:
    return {process["name"]: process for process in granary.note()["processes"]}


def show_idle(granary: Granary, settle: float, watched: float, verdicts: Verdicts) -> None:
    time.sleep(settle)
    parts = {"supervisor": [granary.process.pid]}
    parts |= {name: [*family_of(process["pid"])] for name, process in processes(granary).items()}
    memory = {name: sum(map(proportional_mb, pids)) for name, pids in parts.items()}
    before = {name: sum(map(cpu_seconds, pids)) for name, pids in parts.items()}
    time.sleep(watched)
    cpu = {
        name: (sum(map(cpu_seconds, pids)) - before[name]) / watched * 100
        for name, pids in parts.items()
    }
    for name in parts:
        print(f"  {name:12} {memory[name]:7.1f} MB {cpu[name]:6.2f} % of a core")
    verdicts.judge("memory when idle", sum(memory.values()), BUDGET_MB, "MB")
    verdicts.judge("CPU when idle", sum(cpu.values()), BUDGET_CPU_PERCENT, "% of a core")


def proportional_mb(pid: int) -> float:
    return (proportional_bytes(pid) or 0) / 2**20


def back_after_kill(granary: Granary, name: str) -> float:
    before = processes(granary)[name]["pid"]

    def is_back() -> bool:
        now = processes(granary)[name]
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
    verdicts = Verdicts()
    try:
        measure(folder, options, verdicts)
    finally:
        shutil.rmtree(folder)
    if verdicts.failed:
        sys.exit(f"above the budget: {', '.join(verdicts.failed)}")


def measure(folder: Path, options: argparse.Namespace, verdicts: Verdicts) -> None:
    first = [start_and_stop(Granary(folder / str(n))) for n in range(options.rounds)]
    later = [start_and_stop(Granary(folder / "0")) for _ in range(options.rounds)]
    for what, times, budget in (
        ("start on an empty folder", first, BUDGET_FIRST_SECONDS),
        ("start later", later, BUDGET_LATER_SECONDS),
    ):
        starts = [start for start, _ in times]
        print(f"{what}, s: {spread(starts)}")
        verdicts.judge(what, min(starts), budget, "s (the best)")
    print(f"stop, s: {spread([stop for _, stop in first + later])}")
    granary = Granary(folder / "0").start()
    try:
        print("idle (proportional set size, CPU):")
        show_idle(granary, options.settle, options.idle, verdicts)
        for name in processes(granary):
            back = [back_after_kill(granary, name) for _ in range(options.rounds)]
            what = f"{name} back after kill -9"
            print(f"{what}, s: {spread(back)}")
            verdicts.judge(what, min(back), BUDGET_BACK_SECONDS, "s (the best)")
    finally:
        granary.stop()
