"""A Granary of the benchmark's own, with the persisters that are measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._sinks import documents
from benchmarks._sinks.worker import Database, Worker, connected
from tests.conftest import wait_for
from tests.event_types.calling import Caller, draft
from tests.running import Granary

PARTITIONS = 8


@dataclass
class Running:
    """A Granary with a session of its database."""

    granary: Granary
    caller: Caller
    database: Database
    url: str

    @property
    def kafka(self) -> str:
        return str(self.granary.said["kafka"])

    def worker(self, name: str) -> Worker:
        """The persister of a new event type, stopped."""
        self.caller.post(f"/event-types/{name}", draft(name, partitionCount=PARTITIONS))
        path = f"/event-types/{name}/eventstores/pg/persister"
        return Worker(self.caller, self.database, path, f"grnry-p-pg-{name}")

    def live(self, name: str, schema: dict[str, Any]) -> Worker:
        """The persister of a new live segment, stopped, with one task."""
        body = {"displayName": name, "type": "live_segment", "partitionCount": PARTITIONS}
        self.caller.post(f"/event-types/{name}", {**body, "schema": schema})
        path = f"/event-types/{name}/eventstores/live-segment/persister"
        worker = Worker(self.caller, self.database, path, f"grnry-p-live-segment-{name}")
        wait_for(lambda: worker.state() == "RUNNING", 60, f"{name} runs")
        worker.stop()
        self.caller.put(path, {"tasks.max": "1", "batchSize": str(documents.BATCH)})
        return worker

    def empty(self, table: str = "public.eventstore") -> None:
        self.database.execute(f"truncate {table}".encode())

    def count(self, table: str = "public.eventstore") -> int:
        row = self.database.execute(f"select count(*) as rows from {table}".encode()).fetchone()
        assert row is not None
        return int(row["rows"])


@contextmanager
def running(data: Path) -> Iterator[Running]:
    granary = Granary(data).start()
    try:
        with connected(granary.platform_url) as database:
            caller = Caller(granary)
            yield Running(granary, caller, database, granary.platform_url)
            caller.close()
    finally:
        granary.stop()
