"""The `pg` persister under faults: each event is one row, which deletions give an end."""

import json
import random
from collections.abc import Sequence
from typing import Any

from tests.faults.event_model import Kind, Made, expected_of
from tests.faults.house import House
from tests.faults.judging import Expected, Letter, Row
from tests.faults.letters import letters_of
from tests.faults.load import Headers, Sent, Written, rarity_at

NAME = "faults"
PATH = f"/event-types/{NAME}/eventstores/pg/persister"
CONCURRENCY = "spring.cloud.stream.bindings.input.consumer.concurrency"
KEYS, HOT, PARTITIONS = 997, 20, 8
POISON_EVERY, COPY_EVERY, NUL_EVERY, LARGE_EVERY = 1000, 200, 500, 400
DELETION_EVERY, ENTITY_EVERY = 40, 10
"""Records of which one deletes, and of these those that delete all of an entity."""


class EventStoreCase:
    """Numbers every event, and every key's events by themselves.

    The event type's ids are random or not, as the seed has it.
    """

    topic = f"grnry_data_in_{NAME}"
    deployment = f"grnry-p-pg-{NAME}"
    table = "public.eventstore"

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._has_random_ids = seed % 2 == 0
        self._sequences = [0] * KEYS
        self._made: list[Made] = []
        self._last: tuple[bytes, bytes] = (b"entity-0", b"0")
        self._last_poison = Made(Kind.POISON, "entity-0", "poison")
        self._spoiled = 0

    # The persister

    def prepare(self, house: House) -> None:
        body = {
            "displayName": NAME,
            "correlationIdExpression": "payload.key",
            "eventIdExpression": "#randomUUID()" if self._has_random_ids else "payload.sequence",
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
        rarity = rarity_at(number)
        if self._spoiled or chance.randrange(POISON_EVERY * rarity) == 0:
            self._spoiled = max(0, self._spoiled - 1)
            return self._poison(number)
        if chance.randrange(DELETION_EVERY * rarity) == 0:
            return self._deletion()
        if chance.randrange(COPY_EVERY * rarity):
            key = chance.randrange(KEYS)
            self._sequences[key] += 1
            self._last = (b"entity-%d" % key, b"%d" % self._sequences[key])
        correlation, event = self._last
        self._made.append(Made(Kind.EVENT, correlation.decode(), event.decode()))
        headers = _headers(correlation, event)
        if chance.randrange(50) == 0:
            headers.append(("grnry-deletion-flag", chance.choice([b"false", b"", b'"no"'])))
        return Sent(correlation, self._payload(number, event), headers)

    def _payload(self, number: int, event: bytes) -> bytes:
        chance = self._chance
        size = 20_000 if chance.randrange(LARGE_EVERY) == 0 else chance.randrange(300)
        text = 'a "quoted" text ' * (size // 16)
        if chance.randrange(NUL_EVERY) == 0:
            text += "\0"
        return json.dumps({"number": number, "sequence": int(event), "text": text}).encode()

    def _deletion(self) -> Sent:
        """Of an event that was sent, is sent next, or cannot be stored; or of all of an entity."""
        chance = self._chance
        key = chance.randrange(HOT if chance.random() < 0.5 else KEYS)  # some are deleted again
        entity, sequence = f"entity-{key}", self._sequences[key]
        match chance.randrange(6):
            case 0:
                event = str(sequence + 1)
            case 1:
                entity, event = self._last_poison.entity, self._last_poison.event
            case _:
                event = str(max(1, sequence - chance.randrange(4)))
        headers: Headers = [("grnry-deletion-flag", chance.choice([b"true", b'"true"', b" True"]))]
        correlation = entity.encode()
        headers.append(
            ("grnry-correlation-id", chance.choice([correlation, b'"%b"' % correlation]))
        )
        is_of_all = chance.randrange(ENTITY_EVERY) == 0
        if not is_of_all or self._has_random_ids:
            headers.append(("grnry-event-id", event.encode()))
        if self._has_random_ids and not is_of_all:  # as the platform itself says it of one event
            headers.append(("grnry-deletion-cause", b"expiry"))
        self._made.append(Made(Kind.DELETION, entity, "" if is_of_all else event))
        return Sent(correlation, chance.choice([None, b"{}", b"", b"no JSON \xff"]), headers)

    def _poison(self, number: int) -> Sent:
        key = b"entity-%d" % self._chance.randrange(KEYS)
        good = json.dumps({"number": number}).encode()
        event = b"poison-%d" % number
        kind = self._chance.randrange(8)
        is_known = kind > 3
        made = Made(Kind.POISON, key.decode(), event.decode()) if is_known else Made(Kind.POISON)
        self._made.append(made)
        self._last_poison = made if is_known else self._last_poison
        match kind:
            case 0:
                return Sent(key, good, [("grnry-correlation-id", key)])
            case 1:
                return Sent(key, good, [("grnry-event-id", event)])
            case 2:
                return Sent(
                    key, None, [("grnry-deletion-flag", b"true"), ("grnry-event-id", event)]
                )
            case 3:
                wrong = self._chance.choice([b"\xff", b"a\0b"])
                return Sent(key, None, [*_headers(wrong, event), ("grnry-deletion-flag", b"true")])
            case 4:
                return Sent(key, b'{"number": ', _headers(key, event))
            case 5:
                return Sent(key, b'{"text": "\xff\xfe"}', _headers(key, event))
            case 6:
                return Sent(key, b"[" * 20_000 + b"]" * 20_000, _headers(key, event))
            case _:
                return Sent(key, b'{"n": 1e999999}', _headers(key, event))

    # What should be there, and what is

    def expected(self, written: Sequence[Written], letters: Sequence[Letter] = ()) -> Expected:
        return expected_of(self._made, written)

    def rows(self, house: House) -> Sequence[Row]:
        return [_row(found) for found in house.rows(_ROWS, [NAME])]

    def letters(self, house: House) -> Sequence[Letter]:
        return letters_of(house, self.deployment)


_DELETES = ("grnry-deletion-flag", b"true")

# Who writes a partition moves its lease first, so the numbers of its transactions rise. The end of
# what is deleted is the time of grace after that, and `ttl` what `created` lacks to it.
_ROWS = """
select correlation_id || '/' || event_id as name, partition_id, partition_offset,
  coalesce((message->>'number')::bigint, -1) as number, xmin::text::bigint as written,
  ttl is not null or expires is not null as is_ended,
  case when ttl is null then expires is null
    else ttl = 'PT' || round((expires - created::numeric) / 1000, 3) || 'S'
      and to_timestamp(expires / 1000.0) between now() + interval 'P4D' and now() + interval 'P5D'
  end as is_told_well
from public.eventstore where event_type = %s
"""


def _row(found: dict[str, Any]) -> Row:
    place = (found["partition_id"], found["partition_offset"])
    return Row(
        found["name"],
        place,
        found["number"],
        found["written"],
        found["is_told_well"],
        found["is_ended"],
    )


def _headers(correlation: bytes, event: bytes) -> Headers:
    return [
        ("grnry-correlation-id", correlation),
        ("grnry-event-id", event),
        ("grnry-event-type-version", b"1"),
        ("grnry-event-timestamp", b"1700000000000"),
    ]
