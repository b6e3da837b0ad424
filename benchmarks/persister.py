"""The persister, from the topic to committed rows, against bare COPY of the same rows.

Starts a Granary of its own, fills a topic, and measures in turns: the persister, and one connection
that copies text made beforehand into the same table with the same keys, a transaction for as many
rows as the persister's batches have.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psycopg
from confluent_kafka import Producer

from tests.conftest import wait_for
from tests.running import Granary

BATCH = 5000
ENTITIES = 5000
TIME = 1_700_000_000_000
COLUMNS = (
    "correlation_id, event_id, created, message, event_type, event_type_version, event_harvester,"
    " partition_id, partition_offset"
)
PAYLOAD = (
    '{"id": "%d", "user": "u%d", "text": "a \\"quoted\\" text %s", "number": %d,'
    ' "nested": {"list": [1, 2, 3], "flag": true}, "time": %d}'
)


def payload(number: int) -> bytes:
    """About 300 bytes with what makes JSON cost: escapes, nesting, numbers."""
    return (PAYLOAD % (number, number % ENTITIES, "x" * 150, number, TIME + number)).encode()


def fill(bootstrap: str, events: int) -> float:
    """Write the events as any client would; answers how many a second."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.messages": 10_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
        }
    )
    began = time.monotonic()
    for number in range(events):
        entity = b"u%d" % (number % ENTITIES)
        headers: list[tuple[str, str | bytes | None]] = [
            ("grnry-correlation-id", entity),
            ("grnry-event-id", b"%d" % number),
            ("grnry-event-type", b"load"),
            ("grnry-event-type-version", b"1"),
            ("grnry-harvester-name", b"na"),
            ("grnry-event-timestamp", b"%d" % TIME),
        ]
        producer.produce("grnry_data_in_load", payload(number), entity, headers=headers)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()
    return events / (time.monotonic() - began)


def empty(database: "psycopg.Connection[dict[str, object]]") -> None:
    database.execute("truncate public.eventstore")
    database.execute("delete from grnry.leases")


def persist(granary: Granary, database: "psycopg.Connection[dict[str, object]]", n: int) -> float:
    """Rows a second from the first committed batch to the last."""

    def stored() -> int:
        query = "select coalesce(sum(next_offset), 0)::bigint as rows from grnry.leases"
        row = database.execute(query).fetchone()
        return int(str(row["rows"])) if row else 0

    empty(database)
    granary.do("persister", "start", "load")
    wait_for(stored, what="the first batch is stored")
    first, began = stored(), time.monotonic()
    wait_for(lambda: stored() >= n, seconds=600, what="all is stored")
    rate = (n - first) / (time.monotonic() - began)
    granary.do("persister", "stop", "load")
    row = database.execute("select count(*) as rows from public.eventstore").fetchone()
    assert row is not None
    assert row["rows"] == n, f"{row['rows']} rows of {n}"
    return rate


def texts(events: int) -> Iterator[bytes]:
    """The same rows as COPY text, a piece for each transaction."""
    for start in range(0, events, BATCH):
        lines = []
        for number in range(start, min(start + BATCH, events)):
            message = payload(number).replace(b"\\", b"\\\\")
            key = b"u%d\t%d\t%d" % (number % ENTITIES, number, TIME)
            tail = b"load\t1\tna\t%d\t%d" % (number % 8, number // 8)
            lines.append(b"%b\t%b\t%b\n" % (key, message, tail))
        yield b"".join(lines)


def copy(url: str, pieces: list[bytes], rows: int) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        began = time.monotonic()
        for piece in pieces:
            with connection.cursor().copy(f"copy public.eventstore ({COLUMNS}) from stdin") as into:
                into.write(piece)
        return rows / (time.monotonic() - began)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks persister", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="grnry-bench-"))
    granary = Granary(folder / "data").start()
    try:
        measure(granary, options.events, options.rounds)
    finally:
        granary.stop()
        shutil.rmtree(folder)


def measure(granary: Granary, events: int, rounds: int) -> None:
    words = ["--correlation-id", "payload.user", "--event-id", "payload.id", "--partitions", "8"]
    granary.do("event-type", "create", "load", *words)
    print(f"filling the topic: {fill(granary.said['kafka'], events):,.0f} events/s")
    pieces = list(texts(events))
    ratios = []
    with granary.platform() as database:
        url = platform_url(granary)
        for turn in range(rounds):
            empty(database)
            bare = copy(url, pieces, events)
            ours = persist(granary, database, events)
            ratios.append(ours / bare)
            print(f"round {turn + 1}: persister {ours:,.0f} rows/s, bare COPY {bare:,.0f} rows/s")
    print(f"persister / bare COPY: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def platform_url(granary: Granary) -> str:
    with granary.platform() as connection:
        info = connection.info
        return f"postgresql://{info.user}:{info.password}@127.0.0.1:{info.port}/{info.dbname}"
