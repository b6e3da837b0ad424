"""How many records a second a live segment's schema checks, against parsing them alone.

python -m benchmarks schemas [--seconds 1]
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import orjson

from grnry.schemas import RecordValidator, breaks, live_segment_schema

TEXT = {"type": "string", "maxLength": 200}
CUSTOMER = {
    "type": "object",
    "properties": {"name": TEXT, "city": TEXT, "vip": {"type": "boolean"}},
    "required": ["name"],
}
PROPERTIES = {
    "id": {"type": "integer"},
    "status": {"enum": ["new", "paid", "sent", "returned"]},
    "total": {"type": "number", "minimum": 0},
    "note": TEXT,
    "email": {"type": ["string", "null"], "pattern": "^[^@]+@[^@]+$"},
    "customer": CUSTOMER,
    "tags": {"type": "array", "items": TEXT, "maxItems": 20},
}
MOMENTS = {
    "createdAt": {"type": "string", "format": "date-time"},
    "session": {"type": "string", "format": "uuid"},
}
RECORD = {
    "id": 1234567,
    "status": "paid",
    "total": 129.95,
    "note": "leave it at the door, please",
    "email": "ann@example.com",
    "customer": {"name": "Ann Example", "city": "Bremen", "vip": True},
    "tags": ["shop", "spring", "returning"],
    "createdAt": "2021-11-21T08:46:47.123Z",
    "session": "5b0a2d8e-3a4f-4c6b-9d1e-2f3a4b5c6d7e",
}


def schema(properties: dict[str, Any]) -> str:
    return json.dumps({"type": "object", "properties": properties, "required": ["id", "status"]})


def rate(function: Callable[[], Any], seconds: float) -> float:
    """The best calls a second of five rounds."""
    best = 0.0
    for _ in range(5):
        calls, start = 0, time.perf_counter()
        end = start + seconds / 5
        while time.perf_counter() < end:
            for _ in range(1_000):
                function()
            calls += 1_000
        best = max(best, calls / (time.perf_counter() - start))
    return best


def milliseconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


def main(argv: list[str]) -> None:
    arguments = argparse.ArgumentParser(prog="benchmarks schemas", description=__doc__)
    arguments.add_argument("--seconds", type=float, default=1.0, help="time for each line")
    seconds = arguments.parse_args(argv).seconds
    text = orjson.dumps(RECORD)
    plain = RecordValidator(live_segment_schema(schema(PROPERTIES)))
    formats = RecordValidator(live_segment_schema(schema({**PROPERTIES, **MOMENTS})))
    assert plain.problem(RECORD) is None
    assert formats.problem(RECORD) is None
    baseline = rate(lambda: orjson.loads(text), seconds)
    print(f"a record of {len(text)} bytes, {len(PROPERTIES | MOMENTS)} properties")
    print(f"{baseline:>12,.0f}/s  orjson.loads alone")
    for name, validator in (("checked", plain), ("with a moment and a uuid", formats)):
        measured = rate(lambda v=validator: v.is_valid(orjson.loads(text)), seconds)  # type: ignore[misc]
        print(f"{measured:>12,.0f}/s  loads and {name}; ratio {measured / baseline:.2f}")
    wide = {f"p{at}": PROPERTIES["customer"] for at in range(200)} | PROPERTIES
    old, new = (live_segment_schema(schema(p)) for p in (wide, {**wide, **MOMENTS}))
    reading = milliseconds(lambda: live_segment_schema(schema(wide)))
    comparing = milliseconds(lambda: breaks(new, [old]))
    print(f"{reading:>12.1f} ms to read {len(wide)} columns")
    print(f"{comparing:>12.1f} ms to compare them with a new version")


if __name__ == "__main__":
    main([])
