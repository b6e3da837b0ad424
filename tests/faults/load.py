"""Writes numbered records as any Kafka client does, and remembers which were acknowledged."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

NUMBER = "fault-number"
"""The header with a record's number. No two that are sent have the same."""

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent as one record."""

    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=list)
    partition: int = -1
    """The key says where it goes, if this does not."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record as the log has it."""

    number: int
    partition: int
    offset: int


STRETCH, RARITY = 40_000, 200


def rarity_at(number: int) -> int:
    """How many times rarer what is odd is among these records.

    In every other stretch batches are as nearly all are at work, and stored the fast way.
    """
    return RARITY if number // STRETCH % 2 else 1


class Load:
    """A producer at a pace, in a thread of its own."""

    def __init__(self, bootstrap: str, topic: str, make: Callable[[int], Sent]) -> None:
        self.topic = topic
        self._bootstrap = bootstrap
        self._make = make
        self._producer = self._new_producer()
        self.next = 0
        self.acknowledged: dict[int, tuple[int, int]] = {}
        """Partition and offset, by number."""
        self.refused: dict[int, str] = {}
        self._burst = 0
        self._pending: Sent | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.crash: BaseException | None = None

    def _new_producer(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                "linger.ms": 10,
                "message.timeout.ms": 600_000,
                "queue.buffering.max.messages": 20_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def start(self, per_second: int) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._guarded, args=(per_second,), name="load")
        self._thread.start()

    def _guarded(self, per_second: int) -> None:
        try:
            self._run(per_second)
        except BaseException as error:
            self.crash = error

    def _run(self, per_second: int) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            burst, self._burst = self._burst, 0
            for _ in range(max(per_second // 50, burst)):
                self._send_one()
            due = max(due + 0.02, time.monotonic() - 1)
            self._producer.poll(0)
            while (left := due - time.monotonic()) > 0:
                self._producer.poll(left)

    def burst(self, count: int) -> None:
        """As many as that at once, soon."""
        self._burst = count

    def _send_one(self) -> None:
        number = self.next
        sent = self._pending = self._pending or self._make(number)

        def decided(error: KafkaError | None, message: Message) -> None:
            if error is None:
                place = (int(message.partition() or 0), int(message.offset() or 0))
                self.acknowledged[number] = place
            else:
                self.refused[number] = str(error.str())

        headers = [*sent.headers, (NUMBER, b"%d" % number)]
        while not self._stop.is_set():
            try:
                self._producer.produce(
                    self.topic,
                    partition=sent.partition,
                    key=sent.key,
                    value=sent.value,
                    headers=headers,
                    on_delivery=decided,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                said: KafkaError = error.args[0]
                # One that has looked while a topic was made again takes nothing for it for minutes.
                if not said.fatal() and said.code() != KafkaError._UNKNOWN_TOPIC:
                    raise
                # What it has in hand is decided as refused; another goes on.
                self._producer.flush(5)
                self._producer = self._new_producer()
            else:
                self.next, self._pending = number + 1, None
                return

    def give_up(self) -> None:
        """Whatever is decided or not."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def stop(self, seconds: float = 120) -> None:
        """Until each that was sent is decided."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self.crash is not None:
            raise self.crash
        left = self._producer.flush(seconds)
        assert left == 0, f"{left} records are undecided"


def read_back(bootstrap: str, topic: str, seconds: float = 120) -> list[Written]:
    """Every numbered record of a topic, in the order of each partition."""
    client = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "faults-judge",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    try:
        partitions = client.list_topics(topic, timeout=30).topics[topic].partitions
        client.assign([TopicPartition(topic, number, 0) for number in partitions])
        open_, found, deadline = set(partitions), list[Written](), time.monotonic() + seconds
        while open_:
            assert time.monotonic() < deadline, f"{topic} is not read in {seconds} s"
            for message in client.consume(10_000, 0.2):
                _take(message, open_, found)
    finally:
        client.close()
    return found


def _take(message: Message, open_: set[int], found: list[Written]) -> None:
    error, partition = message.error(), int(message.partition() or 0)
    if error is None:
        number = dict(message.headers() or [])[NUMBER]
        found.append(Written(int(number or b""), partition, int(message.offset() or 0)))
    elif error.code() == KafkaError._PARTITION_EOF:
        open_.discard(partition)
    else:
        raise KafkaException(error)


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """The next offset of each partition."""
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": "faults-judge", "log_level": 0})
    try:
        partitions = client.list_topics(topic, timeout=30).topics[topic].partitions
        found = {}
        for number in partitions:
            marks = client.get_watermark_offsets(TopicPartition(topic, number), 30, cached=False)
            assert marks is not None
            found[number] = marks[1]
        return found
    finally:
        client.close()
