"""The producer: idempotent, acknowledged by all replicas; a failed delivery is always told."""

import logging
import threading
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Client

from grnry.log.cluster import Cluster
from grnry.log.records import LARGEST_BATCH, LogAway, Outgoing

logger = logging.getLogger(__name__)

Outcome = list[str | None]
"""For each record of a batch: why it was not written, or nothing."""

DELIVERY_MS = 20_000
QUEUE_KILOBYTES = 128 * 1024
ANY = -1


class ProducerFull(LogAway):
    """More waits to be written to the log than memory is granted for. Try again."""


class Producer:
    """Writes batches of records; each batch is told once, when all of it is decided."""

    def __init__(
        self, cluster: Cluster | str, client_id: str = "grnry", *, delivery_ms: int = DELIVERY_MS
    ) -> None:
        self._delivery_ms = delivery_ms
        self._client = Client(
            {
                **Cluster.at(cluster).conf(),
                "client.id": client_id,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 1,
                "compression.type": "lz4",
                "delivery.timeout.ms": delivery_ms,
                "message.max.bytes": LARGEST_BATCH,
                "queue.buffering.max.kbytes": QUEUE_KILOBYTES,
                "topic.metadata.propagation.max.ms": 1000,
                "log_level": 3,
            },
            logger=logger,
        )
        self._closed = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="log-producer", daemon=True)
        self._poller.start()

    def _poll(self) -> None:
        while not self._closed.is_set():
            try:
                self._client.poll(0.2)
            except Exception:
                # One caller's error must not keep all others from being told.
                logger.exception("A caller failed on what it was told of its records.")

    def send(
        self, topic: str, records: Sequence[Outgoing], done: Callable[[Outcome], None]
    ) -> None:
        """Hand a batch over; `done` is called once, from the producer's thread or from here."""
        batch = _Batch(len(records), done)
        for index, record in enumerate(records):
            try:
                self._client.produce(
                    topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    timestamp=record.timestamp_ms or 0,
                    partition=ANY if record.partition is None else record.partition,
                    on_delivery=batch.callback(index),
                )
            except BufferError:
                batch.decide(index, (ProducerFull.__doc__ or "").strip())
            except KafkaException as error:
                batch.decide(index, _reason(error.args[0]))
        if not records:
            done([])

    def send_and_wait(self, topic: str, records: Sequence[Outgoing]) -> Outcome:
        """Write a batch and wait until every record of it is decided."""
        decided = threading.Event()
        outcome: Outcome = []

        def done(result: Outcome) -> None:
            outcome.extend(result)
            decided.set()

        self.send(topic, records, done)
        decided.wait()
        return outcome

    def close(self) -> None:
        self._client.flush(self._delivery_ms / 1000)
        self._closed.set()
        self._poller.join(5)


class _Batch:
    """Counts the deliveries of one batch."""

    def __init__(self, size: int, done: Callable[[Outcome], None]) -> None:
        self._outcome: Outcome = [None] * size
        self._open = size
        self._done = done
        self._lock = threading.Lock()

    def callback(self, index: int) -> Callable[[KafkaError | None, Message], None]:
        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            self.decide(index, None if error is None else _reason(error))

        return on_delivery

    def decide(self, index: int, reason: str | None) -> None:
        with self._lock:
            self._outcome[index] = reason
            self._open -= 1
            is_last = self._open == 0
        if is_last:
            self._done(self._outcome)


def _reason(error: KafkaError) -> str:
    return str(error.str())
