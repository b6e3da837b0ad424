"""10,000 records that a schema forbids, replayed once it is put right, while all is killed."""

import contextlib
import json
import os
import signal
from collections import Counter
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from tests.conftest import wait_for
from tests.event_types.calling import Caller
from tests.running import Granary

COUNT = 10_000
NAME = "orders"
DEPLOYMENT = f"grnry-p-live-segment-{NAME}"
TABLE = f"global.grnry_live_sgmt_{NAME}"
BEFORE, DURING = range(100), range(COUNT - 100, COUNT)
"""Ids of which a newer record comes before the replay, and while it is under way."""


def schema(*states: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "state": {"enum": list(states)}},
        "required": ["id", "state"],
    }


def draft(*states: str) -> dict[str, Any]:
    return {
        "displayName": NAME,
        "type": "live_segment",
        "partitionCount": 2,
        "schema": schema(*states),
    }


def produce(granary: Granary, ids: range, state: str) -> None:
    producer = Producer({"bootstrap.servers": granary.said["kafka"], "linger.ms": 20})
    for number in ids:
        record = json.dumps({"id": number, "state": state})
        producer.produce(f"grnry_live_segment_{NAME}", record, str(number))
        producer.poll(0)
    assert producer.flush(60) == 0


def rows(granary: Granary, statement: str) -> list[dict[str, Any]]:
    with granary.platform() as connection:
        return connection.execute(statement.encode()).fetchall()


def states(granary: Granary) -> dict[str, int]:
    statement = f"select state, count(*) from grnry.dead_letters where deployment = '{DEPLOYMENT}'"
    return {row["state"]: row["count"] for row in rows(granary, f"{statement} group by state")}


def note_every_write(granary: Granary) -> None:
    """A trigger that writes down what is written into the table, in the same transaction."""
    with granary.platform() as connection:
        connection.execute("create table global.written (id bigint, state text)")
        connection.execute(
            "create function global.note() returns trigger language plpgsql security definer as"
            " $$begin insert into global.written values (new.id, new.state); return new; end$$"
        )
        connection.execute(
            f"create trigger noted after insert or update on {TABLE}"
            " for each row execute function global.note()".encode()
        )


def make_gates(granary: Granary) -> None:
    """A trigger that waits for a gate when a letter's replay is written down, after its row."""
    with granary.platform() as connection:
        connection.execute("create table global.gates as select generate_series(1, 9999) as id")
        connection.execute(
            "create function global.pass() returns trigger language plpgsql security definer as"
            " $$begin perform from global.gates where id = convert_from(new.key, 'utf8')::bigint"
            " for update; return new; end$$"
        )
        connection.execute(
            "create trigger passed before update on grnry.dead_letters for each row"
            " when (new.state = 'replayed' and new.key in ('2500', '7500'))"
            " execute function global.pass()"
        )


STORING = f"insert into {TABLE} values (%s, 'new')"
"""A row that nobody has committed: a replay waits while it stores the row of that id."""
ENDING = "select from global.gates where id = %s for update"
"""A gate that is shut: it waits while it writes down that the row is stored."""


class Barrier:
    """A replay comes as far as an id, and waits within its transaction."""

    def __init__(self, granary: Granary, id_: int, where: str) -> None:
        self._granary = granary
        self._id = id_
        self._connection = granary.platform()
        self._connection.autocommit = False
        self._connection.execute(where.encode(), [id_])

    def wait(self) -> None:
        pid = self._connection.info.backend_pid
        waits = f"select from pg_locks where not granted and {pid} = any(pg_blocking_pids(pid))"
        wait_for(lambda: rows(self._granary, waits), 120, what=f"the replay comes to {self._id}")

    def lift(self) -> None:
        # Its server may have been killed.
        with contextlib.suppress(psycopg.Error):
            self._connection.rollback()
        self._connection.close()


def kill(granary: Granary, victim: str) -> None:
    if victim == "workers":
        for pid in granary.worker_pids(granary.pid("reconciler")):
            os.kill(pid, signal.SIGKILL)
    elif victim == "all":
        os.kill(granary.process.pid, signal.SIGKILL)
        granary.wait()
        granary.start()
    else:
        granary.kill(victim)


@pytest.mark.timeout(600)
def test_each_is_there_once(own_granary: Granary) -> None:
    granary = own_granary
    caller = Caller(granary)
    caller.post(f"/event-types/{NAME}", draft("new"))
    note_every_write(granary)
    make_gates(granary)
    produce(granary, range(COUNT), "paid")
    produce(granary, BEFORE, "new")
    expected = {"failed": COUNT - len(BEFORE), "superseded": len(BEFORE)}
    wait_for(lambda: states(granary) == expected, 120, what="all are dead letters")
    caller.put(f"/event-types/{NAME}", draft("new", "paid"))

    barriers = [(7500, ENDING), (5000, STORING)]
    barrier = Barrier(granary, 2500, ENDING)
    queued = caller.post(f"/dead-letters/{DEPLOYMENT}:replay", {})["queued"]
    assert queued == COUNT - len(BEFORE)
    for victim in ("workers", "postgres", "all"):
        barrier.wait()
        done = states(granary)
        assert 0 < done["queued"] < queued
        kill(granary, victim)
        if victim == "workers":
            produce(granary, DURING, "new")
        lifted = barrier
        if barriers:
            barrier = Barrier(granary, *barriers.pop())
        lifted.lift()
    wait_for(lambda: "queued" not in states(granary), 240, what="all are replayed")
    judge(granary)
    caller.close()


def judge(granary: Granary) -> None:
    """One row of each id, and each written as often as it may have been."""
    found = {row["id"]: row["state"] for row in rows(granary, f"select id, state from {TABLE}")}
    newer = {*BEFORE, *DURING}
    assert found == {each: "new" if each in newer else "paid" for each in range(COUNT)}
    written = Counter(
        (row["id"], row["state"]) for row in rows(granary, "select id, state from global.written")
    )
    once = Counter(dict.fromkeys(found.items(), 1))
    # What came while the replay was under way may have been replayed just before.
    more = written - once
    assert once <= written
    assert all(
        count == 1 and state == "paid" and id_ in DURING for (id_, state), count in more.items()
    )
    attempts = rows(
        granary, "select state, max(attempts) as most from grnry.dead_letters group by state"
    )
    assert {row["state"]: row["most"] for row in attempts}["replayed"] == 1
