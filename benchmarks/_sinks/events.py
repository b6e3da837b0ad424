"""Events of about 300 bytes with six headers: as records, as COPY text, and for the JDBC sink."""

import json
import time
from collections.abc import Callable, Iterator

import psycopg

from benchmarks._sinks.filling import Headers, Made

BATCH = 5000
ENTITIES = 5000
TIME = 1_700_000_000_000
COLUMNS = (
    "correlation_id, event_id, created, message, event_type, event_type_version, event_harvester,"
    " partition_id, partition_offset"
)
_PAYLOAD = (
    '{"id": "%d", "user": "u%d", "text": "a \\"quoted\\" text %s", "number": %d,'
    ' "nested": {"list": [1, 2, 3], "flag": true}, "time": %d}'
)
_KINDS = {
    "event_type": {"type": "string"},
    "correlation_id": {"type": "string"},
    "event_id": {"type": "string"},
    "created": {"type": "int64"},
    "message": {"type": "string", "name": "io.debezium.data.Json"},
}
_FIELDS = [{**kind, "optional": False, "field": name} for name, kind in _KINDS.items()]
_SCHEMA = json.dumps({"type": "struct", "optional": False, "fields": _FIELDS})
PEER_TABLE = """
create table if not exists peer.events (correlation_id varchar not null, event_id varchar not null,
  created bigint not null, message jsonb not null, event_type varchar not null, expires bigint,
  primary key (event_type, correlation_id, event_id));
create index on peer.events (event_type, created);
create index on peer.events (expires) where expires is not null
"""
"""Five columns of the event store, with all of its indexes: both sides come to the same."""

SINK = {"insert.mode": "insert", "primary.key.fields": "event_type,correlation_id,event_id"}

Payload = Callable[[int], bytes]


def payload(number: int) -> bytes:
    """About 300 bytes with what makes JSON cost: escapes, nesting, numbers."""
    return (_PAYLOAD % (number, number % ENTITIES, "x" * 150, number, TIME + number)).encode()


def payload_with_nul(number: int) -> bytes:
    """The same; one in a thousand has what jsonb cannot hold."""
    found = payload(number)
    return found if number % 1000 else found.replace(b"xxxxxx", b"\\u0000", 1)


def payload_of_poison(number: int) -> bytes:
    """The same, cut off in front: it is not JSON."""
    return payload(number)[1:]


def payload_with_poison(number: int) -> bytes:
    """One in a hundred is not JSON."""
    return payload(number) if number % 100 else payload_of_poison(number)


def large_payload(number: int) -> bytes:
    """100 KB."""
    return json.dumps({"id": str(number), "text": "y" * 100_000}).encode()


def made(event_type: str, numbers: range, payload_of: Payload = payload) -> Iterator[Made]:
    """Records with six headers."""
    type_ = event_type.encode()
    for number in numbers:
        entity = b"u%d" % (number % ENTITIES)
        headers: Headers = [
            ("grnry-correlation-id", entity),
            ("grnry-event-id", b"%d" % number),
            ("grnry-event-type", type_),
            ("grnry-event-type-version", b"1"),
            ("grnry-harvester-name", b"na"),
            ("grnry-event-timestamp", b"%d" % TIME),
        ]
        yield entity, payload_of(number), headers


def texts(event_type: str, events: int) -> Iterator[bytes]:
    """The same rows as COPY text, a piece for each transaction."""
    type_ = event_type.encode()
    for start in range(0, events, BATCH):
        lines = []
        for number in range(start, min(start + BATCH, events)):
            message = payload(number).replace(b"\\", b"\\\\")
            key = b"u%d\t%d\t%d" % (number % ENTITIES, number, TIME)
            tail = b"%b\t1\tna\t%d\t%d" % (type_, number % 8, number // 8)
            lines.append(b"%b\t%b\t%b\n" % (key, message, tail))
        yield b"".join(lines)


def copy(url: str, pieces: list[bytes], rows: int) -> float:
    """Rows a second of one connection that has nothing else to do."""
    with psycopg.connect(url, autocommit=True) as connection:
        began = time.monotonic()
        for piece in pieces:
            with connection.cursor().copy(f"copy public.eventstore ({COLUMNS}) from stdin") as into:
                into.write(piece)
        return rows / (time.monotonic() - began)


def for_the_sink(events: int) -> Iterator[Made]:
    """The same events with their schema, as Kafka Connect needs it."""
    for number in range(events):
        entity = f"u{number % ENTITIES}"
        ids = f'"event_type": "load", "correlation_id": "{entity}", "event_id": "{number}"'
        message = json.dumps(payload(number).decode())
        row = f'{{{ids}, "created": {TIME}, "message": {message}}}'
        value = f'{{"schema": {_SCHEMA}, "payload": {row}}}'
        yield entity.encode(), value.encode(), []


FILL_STORE = """
insert into public.eventstore (correlation_id, event_id, created, message, event_type,
  event_type_version, event_harvester, partition_id, partition_offset)
select 'u' || mod(number, 5000), 'filled-' || number, 1700000000000 + number,
  jsonb_build_object('id', number::text, 'user', 'u' || mod(number, 5000),
    'text', repeat('x', 150), 'number', number,
    'nested', '{"list": [1, 2, 3], "flag": true}'::jsonb),
  case when %(types)s > 1 then 'filled-' || mod(number, %(types)s) else 'load' end,
  1, 'na', mod(number, 8), number / 8
from generate_series(%(first)s::int, %(last)s::int) as number
"""
"""Rows of one event type, the one that is measured, or spread over many."""
