"""Partitions move between a live segment's tasks, and no id is written out of order meanwhile."""

import contextlib
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.conftest import wait_for
from tests.event_types.calling import Caller

NAME = "moving"
PATH = f"/event-types/{NAME}/eventstores/live-segment/persister"
DEPLOYMENT = f"grnry-p-live-segment-{NAME}"
TABLE = f"global.grnry_live_sgmt_{NAME}"
PARTITIONS = 6
IDS = 200
BATCH = 500
ROUNDS = 10
SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "number": {"type": "integer"}},
    "required": ["id", "number"],
}
JUDGE = f"""
create table global.backwards (id bigint, before bigint, after bigint);
create function global.judge() returns trigger language plpgsql security definer as
  $$begin
    if new.number <= old.number then
      insert into global.backwards values (new.id, old.number, new.number);
    end if;
    return new;
  end$$;
create trigger judge after update on {TABLE} for each row execute function global.judge();
"""


class Model:
    """Writes numbers that only grow, and tombstones, and knows what is to be there at the end."""

    def __init__(self, bootstrap: str, chance: random.Random) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
        self._chance = chance
        self._number = 0
        self.rows: dict[int, int] = {}

    def write(self) -> None:
        for _ in range(BATCH):
            id_ = self._chance.randrange(IDS)
            self._number += 1
            if self._chance.random() < 0.1:
                self.rows.pop(id_, None)
                value = None
            else:
                self.rows[id_] = self._number
                value = json.dumps({"id": id_, "number": self._number})
            self._producer.produce(f"grnry_live_segment_{NAME}", value, str(id_))
        assert self._producer.flush(60) == 0


@pytest.fixture(name="ask")
def a_live_segment(caller: Caller) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    draft = {"displayName": NAME, "type": "live_segment", "schema": SCHEMA}
    caller.post(f"/event-types/{NAME}", {**draft, "partitionCount": PARTITIONS})
    with caller.granary.platform() as connection:
        connection.execute(JUDGE.encode())
        yield lambda statement: connection.execute(statement.encode()).fetchall()
    caller.delete(f"/event-types/{NAME}?purge=true")


def signal_one(ask: Callable[[str], list[dict[str, Any]]], number: int, chance: int) -> int:
    """Kill or freeze one of its tasks; answers which process, or 0."""
    (row,) = ask(f"select saved from grnry.deployments where name = '{DEPLOYMENT}'")
    processes = (row["saved"] or {}).get("processes", [])
    if processes:
        pid = int(processes[chance % len(processes)][0])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return pid
    return 0


@pytest.mark.timeout(300)
def test_each_id_has_its_last_record(
    caller: Caller, ask: Callable[[str], list[dict[str, Any]]]
) -> None:
    chance = random.Random(int(os.environ["GRNRY_FAULT_SEED"]))
    model = Model(caller.granary.said["kafka"], chance)
    frozen: list[int] = []
    for round_ in range(ROUNDS):
        model.write()
        before = stored(ask)
        model.write()
        match round_ % 3:
            case 0:
                signal_one(ask, signal.SIGKILL, chance.randrange(9))
            case 1:
                frozen.append(signal_one(ask, signal.SIGSTOP, chance.randrange(9)))
            case _:
                caller.put(PATH, {"taskMax": chance.randrange(2, PARTITIONS + 1)})
                caller.post(f"{PATH}/state", {"action": "RESTART"})
        model.write()
        wait_for(lambda before=before: stored(ask) > before, 60, "it goes on")  # type: ignore[misc]
        for pid in filter(None, frozen[:-1]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    for pid in filter(None, frozen):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    progress = f"{PATH}/state?expand=progress"
    wait_for(lambda: caller.get(progress)["progress"]["lag"] == 0, 90, "all are taken")
    assert {row["id"]: row["number"] for row in ask(f"select * from {TABLE}")} == model.rows
    assert ask("select * from global.backwards") == []
    assert caller.get(progress)["progress"]["deadLetters"] == 0


def stored(ask: Callable[[str], list[dict[str, Any]]]) -> int:
    """How many records of it are done with."""
    sum_of = "select sum(next_offset) as sum from grnry.leases"
    (row,) = ask(f"{sum_of} where deployment = '{DEPLOYMENT}'")
    return int(row["sum"] or 0)
