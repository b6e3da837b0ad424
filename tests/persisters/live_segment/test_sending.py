"""Batches of a live segment that are sent: of each id the last one counts."""

import json
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from grnry.persisters.live_segment.table import LiveTable
from grnry.sinks.batch import Batch
from grnry.sinks.relay import Relay
from tests.conftest import wait_for
from tests.persisters.live_segment.test_altered import SCHEMA, a_writer, an_owner, made, rows
from tests.sinks.records import Made

__all__ = ["an_owner"]


@pytest.fixture
def pair(
    owner: psycopg.Connection[DictRow], worker_database_url: str
) -> Iterator[tuple[Relay, LiveTable]]:
    writer, target = a_writer(worker_database_url)
    writer.write(Batch.of([made(0)], target))
    yield Relay(writer), target
    writer.disconnect()


def record(at: int, id_: int, age: Any) -> Made:
    return Made(at, json.dumps({"id": id_, "age": age}).encode())


def tombstone(at: int, id_: int) -> Made:
    return Made(at, None, of_key=b"%d" % id_)


@pytest.mark.parametrize("seed", range(8))
def test_the_last_of_each_id_counts(
    pair: tuple[Relay, LiveTable], owner: psycopg.Connection[DictRow], seed: int
) -> None:
    """Poison, tombstones, and rows that somebody locks for a moment among them."""
    relay, target = pair
    chance = random.Random(seed)
    model: dict[int, int | None] = {0: None}
    at, dead = 1, []
    for _ in range(40):
        records = []
        for _ in range(chance.randrange(1, 40)):
            id_, kind = chance.randrange(30), chance.random()
            if kind < 0.1:
                records.append(tombstone(at, id_))
                model.pop(id_, None)
            elif kind < 0.11:
                records.append(record(at, id_, "no number"))
                dead.append(at)
            else:
                records.append(record(at, id_, at))
                model[id_] = at
            at += 1
        relay.send(Batch.of(records, target))
        if chance.random() < 0.1:
            relay.settle()
    relay.settle()
    assert {row["id"]: row["age"] for row in rows(owner, "select * from global.live")} == model
    found = rows(owner, "select record_offset from grnry.dead_letters order by 1")
    assert [row["record_offset"] for row in found] == dead
    assert rows(owner, "select next_offset from grnry.leases") == [{"next_offset": at}]


@pytest.fixture
def leases_locked(
    pair: tuple[Relay, LiveTable], owner: psycopg.Connection[DictRow], database_url: str
) -> Iterator[psycopg.Connection[Any]]:
    """By somebody else, so that nothing is committed; both sessions are open before."""
    relay, target = pair
    with psycopg.connect(database_url) as another:
        another.execute("lock table global.live")
        for at in (1, 2):
            relay.send(Batch.of([record(at, 0, at)], target))
        another.rollback()
        relay.settle()
        relay.stored()
        another.execute("select from grnry.leases for update")
        yield another
        another.rollback()


def writers(owner: psycopg.Connection[DictRow]) -> int:
    """How many of our sessions have written to the table, or wait to."""
    found = rows(
        owner,
        "select count(distinct pid) as number from pg_locks where mode = 'RowExclusiveLock'"
        " and relation = 'global.live'::regclass",
    )
    return int(found[0]["number"])


def test_an_upsert_waits_for_no_commit(
    pair: tuple[Relay, LiveTable],
    owner: psycopg.Connection[DictRow],
    leases_locked: psycopg.Connection[Any],
) -> None:
    """But for one that has written the same row: the later one is the last."""
    relay, target = pair
    relay.send(Batch.of([record(3, 1, 3), record(4, 2, 4)], target))
    relay.send(Batch.of([record(5, 2, 5), record(6, 3, 6)], target))
    wait_for(lambda: writers(owner) == 2, 4, "both have written")
    assert [row["id"] for row in rows(owner, "select id from global.live")] == [0]
    leases_locked.rollback()
    relay.settle()
    found = rows(owner, "select id, age from global.live order by id")
    assert [(row["id"], row["age"]) for row in found] == [(0, 2), (1, 3), (2, 5), (3, 6)]
    assert [len(batch.records) for batch in relay.stored()] == [2, 2]


def test_a_deletion_finds_what_was_written_before_it(
    pair: tuple[Relay, LiveTable],
    owner: psycopg.Connection[DictRow],
    leases_locked: psycopg.Connection[Any],
) -> None:
    relay, target = pair
    relay.send(Batch.of([record(3, 1, 3), record(4, 2, 4)], target))
    relay.send(Batch.of([tombstone(5, 2), record(6, 3, 6)], target))
    wait_for(lambda: writers(owner) == 1, 4, "the first has written")
    leases_locked.rollback()
    relay.settle()
    found = rows(owner, "select id, age from global.live order by id")
    assert [(row["id"], row["age"]) for row in found] == [(0, 2), (1, 3), (3, 6)]


def test_a_constraint_that_refuses_on_the_way(
    pair: tuple[Relay, LiveTable], owner: psycopg.Connection[DictRow]
) -> None:
    """Only the upsert finds it, while the next batch waits already."""
    relay, target = pair
    owner.execute("alter table global.live add check (age >= 18)")
    for at, age in enumerate((20, 7, 30, 8, 40), start=1):
        relay.send(Batch.of([record(at, 1, age), record(at, at, age)], target))
    relay.settle()
    found = rows(owner, "select id, age from global.live order by id")
    assert [(row["id"], row["age"]) for row in found] == [(0, None), (1, 40), (3, 30), (5, 40)]
    assert {row["record_offset"] for row in rows(owner, "select * from grnry.dead_letters")} == {
        2,
        4,
    }


def test_a_new_version_between_two_that_are_sent(
    pair: tuple[Relay, LiveTable], owner: psycopg.Connection[DictRow]
) -> None:
    relay, target = pair
    batches = [Batch.of([record(at, at, at)], target) for at in (1, 2, 3)]
    relay.send(batches[0])
    wider = {**SCHEMA, "properties": {**SCHEMA["properties"], "more": {"type": "string"}}}
    with owner.transaction():
        owner.execute("alter table global.live add more text")
        owner.execute(
            "insert into grnry.event_type_versions (name, version, eventstore_ttl,"
            " schema_document) values ('live', 2, 'P1D', %s)",
            [json.dumps(wider)],
        )
    relay.send(batches[1])
    relay.send(batches[2])
    relay.send(Batch.of([Made(4, b'{"id": 4, "more": "yes"}')], target))
    relay.settle()
    found = rows(owner, "select id, age, more from global.live order by id")
    assert [tuple(row.values()) for row in found] == [
        (0, None, None),
        (1, 1, None),
        (2, 2, None),
        (3, 3, None),
        (4, None, "yes"),
    ]
