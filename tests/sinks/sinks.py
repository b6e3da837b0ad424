"""A writer with its target and real transactions, and a look at its dead letters."""

import json
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import DictRow

from grnry.database.leases import Leases
from grnry.sinks.batch import Batch
from grnry.sinks.replays import NOTHING, Replayed
from grnry.sinks.target import Target
from grnry.sinks.writer import Writer
from tests.sinks.records import TOPIC, Made

DEPLOYMENT = "grnry-p-pg-calls"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["id", "age"],
}


class Sink:
    """A writer, its target, and a look at the dead letters as their owner."""

    def __init__(self, url: str, owner: psycopg.Connection[DictRow], target: Target) -> None:
        self.owner = owner
        self.target = target
        self._url = url
        self._writers: list[Writer] = []
        self.writer = self.another("first")

    def another(
        self, name: str, topic_id: str | None = None, numbers: Sequence[int] = (0, 1)
    ) -> Writer:
        """Who takes partitions of a topic over."""
        made = Writer(self._url, DEPLOYMENT, Leases(DEPLOYMENT, name), self.target)
        made.take([(TOPIC, number) for number in numbers], topic_id)
        self._writers.append(made)
        return made

    def read(self, topic_id: str, numbers: Sequence[int] = (0, 1)) -> None:
        """From now on by another worker, who knows which topic it is."""
        self.writer = self.another(f"worker {len(self._writers)}", topic_id, numbers)

    def write(self, *records: Made) -> None:
        self.writer.write(Batch.of(records, self.target))

    def queue(self, at: int | None = None, payload: bytes | None = None, **more: bool) -> None:
        """What the API does: all that failed, or one with another payload."""
        self.owner.execute(
            "update grnry.dead_letters set state = 'queued', is_edited = %(edited)s,"
            " edited_payload = %(payload)s, is_forced = %(forced)s"
            " where state in ('failed', 'superseded') and coalesce(%(at)s, record_offset)"
            " = record_offset and (state = 'failed' or %(forced)s)",
            {
                "at": at,
                "edited": payload is not None or more.get("tombstone", False),
                "payload": payload,
                "forced": more.get("forced", False),
            },
        )

    def replay(self) -> Replayed:
        """Until nothing is left to do."""
        done = Replayed()
        while (found := self.writer.replay()) != NOTHING:
            done = Replayed(
                done.stored + found.stored,
                done.failed + found.failed,
                done.superseded + found.superseded,
            )
        return done

    def rows(self, statement: str) -> list[dict[str, Any]]:
        return self.owner.execute(statement.encode()).fetchall()

    @property
    def states(self) -> dict[tuple[int, int], str]:
        found = self.rows("select partition, record_offset, state from grnry.dead_letters")
        return {(row["partition"], row["record_offset"]): row["state"] for row in found}

    @property
    def events(self) -> dict[str, Any]:
        found = self.rows("select event_id, message from public.eventstore")
        return {row["event_id"]: row["message"] for row in found}

    @property
    def live(self) -> dict[str, int]:
        return {row["id"]: row["age"] for row in self.rows("select * from global.live")}

    def close(self) -> None:
        for writer in self._writers:
            writer.disconnect()


def add_version(owner: psycopg.Connection[DictRow], number: int, schema: dict[str, Any]) -> None:
    owner.execute(
        "insert into grnry.event_type_versions (name, version, eventstore_ttl, schema_document)"
        " values ('live', %s, 'P1D', %s)",
        [number, json.dumps(schema)],
    )


def record(at: int, id_: str, age: object) -> Made:
    return Made(at, json.dumps({"id": id_, "age": age}).encode(), of_key=id_.encode())
