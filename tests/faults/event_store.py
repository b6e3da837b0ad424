"""The `pg` persister under faults: each event is one row, the first of its ids."""

import json
import random
from collections.abc import Sequence
from typing import Any

from tests.faults.house import House
from tests.faults.judging import FAILED, Expected, Letter, Row
from tests.faults.letters import letters_of
from tests.faults.load import Headers, Sent, Written

NAME = "faults"
PATH = f"/event-types/{NAME}/eventstores/pg/persister"
CONCURRENCY = "spring.cloud.stream.bindings.input.consumer.concurrency"
KEYS, PARTITIONS = 997, 8
POISON_EVERY, COPY_EVERY, NUL_EVERY, LARGE_EVERY = 1000, 200, 500, 400


class EventStoreCase:
    """Numbers every event, and every key's events by themselves."""

    topic = f"grnry_data_in_{NAME}"
    deployment = f"grnry-p-pg-{NAME}"
    table = "public.eventstore"

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._sequences = [0] * KEYS
        self._names: list[str] = []
        """The row that each number is about; none of what cannot be stored."""
        self._last: tuple[bytes, bytes] = (b"entity-0", b"0")
        self._spoiled = 0

    # The persister

    def prepare(self, house: House) -> None:
        body = {
            "displayName": NAME,
            "correlationIdExpression": "payload.key",
            "eventIdExpression": "payload.sequence",
            "partitionCount": PARTITIONS,
        }
        house.caller.post(f"/event-types/{NAME}", body)
        self.restart(house, 2)

    def restart(self, house: House, replicas: int) -> None:
        body = {"appConfig": {CONCURRENCY: str(replicas)}, "deployerConfig": {}}
        house.caller.put(f"{PATH}?imported=true", body)
        house.caller.post(f"{PATH}/state", {"action": "STOP"})
        house.caller.post(f"{PATH}/state", {"action": "START"})

    def is_running(self, house: House) -> bool:
        return bool(house.caller.get(f"{PATH}/state")["status"] == "RUNNING")

    def mend(self, house: House) -> None:
        """Nobody alters the platform's own table."""

    # What is sent

    def spoil(self, count: int) -> None:
        self._spoiled = count

    def sent(self, number: int) -> Sent:
        chance = self._chance
        if self._spoiled:
            self._spoiled -= 1
            return self._poison(number)
        if chance.randrange(POISON_EVERY) == 0:
            return self._poison(number)
        if chance.randrange(COPY_EVERY):
            key = chance.randrange(KEYS)
            self._sequences[key] += 1
            self._last = (b"entity-%d" % key, b"%d" % self._sequences[key])
        correlation, event = self._last
        self._names.append(f"{correlation.decode()}/{event.decode()}")
        return Sent(correlation, self._payload(number, event), _headers(correlation, event))

    def _payload(self, number: int, event: bytes) -> bytes:
        chance = self._chance
        size = 20_000 if chance.randrange(LARGE_EVERY) == 0 else chance.randrange(300)
        text = 'a "quoted" text ' * (size // 16)
        if chance.randrange(NUL_EVERY) == 0:
            text += "\0"
        return json.dumps({"number": number, "sequence": int(event), "text": text}).encode()

    def _poison(self, number: int) -> Sent:
        self._names.append("")
        key = b"entity-%d" % self._chance.randrange(KEYS)
        good = json.dumps({"number": number}).encode()
        event = b"poison-%d" % number
        match self._chance.randrange(6):
            case 0:
                return Sent(key, good, [("grnry-correlation-id", key)])
            case 1:
                return Sent(key, good, [("grnry-event-id", event)])
            case 2:
                return Sent(key, b'{"number": ', _headers(key, event))
            case 3:
                return Sent(key, b'{"text": "\xff\xfe"}', _headers(key, event))
            case 4:
                return Sent(key, b"[" * 20_000 + b"]" * 20_000, _headers(key, event))
            case _:
                return Sent(key, b'{"n": 1e999999}', _headers(key, event))

    # What should be there, and what is

    def expected(self, written: Sequence[Written], letters: Sequence[Letter] = ()) -> Expected:
        expected = Expected()
        for one in sorted(written, key=lambda each: (each.partition, each.offset)):
            name = self._names[one.number]
            if not name:
                expected.letters[one.partition, one.offset] = one
                expected.states[one.partition, one.offset] = FAILED
            elif expected.rows.setdefault(name, one) is not one:
                expected.copies += 1
        return expected

    def rows(self, house: House) -> Sequence[Row]:
        return [_row(found) for found in house.rows(_ROWS, [NAME])]

    def letters(self, house: House) -> Sequence[Letter]:
        return letters_of(house, self.deployment)


# Who writes a partition moves its lease first, so the numbers of its transactions rise.
_ROWS = """
select correlation_id || '/' || event_id as name, partition_id, partition_offset,
  (message->>'number')::bigint as number, xmin::text::bigint as written
from public.eventstore where event_type = %s
"""


def _row(found: dict[str, Any]) -> Row:
    place = (found["partition_id"], found["partition_offset"])
    return Row(found["name"], place, found["number"], found["written"])


def _headers(correlation: bytes, event: bytes) -> Headers:
    return [
        ("grnry-correlation-id", correlation),
        ("grnry-event-id", event),
        ("grnry-event-type-version", b"1"),
        ("grnry-event-timestamp", b"1700000000000"),
    ]
