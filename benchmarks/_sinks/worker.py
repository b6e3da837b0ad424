"""One persister of a running Granary with a single worker: run over a backlog, and measured."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks._sinks.goals import Goals
from grnry.household.usage import cpu_seconds, proportional_bytes
from tests.conftest import wait_for
from tests.event_types.calling import Caller

Database = psycopg.Connection[dict[str, Any]]
LOOK_SECONDS = 0.03
MEMORY_SECONDS = 0.4
LONGEST_SECONDS = 900.0


@dataclass
class Measured:
    """From the first committed batch to the last."""

    rate: float
    worker_us: float
    """Microseconds of a core for a record, which other work on the machine does not change much."""
    server_us: float
    peak_mb: float

    def __str__(self) -> str:
        cpu = f"CPU a record: worker {self.worker_us:.1f} µs, database {self.server_us:.1f} µs"
        return f"{self.rate:,.0f} rows/s, {cpu}, at most {self.peak_mb:.0f} MB"


@dataclass
class Worker:
    """A persister by its path in the API and the name of its deployment."""

    caller: Caller
    database: Database
    path: str
    deployment: str

    def stored(self) -> int:
        query = (
            "select coalesce(sum(next_offset), 0)::bigint as records from grnry.leases"
            " where deployment = %s"
        )
        row = self.database.execute(query, [self.deployment]).fetchone()
        return int(row["records"]) if row else 0

    def state(self) -> str:
        return str(self.caller.get(f"{self.path}/state").get("status"))

    def ask(self, action: str, state: str) -> None:
        self.caller.post(f"{self.path}/state", {"action": action})
        wait_for(lambda: self.state() == state, 60, f"{self.deployment} is {state}")

    def stop(self) -> None:
        self.ask("STOP", "STOPPED")

    def forget(self) -> None:
        """It reads from the beginning when it is started again."""
        self.database.execute("delete from grnry.leases where deployment = %s", [self.deployment])

    def pid(self) -> int:
        row = self.database.execute(
            "select (process->>0)::int as pid from grnry.deployments,"
            " jsonb_array_elements(saved->'processes') as process where name = %s",
            [self.deployment],
        ).fetchone()
        assert row is not None
        return int(row["pid"])

    def backends(self) -> set[int]:
        """The server's processes that it writes by."""
        rows = self.database.execute(
            "select pid from pg_stat_activity where application_name = %s", [self.deployment]
        )
        return {int(row["pid"]) for row in rows}

    def run(self, records: int, *, keep: bool = False) -> Measured:
        """Start it, let it store so many further records, and stop it unless it is to be kept."""
        before = self.stored()
        self.caller.post(f"{self.path}/state", {"action": "START"})
        wait_for(lambda: self.stored() > before, 60, "the first batch is stored")
        first, began = self.stored(), time.monotonic()
        pid, backends = self.pid(), self.backends()
        worker_cpu, server_cpu = cpu_seconds(pid), sum(map(cpu_seconds, backends))
        peak = self._watch(before + records, pid)
        took = time.monotonic() - began
        share = 1e6 / max(before + records - first, 1)
        measured = Measured(
            (before + records - first) / took,
            (cpu_seconds(pid) - worker_cpu) * share,
            # A session that has begun since has done nothing before.
            (sum(map(cpu_seconds, self.backends())) - server_cpu) * share,
            peak,
        )
        if not keep:
            self.stop()
        return measured

    def _watch(self, end: int, pid: int) -> float:
        """Until all is stored; answers the most memory that it took, in MB."""
        peak, look_at = 0.0, 0.0
        deadline = time.monotonic() + LONGEST_SECONDS
        while self.stored() < end:
            assert time.monotonic() < deadline, f"not stored within {LONGEST_SECONDS:.0f} s"
            if time.monotonic() > look_at:
                peak = max(peak, memory_mb(pid))
                look_at = time.monotonic() + MEMORY_SECONDS
            time.sleep(LOOK_SECONDS)
        return max(peak, memory_mb(pid))

    def judge_idle(self, settle: float, seconds: float, goals: Goals) -> None:
        """Its memory and its share of a core when a backlog is worked off."""
        time.sleep(settle)
        pid = self.pid()
        before, began = cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        used = (cpu_seconds(pid) - before) / (time.monotonic() - began) * 100
        goals.below("memory, idle after a backlog", [memory_mb(pid)], 30, " MB")
        goals.below("CPU, idle", [used], 0.2, " %")
        self.stop()


def memory_mb(pid: int) -> float:
    return (proportional_bytes(pid) or 0) / 2**20


def latencies(
    send: Callable[[int], None], is_visible: Callable[[int], bool], number: int
) -> tuple[float, float]:
    """Milliseconds from sending one to its row, p50 and p99, one at a time."""
    times = []
    for each in range(number):
        began = time.monotonic()
        send(each)
        while not is_visible(each):
            assert time.monotonic() - began < 30, f"number {each} is not visible"
            time.sleep(0.002)
        times.append((time.monotonic() - began) * 1000)
        # Not in step with anything that happens at intervals.
        time.sleep(0.05 + each % 7 * 0.01)
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[98]


def connected(url: str) -> Database:
    return psycopg.connect(url, autocommit=True, row_factory=dict_row)
