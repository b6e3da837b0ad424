"""The `live-segment` persister under faults: the last record of each id is its row."""

import random
import threading
from collections.abc import Sequence
from typing import Any

import psycopg

from tests.conftest import wait_for
from tests.faults.house import House
from tests.faults.judging import Expected, Letter, Row, Stop
from tests.faults.letters import letters_of
from tests.faults.live_ids import KINDS, TEXT, Id, Ids, name_of, partition_of
from tests.faults.live_model import expected_of
from tests.faults.live_records import (
    MOST_VERSIONS,
    NEXT_GRADE,
    OWN,
    Made,
    content_of,
    payload_of,
    poison_of,
    schema_of,
    told,
)
from tests.faults.load import Sent, Written, rarity_at
from tests.faults.stops import NoneLeftOut

NAME = "faults"
TYPE_PATH = f"/event-types/{NAME}"
PATH = f"{TYPE_PATH}/eventstores/live-segment/persister"
PARTITIONS = 8
HOT, ALL = 20, 3000
POISON_EVERY, STRICT_EVERY, TOMBSTONE_EVERY = 400, 250, 12
STOP_EVERY, HOPELESS_EVERY = 500, 4
"""Records of which one stops who may leave none out, and of these those that no schema takes."""


class LiveSegmentCase:
    """Numbers every record. Ids are of the type that the seed has."""

    topic = f"grnry_live_segment_{NAME}"
    deployment = f"grnry-p-live-segment-{NAME}"
    table = f"global.grnry_live_sgmt_{NAME}"

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.ids = Ids(KINDS[seed % len(KINDS)])
        self._made: list[Made] = []
        self._spoiled = 0
        self.version = 1
        self.stops: list[Stop] = []
        """Where it has stopped, as no record might be left out."""
        self.none_left_out: NoneLeftOut | None = None
        """While it may leave no record out."""
        self.tolerates = True
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
        return not queued and bool(self.state(house)["status"] == "RUNNING")

    def state(self, house: House) -> dict[str, Any]:
        found: dict[str, Any] = house.caller.get(f"{PATH}/state")
        return found

    def tolerate(self, house: House, *, yes: bool) -> None:
        """Leave records out that cannot be stored, or stop at them."""
        self.tolerates = self.tolerates and yes  # until the answer to that is there
        house.caller.put(PATH, {"errorsTolerance": "all" if yes else "none"})
        self.act(house, "RESTART")
        self.tolerates = yes

    # The schema and the table

    def evolve(self, house: House) -> int:
        """Another version of the schema; what is sent from its answer on is of this version."""
        with self._lock:
            found = house.caller.get(f"/projects/global{TYPE_PATH}/latest")
            self.version = latest = int(found["version"])
            if latest < MOST_VERSIONS:
                house.caller.put(TYPE_PATH, {"schema": self._schema(latest + 1)})
                self.version = latest + 1
            return self.version

    def _schema(self, version: int) -> dict[str, Any]:
        return schema_of(version, self.ids)

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
        if self.none_left_out is not None:
            self.none_left_out.finish()

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
        id_ = self.ids.of(chance.randrange(HOT if is_hot else ALL))
        often, rarity = POISON_EVERY, rarity_at(number)
        if not self.tolerates:
            often, rarity = STOP_EVERY * HOPELESS_EVERY, 1
        if self._spoiled or chance.randrange(often * rarity) == 0:
            self._spoiled = max(0, self._spoiled - 1)
            return self._poison(number, id_)
        if chance.randrange(TOMBSTONE_EVERY * rarity) == 0:
            self._made.append(Made(id_, None))
            return self._sent(id_, None)
        is_early = not self.tolerates and chance.randrange(STOP_EVERY) == 0
        content = content_of(number, self.version + is_early, chance)
        refusal = NEXT_GRADE if is_early else ""
        if not is_early and chance.randrange(STRICT_EVERY * rarity) == 0:
            content["strict"], refusal = True, OWN
        self._made.append(Made(id_, content, refusal=refusal))
        return self._sent(id_, payload_of(self.ids.spelled(id_, chance), content))

    def _sent(self, id_: Id, value: bytes | None) -> Sent:
        key = self.ids.key(id_, self._chance)
        return Sent(key, value, partition=partition_of(id_, PARTITIONS))

    def _poison(self, number: int, id_: Id) -> Sent:
        if self._chance.randrange(10) == 0:  # what would delete, but says nothing's id
            self._made.append(Made(None, None, is_poison=True))
            wrong = b"\xff" if self.ids.kind == TEXT else b"x17"
            return Sent(self._chance.choice([None, b"", wrong]), None)
        value, made = poison_of(self.ids, id_, number, self._chance)
        self._made.append(made)
        return self._sent(id_, value)

    # What should be there, and what is

    def expected(self, written: Sequence[Written], letters: Sequence[Letter] = ()) -> Expected:
        expected = expected_of(self._made, written, letters)
        expected.stops = list(self.stops)
        return expected

    def rows(self, house: House) -> Sequence[Row]:
        found = house.rows(f"select * from {self.table}")
        return [Row(name_of(row["id"]), None, row["number"] - 1, None, told(row)) for row in found]

    def letters(self, house: House) -> Sequence[Letter]:
        return letters_of(house, self.deployment)


_QUEUED = "select from grnry.dead_letters where deployment = %s and state = 'queued' limit 1"


def _run(house: House, statements: Sequence[str]) -> None:
    if statements:
        with house.connect() as connection:
            connection.execute(b"set lock_timeout = 5000")
            for statement in statements:
                connection.execute(statement.encode())
