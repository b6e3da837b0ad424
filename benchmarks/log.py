"""The embedded log against Apache Kafka 4.1, in one run with the same clients: ratios and goals.

Each measure is taken of both brokers in turn, some times over; what is printed are medians. On a
machine that others use too, only the ratios count.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks._log import clients, raw
from benchmarks._log.brokers import Broker, Embedded, Kafka, fetch_kafka

Measure = Callable[[Broker, int], float]  # of a broker, in a round
SECTIONS = ("rate", "one", "cpu", "waiting", "joining", "start", "memory")


class Table:
    """Prints a line for each measure; remembers whether each goal was reached."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        print(f"{'':34}{'embedded':>12}{'kafka':>12}{'ratio':>8}  goal")

    def row(self, what: str, unit: str, found: list[float], goal: str, *, reached: bool) -> None:
        texts = [f"{one:12,.2f}" if one < 100 else f"{one:12,.0f}" for one in found]
        ratio = f"{found[0] / found[1]:8.2f}" if len(found) > 1 and found[1] else " " * 8
        verdict = "" if reached else "  MISSED"
        print(f"{f'{what} ({unit})':34}{''.join(texts):24}{ratio}  {goal}{verdict}", flush=True)
        if not reached:
            self.missed.append(what)

    def compared(self, what: str, unit: str, found: list[float], limit: float) -> None:
        """At most so much of Kafka's where the limit is below 1, at least so much above."""
        sign = "≥" if limit > 1 else "≤"
        ratio = found[0] / found[1] if len(found) > 1 else None
        reached = ratio is None or (ratio >= limit if limit > 1 else ratio <= limit)
        self.row(what, unit, found, f"{sign} {limit} of it", reached=reached)

    def bounded(self, what: str, unit: str, found: list[float], limit: float) -> None:
        self.row(what, unit, found, f"≤ {limit:g} {unit}", reached=found[0] <= limit)


class Run:
    def __init__(self, folder: Path, given: argparse.Namespace, libs: Path | None) -> None:
        self.folder = folder
        self.given = given
        self.libs = libs
        self.table = Table()

    def pair(self, name: str) -> list[Broker]:
        """Both brokers, not started yet, on folders of their own."""
        brokers: list[Broker] = [Embedded(self.folder / f"{name}-embedded", self.given.fsync)]
        if self.libs is not None:
            brokers.append(Kafka(self.folder / f"{name}-kafka", self.libs))
        return brokers

    def medians(
        self, brokers: list[Broker], measure: Callable[[Broker, int], float]
    ) -> list[float]:
        """In turn, so that noise hits both alike."""
        found: list[list[float]] = [[] for _ in brokers]
        for turn in range(self.given.rounds):
            for number, broker in enumerate(brokers):
                found[number].append(measure(broker, turn))
        return [statistics.median(one) for one in found]


@contextmanager
def running(brokers: list[Broker]) -> Iterator[list[Broker]]:
    with ExitStack() as stack:
        for broker in brokers:
            stack.callback(broker.end, signal.SIGKILL)
            broker.start()
        yield brokers


class Cpu:
    """What brokers took of a core for a million messages, which a busy machine does not hide."""

    def __init__(self, brokers: list[Broker], count: int) -> None:
        self._used: dict[Broker, list[float]] = {broker: [] for broker in brokers}
        self._count = count

    def of(self, broker: Broker, measure: Callable[[], float]) -> float:
        before = broker.cpu_seconds()
        found = measure()
        self._used[broker].append((broker.cpu_seconds() - before) / self._count * 1e6)
        return found

    def print(self, run: Run, what: str) -> None:
        found = [statistics.median(times) for times in self._used.values()]
        run.table.row(f"  its CPU, {what}", "s/M", found, "", reached=True)


def rate(run: Run, brokers: list[Broker]) -> None:
    count = run.given.messages
    unread: dict[Broker, list[float]] = {broker: [] for broker in brokers}
    for partitions in (1, 8):
        writing, reading = Cpu(brokers, count), Cpu(brokers, count)

        def produced(broker: Broker, turn: int, partitions: int = partitions) -> float:
            broker.create_topics([f"rate-{partitions}-{turn}"], partitions)
            topic = f"rate-{partitions}-{turn}"
            return writing.of(broker, lambda: clients.produce(broker, topic, count))  # noqa: B023

        def consumed(broker: Broker, turn: int, partitions: int = partitions) -> float:
            topic = f"rate-{partitions}-{turn}"
            reader = clients.consume
            found = reading.of(broker, lambda: reader(broker, topic, count, partitions))  # noqa: B023
            if partitions == 1:
                unread[broker].append(raw.fetch(broker, topic, count))
            broker.delete_topic(topic)
            return found

        found = run.medians(brokers, produced)
        run.table.compared(f"produce, {partitions} partitions", "1/s", found, 1.2)
        writing.print(run, "produce")
        found = run.medians(brokers, consumed)
        run.table.compared(f"consume, {partitions} partitions", "1/s", found, 1.2)
        reading.print(run, "consume")
    bytes_only = [statistics.median(rates) for rates in unread.values()]
    run.table.row("fetch, and unpack nothing", "1/s", bytes_only, "", reached=True)


