"""An event type with rows of any age, for the reaper to go over."""

import threading
from datetime import UTC, datetime
from typing import Any

import psycopg

from grnry.database.address import Place
from grnry.database.pool import Database
from grnry.events.expiry.reaper import Reaper
from grnry.log.admin import Admin
from grnry.log.producer import Producer
from grnry.log.records import Record
from grnry.log.tail import tail
from tests.event_types.calling import Caller
from tests.how_to import statements
from tests.persisters.elsewhere import Warehouse, configure

NOW = datetime.now(UTC)
MS = int(NOW.timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR
OWN = Place("localhost", 5432, "grnry", ssl=False)
"""Nobody names it here."""
(OWN_TABLE,) = [each for each in statements("persisters.md") if each.startswith("create table")]


FLAG = "grnry-deletion-flag"


class Field:
    """One event type of the shared Granary, with rows of any age in the table of its persister."""

    def __init__(
        self,
        caller: Caller,
        database: Database,
        producer: Producer,
        warehouse: Warehouse | None = None,
    ) -> None:
        self.caller = caller
        self.warehouse = warehouse
        self._kafka = caller.granary.said["kafka"]
        self.database = database
        self.producer = producer
        self.name = caller.make(eventstoreTTL="P1D", partitionCount=2)
        self.table = "public.eventstore"
        if warehouse:
            configure(caller, self.name, warehouse.config())

    def reaper(self, stopping: threading.Event | None = None) -> Reaper:
        return Reaper(self.database, self.producer, OWN, stopping)

    def add(self, event_id: str, age: int, entity: str = "u") -> None:
        self.run(
            "insert into {table} (event_type, correlation_id, event_id, created,"
            " event_type_version, event_harvester, partition_id, partition_offset)"
            " values (%s, %s, %s, %s, 3, 'web', 0, 0)",
            self.name,
            entity,
            event_id,
            MS - age,
        )

    def connect(self) -> "psycopg.Connection[dict[str, Any]]":
        return self.warehouse.connect() if self.warehouse else self.caller.granary.platform()

    def run(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with self.connect() as connection:
            done = connection.execute(statement.replace("{table}", self.table).encode(), values)
            return done.fetchall() if done.description else []

    def told(self) -> list[Record]:
        """The deletion events in the topic, in the order of their partitions."""
        admin = Admin(self._kafka)
        spans = admin.spans(admin.partitions(f"grnry_data_in_{self.name}"))
        starts = {one: span.start for one, span in spans.items()}
        found = tail(self._kafka, starts, {one: span.end for one, span in spans.items()})
        return [one for one in found if dict(one.headers() or ()).get(FLAG) == (b"true")]

    def told_ids(self) -> list[str]:
        found = [dict(record.headers() or ())["grnry-event-id"] for record in self.told()]
        return sorted((each or b"").decode() for each in found)

    def end(self, event_id: str, expires: int) -> None:
        self.run(
            "update {table} set ttl = 'P1D', expires = %s where event_type = %s and event_id = %s",
            expires,
            self.name,
            event_id,
        )

    def ids(self) -> list[str]:
        statement = "select event_id from {table} where event_type = %s order by 1"
        return [row["event_id"] for row in self.run(statement, self.name)]

    def move_into_the_project(self) -> None:
        """Its persister writes a table of the project's from now on."""
        self.table = f"global.own_{self.name}"
        self.as_project(OWN_TABLE.replace("sales.events", self.table))
        configure(self.caller, self.name, {"eventstore.tablename": self.table})

    def as_project(self, statement: str) -> None:
        self.caller.granary.do("sql", statement)

    def clear(self) -> None:
        self.run("delete from {table} where event_type = %s", self.name)
        self.caller.delete(f"/event-types/{self.name}")
        if self.table.startswith("global."):
            self.as_project(f"drop table {self.table}")
