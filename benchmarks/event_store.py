"""Layouts of the event store against each other: what each costs to write and to read.

One table with the key alone is the baseline. Each layout holds the events of many types and
entities; the layouts are written and asked in turns, so that noise hits all alike.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from tests.conftest import Postgres

BATCH = 5000
TIME = 1_700_000_000_000
COLUMNS = """correlation_id varchar not null, event_id varchar not null, created bigint not null,
  message jsonb, event_type varchar not null, event_type_version integer,
  event_harvester varchar not null default 'na', partition_id bigint not null,
  partition_offset bigint not null, ttl varchar, expires bigint"""
KEY = "primary key (event_type, correlation_id, event_id)"
ENTITY_FIRST = "primary key (correlation_id, event_type, event_id)"
ENTITY = "create index on {name} (correlation_id, created)"
NEWEST = "create index on {name} (event_type, created)"
EXPIRY = "create index on {name} (expires) where expires is not null"
MESSAGE = '{"user": "u%d", "text": "%s", "number": %d, "list": [1, 2, 3], "flag": true}'

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class Layout:
    """One way to lay the events down."""

    name: str
    partitioning: str = ""
    key: str = KEY
    parts: Callable[[str, int], list[str]] = lambda _name, _types: []
    indexes: tuple[str, ...] = (ENTITY, NEWEST, EXPIRY)
    purge: str = "delete from {name} where event_type = '{type}'"

    def make(self, connection: Connection, types: int) -> float:
        began = time.monotonic()
        with connection.transaction():
            connection.execute(
                f"create table {self.name} ({COLUMNS}, {self.key}) {self.partitioning}"
            )
            for index in self.indexes:
                connection.execute(index.format(name=self.name))
        for part in self.parts(self.name, types):
            connection.execute(part)
        return time.monotonic() - began


def by_type(name: str, types: int) -> list[str]:
    return [
        f"create table {name}_{n} partition of {name} for values in ('t{n}')" for n in range(types)
    ]


def by_entity(name: str, _types: int) -> list[str]:
    return [
        f"create table {name}_{n} partition of {name} for values with (modulus 8, remainder {n})"
        for n in range(8)
    ]


LAYOUTS = (
    Layout("key_only", indexes=()),
    Layout("key_and_newest", indexes=(NEWEST, EXPIRY)),
    Layout("one_table"),
    Layout("entity_first", key=ENTITY_FIRST, indexes=(NEWEST, EXPIRY)),
    Layout(
        "list_by_type",
        partitioning="partition by list (event_type)",
        parts=by_type,
        purge="drop table {name}_{number}",
    ),
    Layout("hash_by_entity", partitioning="partition by hash (correlation_id)", parts=by_entity),
)


@dataclass
class Events:
    """The same events for every layout, as text that is ready for COPY."""

    types: int
    entities: int
    written: int = 0

    def batch(self) -> tuple[int, bytes]:
        """A batch of one type, as one worker writes it; types take turns."""
        first = self.written * BATCH
        number = self.written % self.types
        self.written += 1
        chance = random.Random(first)
        lines = []
        for n in range(first, first + BATCH):
            entity = chance.randrange(self.entities)
            message = MESSAGE % (entity, "x" * 180, n)
            lines.append(
                f"u{entity}\te{n}\t{TIME + n}\t{message}\tt{number}\t1\tna\t0\t{n}\t\\N\t\\N\n"
            )
        return number, "".join(lines).encode()


def copy(connection: Connection, layout: Layout, text: bytes) -> float:
    began = time.monotonic()
    with connection.transaction(), connection.cursor().copy(f"copy {layout.name} from stdin") as to:
        to.write(text)
    return time.monotonic() - began


def fill(connection: Connection, events: Events, batches: int) -> dict[str, float]:
    """Write to all layouts in turns; the median rows a second of each."""
    times: dict[str, list[float]] = {layout.name: [] for layout in LAYOUTS}
    for _ in range(batches):
        _, text = events.batch()
        for layout in random.sample(LAYOUTS, len(LAYOUTS)):
            times[layout.name].append(copy(connection, layout, text))
    connection.execute("analyze")
    return {name: BATCH / median(found) for name, found in times.items()}


def questions(events: Events) -> dict[str, str]:
    one = f"t{min(events.types, events.written) // 2}"
    return {
        "an entity by time": "select event_id, message from {name} where correlation_id = 'u7'"
        " and created >= 0 order by created limit 20",
        "an entity of a type": "select event_id, message from {name} where correlation_id = 'u7'"
        f" and event_type = '{one}' order by created limit 20",
        "a type's newest": f"select event_id, message from {{name}} where event_type = '{one}'"
        " order by created desc limit 20",
        "a type's count": f"select count(*) from {{name}} where event_type = '{one}'",
        "what has expired": f"select event_type, correlation_id, event_id from {{name}}"
        f" where expires < {TIME} limit 1000",
    }


def ask(connection: Connection, layout: Layout, query: str) -> float:
    statement = query.format(name=layout.name).encode()
    times = []
    for _ in range(7):
        began = time.monotonic()
        connection.execute(statement).fetchall()
        times.append(time.monotonic() - began)
    return median(times) * 1000


def purge(connection: Connection, layout: Layout, number: int) -> float:
    began = time.monotonic()
    statement = layout.purge.format(name=layout.name, type=f"t{number}", number=number)
    connection.execute(statement.encode())
    return (time.monotonic() - began) * 1000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="event_store", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--types", type=int, default=100)
    parser.add_argument("--entities", type=int, default=50_000)
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="grnry-event-store-"))
    server = Postgres(folder)
    try:
        with psycopg.connect(server.url("template_migrated"), autocommit=True) as connection:
            measure(connection, Events(options.types, options.entities), options.rows // BATCH)
    finally:
        server.stop()
        shutil.rmtree(folder)


def measure(connection: Connection, events: Events, batches: int) -> None:
    made = {layout.name: layout.make(connection, events.types) for layout in LAYOUTS}
    early = fill(connection, events, max(batches // 10, 10))
    fill(connection, events, batches * 8 // 10)
    late = fill(connection, events, max(batches // 10, 10))
    rows = events.written * BATCH
    print(f"{rows:,} rows, {events.types:,} types, {events.entities:,} entities, one connection\n")
    print(f"{'':22}" + "".join(f"{layout.name:>16}" for layout in LAYOUTS))
    line("made, s", {name: f"{seconds:.2f}" for name, seconds in made.items()})
    for title, rates in (("first rows/s", early), ("last rows/s", late)):
        line(title, {n: f"{r:,.0f} {r / rates['key_only']:.2f}" for n, r in rates.items()})
    for title, query in questions(events).items():
        line(
            f"{title}, ms",
            {layout.name: f"{ask(connection, layout, query):.2f}" for layout in LAYOUTS},
        )
    line(
        "purge of a type, ms",
        {layout.name: f"{purge(connection, layout, 1):.1f}" for layout in LAYOUTS},
    )
    sizes = {
        layout.name: connection.execute(
            "select pg_size_pretty(sum(pg_total_relation_size(oid))) from pg_class"
            " where relkind = 'r' and starts_with(relname, %s)",
            (layout.name,),
        ).fetchone()
        for layout in LAYOUTS
    }
    line("size", {name: str(found[0]) if found else "" for name, found in sizes.items()})


def line(title: str, values: dict[str, str]) -> None:
    print(f"{title:22}" + "".join(f"{values[layout.name]:>16}" for layout in LAYOUTS), flush=True)
