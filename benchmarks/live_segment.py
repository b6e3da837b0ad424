"""The live segment's speed, from the topic to committed rows, beside its peers in the same run.

    python -m benchmarks live_segment [section ...] [--json]

Starts a Granary of its own, Apache Kafka and Kafka Connect with Debezium's JDBC sink. The sides run
in turns over the same records, so that other work on the machine hits all alike; a goal is judged
by the median of the rounds' ratios. The ready-made side is one connection that copies text made
beforehand, of each id the last row alone, to a temporary table, then INSERT … ON CONFLICT into the
same table, a transaction for as many records as a batch of the persister has.
"""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
from confluent_kafka import Producer

from benchmarks._sinks import documents
from benchmarks._sinks import options as options_of
from benchmarks._sinks.connect import JdbcSink
from benchmarks._sinks.documents import FIFTY, SIX, a_fifth, fifty, mostly_hot, six
from benchmarks._sinks.filling import fill
from benchmarks._sinks.goals import Goals
from benchmarks._sinks.running import Running, running
from benchmarks._sinks.worker import Worker, latencies

SECTIONS = ("rate", "sink", "hot", "wide", "latency", "memory")


def topic(name: str) -> str:
    return f"grnry_live_segment_{name}"


def table(name: str) -> str:
    return f"global.grnry_live_sgmt_{name}"


class Side:
    """A live segment with a full topic, and the same rows ready made."""

    def __init__(
        self,
        run: Running,
        name: str,
        schema: documents.Document,
        id_of: documents.Id,
        make: documents.Make,
        records: int,
    ) -> None:
        self._run, self._table, self._records = run, table(name), records
        self._ids = len({id_of(number) for number in range(records)})
        self.worker: Worker = run.live(name, schema)
        fill(run.kafka, topic(name), documents.made(range(records), id_of, make))
        self._pieces = list(documents.texts(records, id_of, make))

    def ready_made(self) -> float:
        """Rows a second of what has only to be written."""
        self._run.empty(self._table)
        columns = self._pieces[0][0]
        names = ", ".join(columns)
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
        upsert = f"insert into {self._table} ({names}) select {names} from waiting"
        upsert += f" on conflict (id) do update set {changes}"
        with psycopg.connect(self._run.url, autocommit=True) as connection:
            waiting = f"create temporary table waiting (like {self._table}) on commit delete rows"
            connection.execute(waiting.encode())
            began = time.monotonic()
            for _, piece in self._pieces:
                with connection.transaction():
                    with connection.cursor().copy(f"copy waiting ({names}) from stdin") as into:
                        into.write(piece)
                    connection.execute(upsert.encode())
            rate = self._records / (time.monotonic() - began)
        self._expect()
        return rate

    def ours(self, goals: Goals, what: str) -> float:
        self._run.empty(self._table)
        self.worker.forget()
        found = self.worker.run(self._records)
        goals.note(what, str(found))
        self._expect()
        return found.rate

    def _expect(self) -> None:
        rows = self._run.count(self._table)
        assert rows == self._ids, f"{rows} rows of {self._ids} ids"


def rate(run: Running, options: argparse.Namespace, goals: Goals, folder: Path) -> None:
    """20 % updates: ours, what is ready made, the JDBC sink; and 95 % updates of hot ids."""
    number, wanted = options.records, options.sections
    fifth = Side(run, "live", SIX, a_fifth, six, number)
    hot = Side(run, "hot", SIX, mostly_hot, six, number) if "hot" in wanted else None
    to_ready, to_sink, to_cold = [], [], []
    with ExitStack() as stack:
        sink = None
        if "sink" in wanted:
            sink = JdbcSink(folder / "sink", "live", run.url, documents.SINK)
            stack.callback(sink.stop)
            if not sink.start(run.database):
                goals.say("Java or Maven is missing, and so is the JDBC sink")
                sink = None
        for turn in range(options.rounds):
            what = f"round {turn + 1}"
            ready = fifth.ready_made()
            goals.note(f"{what}: ready made", f"{ready:,.0f} records/s")
            ours = fifth.ours(goals, f"{what}: live segment")
            to_ready.append(ours / ready)
            if hot is not None:
                to_cold.append(hot.ours(goals, f"{what}: 95 % of hot ids") / ours)
            if sink is not None:
                peer = peer_rate(run, sink, number, is_first=turn == 0)
                goals.note(f"{what}: JDBC sink", f"{peer:,.0f} records/s")
                to_sink.append(ours / peer)
    goals.at_least("6 columns, 20 % updates / ready-made rows", to_ready, 0.6)
    if to_sink:
        goals.at_least("6 columns, 20 % updates / JDBC sink, upsert", to_sink, 3)
    if to_cold:
        goals.at_least("95 % updates of 1,000 ids / 20 % updates", to_cold, 1)


