"""Writers over a database of their own, and what they have written."""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.rows import DictRow

from grnry.persisters.event_store import EventStore
from grnry.sinks.batch import Batch
from grnry.sinks.writer import Writer
from tests.sinks.records import TOPIC, Made

DEPLOYMENT = "grnry-p-pg-calls"
ZERO, ONE = (TOPIC, 0), (TOPIC, 1)

TARGET = EventStore("calls")
MakeWriter = Callable[[str], Writer]


def batch(*records: Made) -> Batch:
    return Batch.of(records, TARGET)


class Look:
    """Looks into the database as its owner."""

    def __init__(self, connection: psycopg.Connection[DictRow], worker_url: str) -> None:
        self._connection = connection
        self._worker_url = worker_url

    def run(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def rows(self, statement: str) -> list[dict[str, Any]]:
        return self._connection.execute(statement.encode()).fetchall()

    @property
    def ids(self) -> list[str]:
        found = self.rows("select event_id from public.eventstore order by partition_offset")
        return [row["event_id"] for row in found]

    @property
    def dead(self) -> list[tuple[int, str | None]]:
        found = self.rows("select * from grnry.dead_letters order by record_offset")
        return [(row["record_offset"], row["sqlstate"]) for row in found]

    @property
    def offsets(self) -> dict[int, int | None]:
        found = self.rows("select partition, next_offset from grnry.leases")
        return {row["partition"]: row["next_offset"] for row in found}

    def end_backends(self) -> None:
        with psycopg.connect(self._worker_url, autocommit=True) as worker:
            worker.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where application_name = %s and datname = current_database()",
                [DEPLOYMENT],
            )
