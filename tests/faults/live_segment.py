"""The `live-segment` persister under faults: the last record of each id is its row."""

import random
import threading
from collections.abc import Sequence
from typing import Any

import httpx2
import psycopg

from tests.conftest import wait_for
from tests.faults.house import House
from tests.faults.judging import Expected, Letter, Row
from tests.faults.letters import letters_of
from tests.faults.live_model import expected_of
from tests.faults.live_records import (
    MOST_VERSIONS,
    Ids,
    Made,
    content_of,
    payload_of,
    poison_of,
    schema_of,
    told,
)
from tests.faults.load import Sent, Written

NAME = "faults"
TYPE_PATH = f"/event-types/{NAME}"
PATH = f"{TYPE_PATH}/eventstores/live-segment/persister"
PARTITIONS = 8
HOT, ALL = 20, 3000
POISON_EVERY, STRICT_EVERY, TOMBSTONE_EVERY = 400, 250, 12


class LiveSegmentCase:
    """Numbers every record. Ids are integers or texts, as the seed has it."""

    topic = f"grnry_live_segment_{NAME}"
    deployment = f"grnry-p-live-segment-{NAME}"
    table = f"global.grnry_live_sgmt_{NAME}"

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._ids = Ids(is_number=seed % 2 == 1)
        self._made: list[Made] = []
        self._spoiled = 0
        self._version = 1
        self._altered: list[str] = []
        """What takes back what users have done to the table."""
        self._lock = threading.RLock()

    # The persister

    def prepare(self, house: House) -> None:
        body = {
            "displayName": NAME,
            "type": "live_segment",
            "partitionCount": PARTITIONS,
            "schema": self._schema(1),
        }
        house.caller.post(TYPE_PATH, body)
        house.caller.put(PATH, {"tasks.max": 3, "retryBackoffMs": 500})
        self.act(house, "RESTART")

    def restart(self, house: House, replicas: int) -> None:
        house.caller.put(PATH, {"tasks.max": replicas})
        self.act(house, "RESTART")

    def act(self, house: House, action: str) -> None:
        house.caller.post(f"{PATH}/state", {"action": action})

    def is_running(self, house: House) -> bool:
        """And has replayed all that it was asked to."""
        queued = house.rows(_QUEUED, [self.deployment])
        state = house.caller.get(f"{PATH}/state")
        return not queued and bool(state["status"] == "RUNNING")

    # The schema and the table

    def evolve(self, house: House) -> int:
        """Another version of the schema; what is sent from its answer on is of this version."""
        self._version = latest = int(
            house.caller.get(f"/projects/global{TYPE_PATH}/latest")["version"]
        )
        if latest < MOST_VERSIONS:
            house.caller.put(TYPE_PATH, {"schema": self._schema(latest + 1)})
            self._version = latest + 1
        return self._version

    def _schema(self, version: int) -> dict[str, Any]:
        return schema_of(version, is_number=self._ids.is_number)

    def alter(self, house: House, statements: Sequence[str], back: Sequence[str]) -> None:
        """As who owns the table; `back` takes it back, and may be run in vain."""
        with self._lock:
            self.take_back(house)
            self._altered.extend(back)
            _run(house, statements)

    def take_back(self, house: House) -> None:
        """What cannot be taken back now stays to be."""
        with self._lock:
            _run(house, self._altered)
            self._altered.clear()

    def mend(self, house: House) -> None:
        wait_for(lambda: self._is_mended(house), 60, "users have taken back what they did")

    def _is_mended(self, house: House) -> bool:
        try:
            self.take_back(house)
        except psycopg.Error:
            return False
        return True

    # What is sent

    def spoil(self, count: int) -> None:
        self._spoiled = count

    def sent(self, number: int) -> Sent:
        chance = self._chance
        is_hot = chance.random() < 0.5
        id_ = self._ids.of(chance.randrange(HOT if is_hot else ALL))
        key = str(id_).encode()
        if self._spoiled or chance.randrange(POISON_EVERY) == 0:
            self._spoiled = max(0, self._spoiled - 1)
            return self._poison(number, key, id_)
        if chance.randrange(TOMBSTONE_EVERY) == 0:
            self._made.append(Made(id_, None))
            return Sent(key, None)
        content = content_of(number, self._version, chance)
        is_strict = chance.randrange(STRICT_EVERY) == 0
        if is_strict:
            content["strict"] = True
        self._made.append(Made(id_, content, is_strict=is_strict))
        return Sent(key, payload_of(id_, content, chance))

    def _poison(self, number: int, key: bytes, id_: int | str) -> Sent:
        if self._chance.randrange(10) == 0:  # what would delete, but says nothing's id
            self._made.append(Made(None, None, is_poison=True))
            wrong = b"x17" if self._ids.is_number else b"\xff"
            return Sent(self._chance.choice([None, b"", wrong]), None)
        value, made = poison_of(id_, number, self._chance)
        self._made.append(made)
        return Sent(key, value)

    # What should be there, and what is

    def expected(self, written: Sequence[Written], letters: Sequence[Letter] = ()) -> Expected:
        return expected_of(self._made, written, letters)

    def rows(self, house: House) -> Sequence[Row]:
        found = house.rows(f"select * from {self.table}")
        return [Row(str(row["id"]), None, row["number"] - 1, None, told(row)) for row in found]

    def letters(self, house: House) -> Sequence[Letter]:
        return letters_of(house, self.deployment)


_QUEUED = "select from grnry.dead_letters where deployment = %s and state = 'queued' limit 1"


def _run(house: House, statements: Sequence[str]) -> None:
    if statements:
        with house.connect() as connection:
            connection.execute(b"set lock_timeout = 5000")
            for statement in statements:
                connection.execute(statement.encode())


UNSURE = (psycopg.Error, httpx2.HTTPError, AssertionError, OSError)
"""What asking for something may come to while things are away."""
