"""Workers against their budget: START to RUNNING, STOP to STOPPED, and what idle ones take.

Each worker is the persister of an event type with the default 32 partitions. Other work on the
machine makes times longer; figures of the run's own load are printed beside them.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.household import Verdicts, proportional_mb
from grnry.household.usage import cpu_seconds
from tests.conftest import wait_for
from tests.event_types.calling import Caller, draft
from tests.running import Granary, seconds

BUDGET_START_SECONDS = 1.0
BUDGET_TWENTY_SECONDS = 4.0
BUDGET_STOP_SECONDS = 1.0
BUDGET_MB = 30.0
BUDGET_CPU_PERCENT = 0.2
EVENT = {"user": "u", "text": "x" * 300}


class Workers:
    """Persisters, asked and looked at as users do."""

    def __init__(self, granary: Granary, number: int) -> None:
        self._granary = granary
        self._caller = Caller(granary)
        self.names = [f"bench{number:03}" for number in range(number)]
        for name in self.names:
            self.make(name)

    def make(self, name: str) -> None:
        self._caller.post(f"/event-types/{name}", draft(name, partitionCount=32))

    def delete(self, name: str) -> None:
        self._caller.delete(f"/event-types/{name}")

    def ask(self, name: str, action: str) -> None:
        self._caller.post(_path(name, "/state"), {"action": action})

    def state(self, name: str) -> str:
        return str(self._caller.get(_path(name, "/state"))["status"])

    def _is(self, name: str, state: str) -> bool:
        return self.state(name) == state

    def until(self, names: Sequence[str], state: str) -> None:
        for name in names:
            wait_for(partial(self._is, name, state), 300, f"{name} is {state}")

    def all_at_once(self, names: Sequence[str], action: str, state: str) -> float:
        def run() -> None:
            for name in names:
                self.ask(name, action)
            self.until(names, state)

        return seconds(run)

    def feed(self, name: str, number: int) -> None:
        events = [{**EVENT, "id": str(n)} for n in range(number)]
        for at in range(0, number, 5000):
            self._caller.post(f"/event-types/{name}/events", events[at : at + 5000], 202)

    def progress(self, name: str) -> dict[str, int]:
        found = self._caller.get(_path(name, "/state?expand=progress"))["progress"]
        return {key: int(value) for key, value in found.items()}

    def rows(self, name: str) -> int:
        with self._granary.platform() as connection:
            row = connection.execute(
                "select count(*) as rows from public.eventstore where event_type = %s", [name]
            ).fetchone()
        return int(row["rows"]) if row else 0

    def pids(self) -> list[int]:
        """Of the workers of these event types, as the reconciler has noted them."""
        with self._granary.platform() as connection:
            rows = connection.execute(
                "select (process->>0)::int as pid from grnry.deployments,"
                " jsonb_array_elements(saved->'processes') as process where name = any(%s)",
                [[f"grnry-p-pg-{name}" for name in self.names]],
            ).fetchall()
        return [int(row["pid"]) for row in rows]


def _path(name: str, rest: str) -> str:
    return f"/event-types/{name}/eventstores/pg/persister{rest}"


def one_by_one(workers: Workers, number: int) -> tuple[list[float], list[float]]:
    names = workers.names[:number]
    return (
        [workers.all_at_once([name], "START", "RUNNING") for name in names],
        [workers.all_at_once([name], "STOP", "STOPPED") for name in names],
    )


def stop_under_load(workers: Workers, verdicts: Verdicts) -> None:
    """Stopped in the middle of its work: the batch in hand is stored, and nothing of another."""
    name = "bench-busy"
    workers.make(name)
    workers.feed(name, 60_000)
    workers.all_at_once([name], "START", "RUNNING")
    wait_for(lambda: workers.progress(name)["records"] > 0, 60, "it stores")
    took = workers.all_at_once([name], "STOP", "STOPPED")
    done = workers.progress(name)
    print(f"stopped with {done['lag']} records left; rows {workers.rows(name)}", end=", ")
    print(f"records done {done['records']}")
    if workers.rows(name) != done["records"]:
        verdicts.failed.append("rows are what is done")
    verdicts.judge("STOP under load", took, BUDGET_STOP_SECONDS, "s")
    workers.delete(name)


def idle(workers: Workers, settle: float, watched: float, verdicts: Verdicts) -> None:
    took = workers.all_at_once(workers.names, "START", "RUNNING")
    print(f"{len(workers.names)} at once are RUNNING in {took:.2f} s")
    time.sleep(settle)
    pids = workers.pids()
    before = {pid: cpu_seconds(pid) for pid in pids}
    time.sleep(watched)
    memory = [proportional_mb(pid) for pid in pids]
    cpu = [(cpu_seconds(pid) - before[pid]) / watched * 100 for pid in pids]
    print(f"{len(pids)} workers: {sum(memory):.0f} MB, {sum(cpu):.2f} % of a core, all together")
    verdicts.judge("memory of the largest", max(memory), BUDGET_MB, "MB")
    verdicts.judge("CPU of a worker, mean", statistics.mean(cpu), BUDGET_CPU_PERCENT, "% of a core")
    if len(pids) != len(workers.names):
        verdicts.failed.append(f"{len(pids)} workers run")
    took = workers.all_at_once(workers.names, "STOP", "STOPPED")
    print(f"{len(workers.names)} at once are STOPPED in {took:.2f} s")


def measure(workers: Workers, options: argparse.Namespace, verdicts: Verdicts) -> None:
    starts, stops = one_by_one(workers, min(20, len(workers.names)))
    for what, times, budget in (
        ("START to RUNNING, p50 of one after the other", starts, BUDGET_START_SECONDS),
        ("STOP to STOPPED, p50 of one after the other", stops, BUDGET_STOP_SECONDS),
    ):
        print(" ".join(f"{each:.2f}" for each in sorted(times)))
        verdicts.judge(what, statistics.median(times), budget, "s")
    twenty = workers.names[:20]
    took = workers.all_at_once(twenty, "START", "RUNNING")
    verdicts.judge(f"{len(twenty)} at once, all RUNNING", took, BUDGET_TWENTY_SECONDS, "s")
    workers.all_at_once(twenty, "STOP", "STOPPED")
    stop_under_load(workers, verdicts)
    idle(workers, options.settle, options.idle, verdicts)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks deployments", description=__doc__)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--settle", type=float, default=10.0, help="seconds before they are idle")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds of CPU to watch")
    options = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="grnry-bench-"))
    verdicts = Verdicts()
    granary = Granary(folder / "data").start()
    try:
        print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        measure(Workers(granary, options.workers), options, verdicts)
        print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    finally:
        granary.stop()
        shutil.rmtree(folder)
    if verdicts.failed:
        sys.exit(f"above the budget: {', '.join(verdicts.failed)}")
