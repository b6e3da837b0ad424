"""A live segment's records under faults: what is sent as each, and what its row should say. Pure.

Versions of the schema come while records do. Each adds a property, and allows a `grade` that none
before it allowed: a record of a version is no valid record of an earlier one.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from tests.faults.live_ids import Id, Ids, Spelled

Content = dict[str, Any]

MOST_VERSIONS = 60
OWN = "own_"
"""Begins the names of all that users add to the table."""
NEXT_GRADE = "#/grade"
"""The property that says of a record that its schema is not there yet."""

_DEFAULTS: Content = {"orders": 0, "is_member": False, "strict": False}
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Made:
    """What a number's record is about. No content deletes the row."""

    id: Id | None
    """None where nobody can read it."""
    content: Content | None
    is_poison: bool = False
    refusal: str = ""
    """What the reason says where it is refused, if it may be."""


def schema_of(version: int, ids: Ids) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "id": ids.schema,
        "number": {"type": "integer", "minimum": 1},
        "name": {"type": ["string", "null"]},
        "amount": {"type": "number"},
        "orders": {"type": "integer", "default": 0},
        "is_member": {"type": "boolean", "default": False},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "token": {"type": "string", "format": "uuid"},
        'Tags "&" more': {"type": ["array", "object", "string"]},
        "strict": {"type": "boolean", "default": False},
        "grade": {"type": "integer", "minimum": 0, "maximum": version},
    }  # fmt: skip
    for added in range(2, version + 1):
        properties[f"added_{added}"] = _KINDS[added % 4][0](added)
    return {"type": "object", "properties": properties, "required": ["id", "number"]}


_KINDS: list[tuple[Callable[[int], dict[str, Any]], Callable[[int], Any]]] = [
    (lambda version: {"type": "integer", "default": version}, lambda number: -number),
    (lambda _: {"type": ["string", "null"]}, lambda number: f"added {number}"),
    (lambda _: {"type": "number"}, lambda number: number / 8),
    (lambda _: {"type": "array"}, lambda number: [number, {"a": None}]),
]


def content_of(number: int, version: int, chance: random.Random) -> Content:
    """What the record of a number says, but for its id; a third of it is not said."""
    at = datetime(1950, 1, 1, tzinfo=UTC) + timedelta(microseconds=chance.randrange(3 * 10**15))
    said: Content = {
        "name": chance.choice([None, "", "a \\ \t\n\"'", "ü" * chance.randrange(200)]),
        "amount": chance.choice([0.1, -0.0, 1e300, 5e-324, chance.random()]),
        "orders": chance.choice([0, -(2**63), _LARGEST, chance.randrange(1000)]),
        "is_member": chance.random() < 0.5,
        "day": at.date(),
        "at": at.astimezone(timezone(timedelta(minutes=chance.randrange(-900, 900)))),
        "token": UUID(int=chance.getrandbits(128)),
        'Tags "&" more': chance.choice([[], {}, "text", [1, {"a": [None, True]}], {"b": "\\"}]),
    }
    said = {name: value for name, value in said.items() if chance.randrange(3)}
    for added in range(2, version + 1):
        if added == version or (number + added) % 3:
            said[f"added_{added}"] = _KINDS[added % 4][1](number)
    said["grade"] = version
    return {"number": number + 1, **said}


def payload_of(told: Spelled, content: Content) -> bytes:
    return json.dumps({"id": told, **content}, default=_text).encode()


def _text(value: date | datetime | UUID) -> str:
    return str(value) if isinstance(value, UUID) else value.isoformat()


def told(row: Mapping[str, Any]) -> Content:
    """What a row or a record says beyond what it says by default."""
    return {
        name: value
        for name, value in row.items()
        if value is not None
        and value != default_of(name)
        and name not in ("id", "number")
        and not name.startswith(OWN)
    }


def default_of(name: str) -> Any:
    if name.startswith("added_") and int(name[6:]) % 4 == 0:
        return int(name[6:])
    return _DEFAULTS.get(name)


# What cannot be stored ----------------------------------------------------------------------------


def poison_of(ids: Ids, id_: Id, number: int, chance: random.Random) -> tuple[bytes, Made]:
    """A value that can never be stored, and what is known of it."""
    told = ids.spelled(id_, chance)
    known = Made(id_, {}, is_poison=True)
    nobody = Made(None, {}, is_poison=True)
    good: Content = {"id": told, "number": number + 1}
    match chance.randrange(17):
        case 0:
            return b'{"id": 1, "number": ', nobody
        case 1:
            return b'{"id": 1, "number": 1, "name": "\xff\xfe"}', nobody
        case 2:
            return json.dumps([good]).encode(), nobody
        case 3:
            return json.dumps({"number": number + 1}).encode(), nobody
        case 4:  # an id of the other type
            return json.dumps({**good, "id": ids.other(id_)}).encode(), nobody
        case 5:
            return json.dumps({**good, "id": None}).encode(), nobody
        case 6:  # an id beyond its column
            return json.dumps({**good, "id": ids.beyond}).encode(), nobody
        case 7:
            return b"[" * 20_000 + b"]" * 20_000, nobody
        case 8:
            return json.dumps({**good, "id": [told]}).encode(), nobody
    wrong: Content = chance.choice(_WRONG)
    return json.dumps({**good, **wrong}).encode(), known


_WRONG: list[Content] = [
    {"number": 0},
    {"number": 1.5},
    {"amount": "12"},
    {"orders": 2**63},
    {"day": "2023-02-29"},
    {"day": "today"},
    {"at": "2020-01-01T00:00:00"},
    {"at": "2020-01-01T00:00:00+18:00"},
    {"token": "c0ffee"},
    {"name": "a\0b"},
    {"grade": 1000},
    # Only the database says so of these.
    {'Tags "&" more': ["a\0b"]},
    {'Tags "&" more': {"a\0": 1}},
]