def peer_rate(run: Running, sink: JdbcSink, records: int, *, is_first: bool) -> float:
    """Of a sink that has warmed up."""

    def is_there(number: int) -> bool:
        found = run.database.execute("select from peer.live where id = %s", [number])
        return found.fetchone() is not None

    if is_first:
        run.database.execute(documents.PEER_TABLE)
        sink.fill(documents.for_the_sink(records, a_fifth))
        sink.run(is_there, records)
    run.empty("peer.live")
    sink.fill(documents.for_the_sink(records, a_fifth))
    return sink.run(is_there, records)


def wide(run: Running, options: argparse.Namespace, goals: Goals) -> None:
    """50 columns, five of them nested objects."""
    side = Side(run, "wide", FIFTY, a_fifth, fifty, options.records // 5)
    ratios = []
    for turn in range(options.rounds):
        ready = side.ready_made()
        goals.note(f"round {turn + 1}: 50 columns, ready made", f"{ready:,.0f} records/s")
        ratios.append(side.ours(goals, f"round {turn + 1}: 50 columns") / ready)
    goals.at_least("50 columns, nested objects / ready-made rows", ratios, 0.5)


def memory(run: Running, options: argparse.Namespace, goals: Goals) -> None:
    """At a backlog of small records and one of large ones; and when they are worked off."""
    worker = run.live("backlog", FIFTY)
    large = {"street": "y" * 100_000}

    def make(id_: int, number: int) -> documents.Document:
        return {"id": id_, "value_01": number / 7, "nested_0": large}

    peaks = []
    for each, number in ((fifty, options.records // 5), (make, 2000)):
        fill(run.kafka, topic("backlog"), documents.made(range(number), a_fifth, each))
        peaks.append(worker.run(number, keep=each is make).peak_mb)
    goals.below("memory at a backlog of 50 columns", peaks[:1], 150, " MB")
    goals.below("memory at a backlog of records of 100 KB", peaks[1:], 150, " MB")
    worker.judge_idle(options.settle, options.idle, goals)


def latency(run: Running, options: argparse.Namespace, goals: Goals) -> None:
    """One record from a Kafka client to its row, on an idle system."""
    worker = run.live("single", SIX)
    worker.ask("START", "RUNNING")
    producer = Producer({"bootstrap.servers": run.kafka, "linger.ms": 0})
    query = f"select from {table('single')} where id = %s".encode()

    def send(number: int) -> None:
        for key, value, _ in documents.made(range(number, number + 1), int, six):
            producer.produce(topic("single"), value, key)
        assert producer.flush(30) == 0

    def is_visible(number: int) -> bool:
        return run.database.execute(query, [number]).fetchone() is not None

    p50, p99 = latencies(send, is_visible, options.singles)
    goals.below("one record, produce to visible row, p50", [p50], 100, " ms")
    goals.below("one record, produce to visible row, p99", [p99], 300, " ms")
    worker.stop()


def main(argv: list[str]) -> None:
    parser = options_of.parser("live_segment", __doc__, SECTIONS)
    parser.add_argument("--records", type=int, default=500_000, help="in one round")
    options_of.judged(options_of.parsed(parser, argv, SECTIONS), measure)


def measure(folder: Path, options: argparse.Namespace, goals: Goals) -> None:
    with running(folder / "data") as run:
        if {"rate", "sink", "hot"} & set(options.sections):
            rate(run, options, goals, folder)
        for name, section in (("wide", wide), ("latency", latency), ("memory", memory)):
            if name in options.sections:
                section(run, options, goals)
