"""Ids of a live segment under faults: of one type, and written in many ways. Pure."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zlib import crc32

Id = int | str | UUID | date | datetime
Spelled = int | float | str

TEXT, INTEGER, MOMENT, UUIDS, DAY = "text", "integer", "date-time", "uuid", "date"
KINDS = (TEXT, INTEGER, MOMENT, UUIDS, DAY)

_LARGEST = 2**63 - 1
_LEAP = datetime(2017, 1, 1, tzinfo=UTC)
"""May be written as the 60th second of its minute before."""

_SCHEMAS: Mapping[str, Mapping[str, str]] = {
    TEXT: {"type": "string"},
    INTEGER: {"type": "integer"},
}
_BEYOND: Mapping[str, Spelled] = {
    TEXT: "x" * 3000,
    INTEGER: 2**63,
    MOMENT: "2016-12-31T23:59:61Z",
    UUIDS: "c0ffee",
    DAY: "2023-02-29",
}


class Ids:
    """Ids of one type, by their number."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @property
    def schema(self) -> dict[str, str]:
        return dict(_SCHEMAS.get(self.kind, {"type": "string", "format": self.kind}))

    def of(self, index: int) -> Id:
        match self.kind:
            case "integer":
                return _LARGEST - index if index % 97 == 0 else index - 10
            case "date-time":  # so close to each other that an error of rounding meets another one
                return _LEAP + timedelta(microseconds=index * 500_000 + index % 3)
            case "uuid":
                return UUID(int=(index + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)
            case "date":
                return date.fromordinal(1 + index * 1217)
        return f"é 'entity\\{index}\""

    def spelled(self, id_: Id, chance: random.Random) -> Spelled:
        """As a record says it; the table has one form of each."""
        match id_:
            case int():  # an integer as well where it has a fraction of 0
                return float(id_) if abs(id_) < 2**50 and chance.randrange(50) == 0 else id_
            case datetime():
                return _moment(id_, chance)
            case UUID():
                return str(id_).upper() if chance.random() < 0.5 else str(id_)
        return str(id_)

    def key(self, id_: Id, chance: random.Random) -> bytes:
        """As a deletion has it: as a text, or as a string of JSON."""
        text = str(id_ if isinstance(id_, int) else self.spelled(id_, chance))
        return (json.dumps(text) if chance.randrange(4) == 0 else text).encode()

    def other(self, id_: Id) -> Spelled:
        """What is of another type."""
        return str(id_) if isinstance(id_, int) else 17

    @property
    def beyond(self) -> Spelled:
        """What no column of this type takes."""
        return _BEYOND[self.kind]


def name_of(id_: Any) -> str:
    """Of an id as the table gives it, or as it was made."""
    return str(id_.astimezone(UTC)) if isinstance(id_, datetime) else str(id_)


def partition_of(id_: Id, partitions: int) -> int:
    """Where all records of an id are, however it is written."""
    return crc32(name_of(id_).encode()) % partitions


def _moment(at: datetime, chance: random.Random) -> str:
    """In some time zone, with more digits than count, or as a leap second."""
    is_leap = at.second == 0 and at.microsecond == 0
    if is_leap and chance.random() < 0.5:
        return (at - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:60Z")
    minutes = chance.choice([0, chance.randrange(-900, 900)])
    there = at.astimezone(timezone(timedelta(minutes=minutes)))
    text = there.strftime(f"%Y-%m-%d{chance.choice('Tt ')}%H:%M:%S.%f") + chance.choice(["", "4"])
    offset = there.isoformat()[-6:]
    return text + (chance.choice("Zz") if minutes == 0 and chance.random() < 0.5 else offset)
