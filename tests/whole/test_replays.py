"""10,000 records that a schema forbids, replayed once it is put right, while all is killed.

On the embedded log, and with fewer records and deaths on Apache Kafka, unless
GRNRY_TEST_BROKER=kafka has all of it there.
"""

import contextlib
import json
import os
import signal
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from tests.conftest import wait_for
from tests.event_types.calling import Caller
from tests.running import Granary
from tests.whole.conftest import BROKER

NAME = "orders"
DEPLOYMENT = f"grnry-p-live-segment-{NAME}"
TABLE = f"global.grnry_live_sgmt_{NAME}"
STORING = f"insert into {TABLE} values (%s, 'new')"
"""A row that nobody has committed: a replay waits while it stores the row of that id."""
ENDING = "select from global.gates where id = %s for update"
"""A gate that is shut: it waits while it writes down that the row is stored."""


@dataclass(frozen=True)
class Course:
    """How many records, and who is killed when the replay comes to which of them.

    These are of one partition, as the other one's worker waits for nobody.
    """

    count: int
    deaths: tuple[tuple[str, int, str], ...]

    @property
    def before(self) -> range:
        """Ids of which a newer record comes before the replay."""
        return range(100)

    @property
    def during(self) -> range:
        """Ids of which a newer record comes while it is under way."""
        return range(self.count - 100, self.count)


WHOLE = Course(
    10_000, (("workers", 2500, ENDING), ("postgres", 5000, STORING), ("all", 7500, ENDING))
)
SHORT = Course(4_000, (("workers", 2500, ENDING), ("all", 3600, STORING)))


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


def make_gates(granary: Granary, course: Course) -> None:
    """A trigger that waits for a gate when a letter's replay is written down, after its row."""
    shut = ", ".join(f"'{id_}'" for _, id_, where in course.deaths if where == ENDING)
    with granary.platform() as connection:
        connection.execute("create table global.gates as select generate_series(1, 9999) as id")
        connection.execute(
            "create function global.pass() returns trigger language plpgsql security definer as"
            " $$begin perform from global.gates where id = convert_from(new.key, 'utf8')::bigint"
            " for update; return new; end$$"
        )
        connection.execute(
            "create trigger passed before update on grnry.dead_letters for each row"
            f" when (new.state = 'replayed' and new.key in ({shut}))"
            " execute function global.pass()".encode()
        )


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
    go(own_granary, WHOLE)


@pytest.mark.timeout(600)
@pytest.mark.skipif(BROKER == "kafka", reason="the whole of it runs there")
def test_each_is_there_once_on_apache_kafka(kafka_granary: Granary) -> None:
    go(kafka_granary, SHORT)


def go(granary: Granary, course: Course) -> None:
    caller = Caller(granary)
    caller.post(f"/event-types/{NAME}", draft("new"))
    note_every_write(granary)
    make_gates(granary, course)
    produce(granary, range(course.count), "paid")
    produce(granary, course.before, "new")
    failed = course.count - len(course.before)
    expected = {"failed": failed, "superseded": len(course.before)}
    wait_for(lambda: states(granary) == expected, 120, what="all are dead letters")
    caller.put(f"/event-types/{NAME}", draft("new", "paid"))

    barriers = [Barrier(granary, id_, where) for _, id_, where in course.deaths[:1]]
    assert caller.post(f"/dead-letters/{DEPLOYMENT}:replay", {})["queued"] == failed
    for number, (victim, _, _) in enumerate(course.deaths, 1):
        barriers[-1].wait()
        assert 0 < states(granary)["queued"] < failed
        kill(granary, victim)
        if number == 1:
            produce(granary, course.during, "new")
        barriers += [Barrier(granary, id_, where) for _, id_, where in course.deaths[number:][:1]]
        barriers[number - 1].lift()
    wait_for(lambda: "queued" not in states(granary), 240, what="all are replayed")
    judge(granary, course)
    caller.close()


def judge(granary: Granary, course: Course) -> None:
    """One row of each id, and each written as often as it may have been."""
    found = {row["id"]: row["state"] for row in rows(granary, f"select id, state from {TABLE}")}
    newer = {*course.before, *course.during}
    assert found == {each: "new" if each in newer else "paid" for each in range(course.count)}
    written = Counter(
        (row["id"], row["state"]) for row in rows(granary, "select id, state from global.written")
    )
    once = Counter(dict.fromkeys(found.items(), 1))
    # What came while the replay was under way may have been replayed just before.
    more = written - once
    assert once <= written
    assert all(
        count == 1 and state == "paid" and id_ in course.during
        for (id_, state), count in more.items()
    )
    attempts = rows(
        granary, "select state, max(attempts) as most from grnry.dead_letters group by state"
    )
    assert {row["state"]: row["most"] for row in attempts}["replayed"] == 1
