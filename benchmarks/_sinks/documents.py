"""Records of live segments: as JSON, as COPY text, and for the JDBC sink. Pure."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks._sinks.filling import Made

BATCH = 5000
"""Of all sides: what the sink is set to, as in the guides to its speed."""
HOT = 1000
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)

Document = dict[str, Any]
Id = Callable[[int], int]

SIX: Document = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "email": {"type": ["string", "null"]},
        "score": {"type": "number"},
        "active": {"type": "boolean"},
        "since": {"type": "string", "format": "date-time"},
    },
    "required": ["id", "name"],
}
_KINDS: tuple[Document, ...] = ({"type": "string"}, {"type": "number"}, {"type": "integer"})
_NESTED: Document = {
    "type": "object",
    "properties": {
        "street": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {"type": "object", "properties": {"lat": {"type": "number"}}},
    },
}
FIFTY: Document = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        **{f"value_{number:02}": _KINDS[number % 3] for number in range(44)},
        **{f"nested_{number}": _NESTED for number in range(5)},
    },
    "required": ["id"],
}


def a_fifth(number: int) -> int:
    """Of five records one is of an id that was there before."""
    return number * number // 7 % number // 5 * 5 if number % 5 == 2 else number


def mostly_hot(number: int) -> int:
    """Of twenty records nineteen are of a thousand ids."""
    return number + HOT if number % 20 == 0 else number * 7919 % HOT


def six(id_: int, number: int) -> Document:
    since = _BEGIN + timedelta(seconds=number)
    return {
        "id": id_,
        "name": f"Somebody number {number}",
        "email": f"somebody.{number}@example.org" if number % 3 else None,
        "score": number / 7,
        "active": number % 2 == 0,
        "since": since.isoformat(),
    }


def fifty(id_: int, number: int) -> Document:
    texts = (f"a text of {number}", number / 7, number)
    values = {f"value_{n:02}": texts[n % 3] for n in range(44)}
    tags = ["one", "two", str(number)]
    nested = {"street": f"street {number}", "tags": tags, "place": {"lat": number / 13}}
    return {"id": id_, **values, **{f"nested_{n}": nested for n in range(5)}}


Make = Callable[[int, int], Document]


def made(numbers: range, id_of: Id, make: Make) -> Iterator[Made]:
    for number in numbers:
        id_ = id_of(number)
        yield b"%d" % id_, json.dumps(make(id_, number)).encode(), []


def texts(number: int, id_of: Id, make: Make) -> Iterator[tuple[list[str], bytes]]:
    """Columns and COPY text of each batch, of each id the last row alone."""
    for start in range(0, number, BATCH):
        last: dict[int, Document] = {}
        for each in range(start, min(start + BATCH, number)):
            last[id_of(each)] = make(id_of(each), each)
        rows = ["\t".join(map(_text, document.values())) for document in last.values()]
        yield list(make(0, 0)), ("\n".join(rows) + "\n").encode()


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, dict):
        return json.dumps(value).replace("\\", "\\\\")
    return str(value)


_CONNECT = {"integer": "int64", "number": "double", "boolean": "boolean", "string": "string"}
SINK = {
    "insert.mode": "upsert",
    "primary.key.fields": "id",
    "use.reduction.buffer": "true",
}


def for_the_sink(number: int, id_of: Id) -> Iterator[Made]:
    """Records of six columns with their schema, as Kafka Connect needs it."""
    fields = [
        {"type": _CONNECT[_first(kind["type"])], "optional": name != "id", "field": name}
        for name, kind in SIX["properties"].items()
    ]
    schema = json.dumps({"type": "struct", "optional": False, "fields": fields})
    for each in range(number):
        id_ = id_of(each)
        payload = json.dumps(six(id_, each))
        value = f'{{"schema": {schema}, "payload": {payload}}}'
        yield b"%d" % id_, value.encode(), []


def _first(kind: str | list[str]) -> str:
    return kind if isinstance(kind, str) else kind[0]


PEER_TABLE = """
create table if not exists peer.live (id bigint not null primary key, name text, email text,
  score double precision, active boolean, since text)
"""
"""As the sink makes it itself by `schema.evolution`; made here to be looked at before it comes."""