def one(run: Run, brokers: list[Broker]) -> None:
    print_fsync(run.folder)  # as it is now: on a busy disk it changes from minute to minute
    high: dict[Broker, list[float]] = {broker: [] for broker in brokers}

    def middle(broker: Broker, turn: int) -> float:
        broker.create_topics([f"one-{turn}"], 1)
        p50, p99 = clients.one_by_one(broker, f"one-{turn}", 1000)
        high[broker].append(p99)
        return p50

    run.table.compared("one message, p50", "ms", run.medians(brokers, middle), 0.5)
    found = [statistics.median(times) for times in high.values()]
    run.table.compared("one message, p99", "ms", found, 0.5)


def cpu(run: Run, brokers: list[Broker]) -> None:
    for partitions in (1, 8):

        def used(broker: Broker, turn: int, partitions: int = partitions) -> float:
            broker.create_topics([f"cpu-{partitions}-{turn}"], partitions)
            return clients.cpu_in_and_out(broker, f"cpu-{partitions}-{turn}", partitions, 8)

        what = f"100,000/s in and out, {partitions} p."
        run.table.bounded(what, "% CPU", run.medians(brokers, used), 25)


def waiting(run: Run, brokers: list[Broker]) -> None:
    kinds = (("clients", clients.waiting_defaults, 10), ("our port", clients.waiting_port, 2))
    for what, begin, limit in kinds:
        found = []
        for broker in brokers:
            broker.create_topics([f"idle-{what[:3]}"], 1)
            end = begin(broker, f"idle-{what[:3]}")
            time.sleep(3)
            before, started = broker.cpu_seconds(), time.perf_counter()
            time.sleep(10)
            used = broker.cpu_seconds() - before
            found.append(used / (time.perf_counter() - started) * 100)
            end()
        run.table.bounded(f"200 waiting, {what}", "% CPU", found, limit)


def joining(run: Run, brokers: list[Broker]) -> None:
    for broker in brokers:
        broker.create_topics(["joining"], 8)
    found = run.medians(brokers, lambda broker, _turn: clients.groups_joining(broker, "joining"))
    run.table.bounded("10 groups of 4 join", "s", found, 3)


def start(run: Run, _brokers: list[Broker]) -> None:
    empty, full, small = [], [], []
    cpu_empty, cpu_full = [], []
    for broker in run.pair("start"):
        times = []
        for _ in range(run.given.rounds):
            times.append(broker.start())
            used = broker.cpu_seconds()
            broker.end()
        cpu_empty.append(used)
        empty.append(statistics.median(times))
        broker.start()
        broker.create_topics(["full", "small"], 8)
        messages = int(2**30 * run.given.scale / 1000)
        clients.produce(broker, "full", messages, 1000, batch_size=16384, linger_ms=50)
        full.append(_after_kill(broker))
        cpu_full.append(broker.cpu_seconds())
        clients.produce(broker, "small", int(300_000 * run.given.scale), 100, batch_num_messages=1)
        small.append(_after_kill(broker))
        broker.end(signal.SIGKILL)
    run.table.bounded("start, empty", "s", empty, 0.5)
    run.table.row("  its CPU", "s", cpu_empty, "", reached=True)
    run.table.bounded("start after a kill, 1 GB in 16 KB", "s", full, 1.5)
    run.table.row("  its CPU", "s", cpu_full, "", reached=True)
    run.table.bounded("start, and 300,000 tiny batches", "s", small, 1.5)


def _after_kill(broker: Broker) -> float:
    broker.end(signal.SIGKILL)
    return broker.start()


def memory(run: Run, _brokers: list[Broker]) -> None:
    idle, used, many = [], [], []
    for broker in run.pair("memory"):
        with running([broker]):
            time.sleep(2)
            idle.append(broker.memory_mb())
            broker.create_topics(["t"], 8)
            count = int(2_000_000 * run.given.scale)
            clients.produce(broker, "t", count)
            clients.consume(broker, "t", count, 8)
            used.append(broker.memory_mb())
    for broker in run.pair("topics"):
        with running([broker]):
            count = int(1000 * run.given.scale)
            broker.create_topics([f"topic-{number}" for number in range(count)], 32)
            AdminClient({"bootstrap.servers": broker.address}).list_topics(timeout=60)
            time.sleep(1)
            many.append(broker.memory_mb())
    run.table.bounded("memory, idle", "MB", idle, 60)
    run.table.bounded("memory, after 2 million messages", "MB", used, 120)
    run.table.bounded("memory, 1,000 topics of 32", "MB", many, 200)


def print_fsync(folder: Path) -> None:
    with (folder / "probe").open("wb") as file:
        times = []
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(times, n=100)
    print(f"fsync of this disk: p50 {cuts[49]:.3f} ms, p99 {cuts[98]:.3f} ms")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks log", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"some of: {' '.join(SECTIONS)}")
    parser.add_argument("--messages", type=int, default=1_000_000, help="in one round of a rate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of logs and topics, for a trial")
    parser.add_argument("--fsync", default="always", choices=["always", "interval"])
    parser.add_argument("--without-kafka", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the logs lie; a temporary one otherwise")
    given = parser.parse_args(argv)
    libs = None if given.without_kafka else fetch_kafka()
    if libs is None and not given.without_kafka:
        print("Java or Maven is missing, so Apache Kafka is: no ratios")
    wanted = [name for name in SECTIONS if name in (given.only or SECTIONS)]
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        print_fsync(Path(name))
        run = Run(Path(name), given, libs)
        with running(run.pair("main") if set(wanted) - {"start", "memory"} else []) as brokers:
            for section in wanted:
                globals()[section](run, brokers)
    print(f"missed: {', '.join(run.table.missed)}" if run.table.missed else "all goals are reached")


if __name__ == "__main__":
    main(sys.argv[1:])
