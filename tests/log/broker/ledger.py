"""The checker of the fault tests: it numbers every record and knows what was acknowledged.

`Load` is an idempotent producer, `Reader` a member of a group that commits what it has read, and
`Deliveries` says at once when a group skips a record or goes back behind what it has committed.
"""

import os
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from tests.log.broker.running import RunningBroker

SEED = int(os.environ.get("GRNRY_FAULT_SEED") or random.SystemRandom().randrange(1 << 32))
SECONDS = float(os.environ.get("GRNRY_FAULT_SECONDS") or 6)
_QUEUE = 2000
KILLS = int(os.environ.get("GRNRY_FAULT_KILLS") or 20)


class Load:
    """An idempotent producer in a thread; its records are its name and a number that rises."""

    def __init__(self, broker: RunningBroker, topic: str, name: str = "load") -> None:
        self.name = name
        self.sent = 0
        self.acknowledged: dict[int, tuple[int, int]] = {}  # number → partition, offset
        self.failed: list[str] = []
        self._producer = broker.producer(
            delivery_timeout_ms=120_000, queue_buffering_max_messages=_QUEUE
        )
        self._topic = topic
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(error.str())
            return
        value, partition, offset = message.value(), message.partition(), message.offset()
        assert value is not None
        assert partition is not None
        assert offset is not None
        self.acknowledged[int(value.split()[1])] = (partition, offset)

    def _run(self) -> None:
        while not self._over.is_set():
            value = f"{self.name} {self.sent}"
            try:
                self._producer.produce(self._topic, value, on_delivery=self._delivered)
                self.sent += 1
            except BufferError:
                self._producer.poll(0.05)
            # A pace that leaves the machine to the broker.
            self._producer.poll(0.002 if self.sent % 20 == 0 else 0)
        self._producer.flush(120)

    def has_reached(self, count: int) -> bool:
        return len(self.acknowledged) >= count

    def is_held_up(self) -> bool:
        """Its queue is full of what is not acknowledged."""
        return self.sent - len(self.acknowledged) >= _QUEUE

    def finish(self) -> None:
        """Stop, and have everything answered."""
        self._over.set()
        self._thread.join(150)
        assert not self._thread.is_alive()


class Verdict(NamedTuple):
    lost: int
    double: int
    out_of_order: int
    misplaced: int  # elsewhere than where the acknowledgement said
    unknown: int


SPOTLESS = Verdict(0, 0, 0, 0, 0)


def judge(found: Iterable[Message], loads: Iterable[Load]) -> Verdict:
    """Of all records of a topic, read in the order of their partitions."""
    by_name = {load.name: load for load in loads}
    seen: dict[str, Counter[int]] = {name: Counter() for name in by_name}
    last: dict[tuple[str, int | None], int] = {}
    out_of_order = misplaced = unknown = 0
    for one in found:
        name, number = (one.value() or b"").decode().split()
        load = by_name.get(name)
        if load is None or not 0 <= int(number) < load.sent:
            unknown += 1
            continue
        seen[name][int(number)] += 1
        out_of_order += int(number) <= last.get((name, one.partition()), -1)
        last[name, one.partition()] = int(number)
        place = load.acknowledged.get(int(number))
        misplaced += place is not None and place != (one.partition(), one.offset())
    return Verdict(
        lost=sum(len(load.acknowledged.keys() - seen[name]) for name, load in by_name.items()),
        double=sum(count - 1 for numbers in seen.values() for count in numbers.values()),
        out_of_order=out_of_order,
        misplaced=misplaced,
        unknown=unknown,
    )


class Deliveries:
    """What the members of one group were given and have committed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[int, int] = defaultdict(int)
        self._committed: dict[int, int] = defaultdict(int)
        self.wrong: list[str] = []
        self.commits = 0
        self.again = 0

    @property
    def count(self) -> int:
        return sum(self._next.values())

    def take(self, partition: int, offset: int) -> None:
        with self._lock:
            if offset > self._next[partition]:
                self.wrong.append(f"{partition}: {self._next[partition]} to {offset} skipped")
            if offset < self._committed[partition]:
                self.wrong.append(
                    f"{partition}: {offset} again, {self._committed[partition]} was committed"
                )
            self.again += offset < self._next[partition]
            self._next[partition] = max(offset + 1, self._next[partition])

    def committed(self, offsets: dict[int, int]) -> None:
        with self._lock:
            self.commits += 1
            for partition, offset in offsets.items():
                self._committed[partition] = max(offset, self._committed[partition])

    def next_offsets(self) -> dict[int, int]:
        return dict(self._next)


class Reader:
    """A member of a group in a thread: reads, then commits what it has read."""

    def __init__(self, broker: RunningBroker, topic: str, group: str, told: Deliveries) -> None:
        self._topic = topic
        self._told = told
        self._over = threading.Event()
        self._consumer = broker.consumer(
            group, session_timeout_ms=10_000, heartbeat_interval_ms=200, auto_offset_reset="error"
        )
        self.errors: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        # Without a commit a partition begins at 0; to be reset by the client would hide a loss.
        self._consumer.subscribe([self._topic], on_assign=_from_the_begin)
        while not self._over.is_set():
            read: dict[int, int] = {}
            for one in self._consumer.consume(500, 0.1):
                error = one.error()
                if error is not None:
                    self.errors[error.name()] += 1
                    continue
                partition, offset = one.partition(), one.offset()
                assert partition is not None
                assert offset is not None
                self._told.take(partition, offset)
                read[partition] = offset + 1
            if read:
                self._commit(read)
        self._consumer.close()

    def _commit(self, read: dict[int, int]) -> None:
        places = [TopicPartition(self._topic, *place) for place in read.items()]
        try:
            done = self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:  # the broker is away, or the partitions moved
            self.errors[error.args[0].name()] += 1
            return
        if all(place.error is None for place in done or ()):
            self._told.committed(read)

    def finish(self) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def _from_the_begin(consumer: object, partitions: list[TopicPartition]) -> None:
    known = consumer.committed(partitions, timeout=30)  # type: ignore[attr-defined]
    for place in known:
        place.offset = max(place.offset, 0)
    consumer.assign(known)  # type: ignore[attr-defined]
