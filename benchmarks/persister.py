"""The persister's speed, from the topic to committed rows, beside its peers in the same run.

    python -m benchmarks persister [section ...] [--json]

Starts a Granary of its own, Apache Kafka and Kafka Connect with Debezium's JDBC sink. The sides run
in turns over the same events, so that other work on the machine hits all alike; a goal is judged by
the median of the rounds' ratios. Bare COPY is one connection that copies text made beforehand into
the same table with the same indexes, a transaction for as many rows as one of our batches has.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

from benchmarks._sinks import documents, events
from benchmarks._sinks import options as options_of
from benchmarks._sinks.connect import JdbcSink
from benchmarks._sinks.filling import fill
from benchmarks._sinks.goals import Goals
from benchmarks._sinks.running import Running, running
from benchmarks._sinks.worker import latencies

SECTIONS = ("rate", "sink", "nul", "poison", "stored", "types", "memory", "latency")


def fill_topic(
    run: Running, name: str, numbers: range, payload: events.Payload = events.payload
) -> float:
    return fill(run.kafka, f"grnry_data_in_{name}", events.made(name, numbers, payload))


def rate(run: Running, options: argparse.Namespace, goals: Goals, folder: Path) -> None:
    """The persister, bare COPY and the JDBC sink over the same events."""
    number = options.events
    worker = run.worker("load")
    filled = fill_topic(run, "load", range(number))
    goals.say(f"the topic is filled: {filled:,.0f} events/s")
    pieces = list(events.texts("load", number))
    with ExitStack() as stack:
        sink = None
        if "sink" in options.sections:
            sink = JdbcSink(folder / "sink", "events", run.url, events.SINK)
            stack.callback(sink.stop)
            if not sink.start(run.database):
                goals.say("Java or Maven is missing, and so is the JDBC sink")
                sink = None
        to_copy, to_sink = [], []
        for turn in range(options.rounds):
            run.empty()
            bare = events.copy(run.url, pieces, number)
            run.empty()
            worker.forget()
            ours = worker.run(number)
            goals.note(f"round {turn + 1}: persister", str(ours))
            goals.note(f"round {turn + 1}: bare COPY", f"{bare:,.0f} rows/s")
            assert run.count() == number
            to_copy.append(ours.rate / bare)
            if sink is not None:
                peer = peer_rate(run, sink, number, is_first=turn == 0)
                goals.note(f"round {turn + 1}: JDBC sink", f"{peer:,.0f} rows/s")
                to_sink.append(ours.rate / peer)
    goals.at_least("persister / bare COPY", to_copy, 0.75)
    if to_sink:
        goals.at_least("persister / JDBC sink, insert", to_sink, 3)


def peer_rate(run: Running, sink: JdbcSink, records: int, *, is_first: bool) -> float:
    """Of a sink that has warmed up."""

    def is_there(number: int) -> bool:
        found = run.database.execute(
            "select from peer.events where event_type = 'load' and correlation_id = %s"
            " and event_id = %s",
            [f"u{number % events.ENTITIES}", str(number)],
        )
        return found.fetchone() is not None

    if is_first:
        run.database.execute(events.PEER_TABLE)
        sink.fill(events.for_the_sink(records))
        sink.run(is_there, records)
    run.database.execute("truncate peer.events")
    sink.pause()
    sink.fill(events.for_the_sink(records))
    return sink.run(is_there, records)


def nul(run: Running, options: argparse.Namespace, goals: Goals) -> None:
    """One in a thousand with a NUL, against none, in turns."""
    workers = {name: run.worker(name) for name in ("clean", "nul")}
    fill_topic(run, "clean", range(options.events))
    fill_topic(run, "nul", range(options.events), events.payload_with_nul)
    ratios = []
    for _ in range(options.rounds):
        rates = {}
        for name, worker in workers.items():
            run.empty()
            worker.forget()
            rates[name] = worker.run(options.events).rate
            assert run.count() == options.events
        ratios.append(rates["nul"] / rates["clean"])
    goals.at_least("with \\u0000 in 1 of 1,000 / without", ratios, 0.9)


def poison(run: Running, options: argparse.Namespace, goals: Goals) -> None:
    """What cannot be stored, against what can, in turns."""
    number = options.events // 10
    payloads = {
        "clean": events.payload,
        "spoilt": events.payload_with_poison,
        "not JSON": events.payload_of_poison,
    }
    workers = {}
    for side, payload in payloads.items():
        name = side.replace(" ", "-").lower()
        workers[side] = run.worker(name)
        fill_topic(run, name, range(number), payload)
    workers["invalid"] = run.live("invalid", documents.SIX)
    invalid = documents.made(range(number), documents.a_fifth, an_invalid_one)
    fill(run.kafka, "grnry_live_segment_invalid", invalid)
    ratios: dict[str, list[float]] = {side: [] for side in workers if side != "clean"}
    for turn in range(options.rounds):
        rates = {}
        for side, worker in workers.items():
            for table in ("public.eventstore", "grnry.dead_letters", "grnry.dead_letter_counts"):
                run.empty(table)
            worker.forget()
            found = worker.run(number)
            goals.note(f"round {turn + 1}: {side}", str(found))
            rates[side] = found.rate
        for side, found_ratios in ratios.items():
            found_ratios.append(rates[side] / rates["clean"])
    goals.at_least("1 of 100 is not JSON / clean", ratios["spoilt"], 0.3)
    goals.at_least("nothing is JSON / clean", ratios["not JSON"], 0.05)
    goals.at_least("live segment, nothing fits its schema / clean", ratios["invalid"], 0.05)


def an_invalid_one(id_: int, number: int) -> documents.Document:
    return {**documents.six(id_, number), "score": "high"}


def beside(
    folder: Path, options: argparse.Namespace, goals: Goals, name: str, rows: int, types: int
) -> list[float]:
    """A store with much in it against one with 100,000 rows, two Granaries in turns."""
    with running(folder / f"{name}-few") as few, running(folder / f"{name}-many") as many:
        sides = {"few": few, "many": many}
        workers = {side: run.worker("load") for side, run in sides.items()}
        fill_store(few, 100_000, 1)
        fill_store(many, rows, types)
        ratios, number = [], options.events // 2
        for turn in range(options.rounds):
            numbers, rates = range(turn * number, (turn + 1) * number), {}
            for side, run in sides.items():
                fill_topic(run, "load", numbers)
                found = workers[side].run(number)
                goals.note(f"round {turn + 1}: {name}, {side}", str(found))
                rates[side] = found.rate
            ratios.append(rates["many"] / rates["few"])
        return ratios


def fill_store(run: Running, rows: int, types: int) -> None:
    step = 500_000
    for first in range(0, rows, step):
        numbers = {"first": first, "last": min(first + step, rows) - 1, "types": types}
        run.database.execute(events.FILL_STORE, numbers)
    run.database.execute("vacuum analyze public.eventstore")


def memory(run: Running, options: argparse.Namespace, goals: Goals) -> None:
    """At a backlog of small events and one of large ones; and when they are worked off."""
    worker = run.worker("backlog")
    peaks = []
    for payload, number in ((events.payload, options.events), (events.large_payload, 2000)):
        run.empty()
        fill_topic(run, "backlog", range(number), payload)
        peaks.append(worker.run(number, keep=payload is not events.payload).peak_mb)
    goals.below("memory at a backlog of small events", peaks[:1], 150, " MB")
    goals.below("memory at a backlog of events of 100 KB", peaks[1:], 150, " MB")
    worker.judge_idle(options.settle, options.idle, goals)


def latency(run: Running, options: argparse.Namespace, goals: Goals) -> None:
    """One event over HTTP to its row, on an idle system."""
    worker = run.worker("single")
    worker.ask("START", "RUNNING")

    def send(number: int) -> None:
        event = {"user": "u", "id": str(number), "text": "x" * 250}
        run.caller.post("/event-types/single/events", event, 202)

    def is_visible(number: int) -> bool:
        query = (
            "select from public.eventstore where event_type = 'single' and correlation_id = 'u'"
            " and event_id = %s"
        )
        return run.database.execute(query, [str(number)]).fetchone() is not None

    p50, p99 = latencies(send, is_visible, options.singles)
    goals.below("one event, HTTP to visible row, p50", [p50], 100, " ms")
    goals.below("one event, HTTP to visible row, p99", [p99], 300, " ms")
    worker.stop()


SHARED = {"nul": nul, "poison": poison, "latency": latency, "memory": memory}
"""Sections that need one Granary, and the same one."""


def main(argv: list[str]) -> None:
    parser = options_of.parser("persister", __doc__, SECTIONS)
    parser.add_argument("--events", type=int, default=500_000, help="in one round")
    parser.add_argument("--stored", type=int, default=1_000_000, help="rows in the fuller store")
    options_of.judged(options_of.parsed(parser, argv, SECTIONS), measure)


def measure(folder: Path, options: argparse.Namespace, goals: Goals) -> None:
    wanted = set(options.sections)
    if wanted - {"stored", "types"}:
        with running(folder / "data") as run:
            if wanted & {"rate", "sink"}:
                rate(run, options, goals, folder)
            for name, section in SHARED.items():
                if name in wanted:
                    section(run, options, goals)
    if "stored" in wanted:
        ratios = beside(folder, options, goals, "stored", options.stored, 1)
        goals.at_least(f"with {options.stored:,} rows stored / 100,000", ratios, 0.7)
    if "types" in wanted:
        ratios = beside(folder, options, goals, "types", options.stored, 1000)
        goals.at_least("with 1,000 event types' data / without", ratios, 0.8)
