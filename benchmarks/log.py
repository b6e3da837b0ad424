"""How fast the embedded log is: rates, the time of one message, start, memory.

Producer and consumer are confluent-kafka on the same machine, so both sides share its cores.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

_PROGRAM = """
import sys
from pathlib import Path
from grnry.log.broker import BrokerSettings, run
sys.exit(run(BrokerSettings(data=Path(sys.argv[1]), port=int(sys.argv[2]), fsync=sys.argv[3])))
"""


class Broker:
    def __init__(self, data: Path, fsync: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        started = time.perf_counter()
        command = [sys.executable, "-c", _PROGRAM, str(data), str(self.port), fsync]
        self._process = subprocess.Popen(command)
        while not self._answers():
            time.sleep(0.002)
        self.start_seconds = time.perf_counter() - started

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the broker did not start"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._process.wait()

    def memory_mb(self) -> float:
        text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if "Pss:" in line) / 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def create_topic(self, name: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(10)


@contextmanager
def running(data: Path, fsync: str) -> Iterator[Broker]:
    broker = Broker(data, fsync)
    try:
        yield broker
    finally:
        broker.end(signal.SIGTERM)


def produce(broker: Broker, topic: str, count: int, size: int) -> float:
    """Messages a second, all acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": broker.address,
            "enable.idempotence": True,
            "linger.ms": 10,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.list_topics(timeout=10)
    value = os.urandom(size)
    started = time.perf_counter()
    for number in range(count):
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.01)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
    return count / (time.perf_counter() - started)


def consume(broker: Broker, topic: str, count: int, partitions: int) -> float:
    """Messages a second, from the first that comes to the last."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": f"bench-{time.monotonic_ns()}",
            "enable.auto.commit": False,
            "queued.min.messages": 1_000_000,
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    first: list[Message] = consumer.consume(1, 30)
    started = time.perf_counter()
    left = count - len(first)
    while left > 0:
        batch = consumer.consume(min(left, 10_000), 5)
        assert batch, f"{left} messages did not come"
        left -= len(batch)
    seconds = time.perf_counter() - started
    consumer.close()
    return count / seconds


def one_by_one(broker: Broker, topic: str, count: int) -> tuple[float, float]:
    """Milliseconds from produce to consume (p50, p99), one message in flight."""
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 0, "acks": "all"})
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "one"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    times = []
    for _ in range(count + 20):
        started = time.perf_counter()
        producer.produce(topic, b"x" * 200, partition=0)
        producer.poll(0)
        while not consumer.consume(1, 5):
            pass
        times.append((time.perf_counter() - started) * 1000)
        producer.poll(0)
    producer.flush(10)
    consumer.close()
    cuts = statistics.quantiles(times[20:], n=100)
    return cuts[49], cuts[98]


def fsync_milliseconds(folder: Path) -> float:
    with (folder / "probe").open("wb") as file:
        times = []
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def measure(folder: Path, fsync: str, count: int, partitions: int) -> None:
    data = folder / f"{fsync}-{partitions}"
    with running(data, fsync) as broker:
        time.sleep(0.5)
        print(f"  start, empty         {broker.start_seconds * 1000:10.0f} ms")
        print(f"  memory, idle         {broker.memory_mb():10.1f} MB")
        broker.create_topic("rate", partitions)
        broker.create_topic("one", 1)
        cpu = broker.cpu_seconds()
        rate = produce(broker, "rate", count, 200)
        per_100k = (broker.cpu_seconds() - cpu) / count * 100_000
        print(f"  produce              {rate:10,.0f} messages/s ({per_100k:.2f} s CPU per 100,000)")
        cpu = broker.cpu_seconds()
        rate = consume(broker, "rate", count, partitions)
        per_100k = (broker.cpu_seconds() - cpu) / count * 100_000
        print(f"  consume              {rate:10,.0f} messages/s ({per_100k:.2f} s CPU per 100,000)")
        middle, high = one_by_one(broker, "one", 1000)
        print(f"  one message          {middle:10.2f} ms p50, {high:.2f} ms p99")
        print(f"  memory, afterwards   {broker.memory_mb():10.1f} MB")
        broker.end(signal.SIGKILL)
    size = sum(path.stat().st_size for path in data.rglob("*.log")) >> 20
    with running(data, fsync) as broker:
        milliseconds = broker.start_seconds * 1000
        print(f"  start after a kill   {milliseconds:10.0f} ms with {size} MB of log")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks log", description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--partitions", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--fsync", nargs="+", default=["always"], choices=["always", "interval"])
    parser.add_argument("--folder", type=Path, help="where the log lies; a temporary one otherwise")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        print(f"fsync of this disk: {fsync_milliseconds(Path(folder)):.3f} ms")
        for fsync in given.fsync:
            for partitions in given.partitions:
                print(f"fsync {fsync}, {partitions} partitions, {given.messages:,} messages")
                measure(Path(folder), fsync, given.messages, partitions)


if __name__ == "__main__":
    main(sys.argv[1:])
