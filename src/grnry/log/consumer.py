"""The consumer: whole batches, from the offsets that the reader keeps itself.

One thread owns a consumer. Partitions that the group grants wait until their reader says from where
to read them (`start`); partitions that move away are told before a further record is handed out.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from grnry.log.records import LogAway, Record

logger = logging.getLogger(__name__)

Partition = tuple[str, int]

CLOSE_SECONDS = 2.0


class Listener(Protocol):
    """Who is told what happens to the partitions, from within `read`."""

    def granted(self, partitions: Sequence[Partition]) -> None:
        """They may be read as soon as `start` says from where."""

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Finish what is in hand of them; they may be another's afterwards."""


@dataclass(frozen=True, slots=True)
class Membership:
    """As whom a consumer reads.

    A member that comes back under its name takes its partitions up at once, also after a crash.
    """

    group: str
    member: str


class Consumer:
    """Reads one topic as a member of a group."""

    def __init__(
        self, bootstrap: str, topic: str, membership: Membership, listener: Listener
    ) -> None:
        self._listener = listener
        self._topic = topic
        self.is_member = False
        self.trouble = ""
        self._client = Client(
            {
                "bootstrap.servers": bootstrap,
                "client.id": membership.member,
                "group.id": membership.group,
                "group.instance.id": membership.member,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 30_000,
                "max.poll.interval.ms": 300_000,
                # Partitions that are started together may miss the first fetch; they are read at
                # the latest when it ends.
                "fetch.wait.max.ms": 500,
                "fetch.error.backoff.ms": 100,
                "fetch.queue.backoff.ms": 20,
                "reconnect.backoff.max.ms": 1_000,
                "queued.max.messages.kbytes": 32 * 1024,
                "max.partition.fetch.bytes": 4 * 2**20,
                "topic.metadata.refresh.interval.ms": 60_000,
                "log_level": 3,
                "error_cb": self._on_error,
            },
            logger=logger,
        )
        self._client.subscribe(
            [topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def _on_error(self, error: KafkaError) -> None:
        self.trouble = str(error.str())

    def _on_assign(self, client: Client, partitions: list[TopicPartition]) -> None:
        client.incremental_assign([])
        self.is_member = True
        self.trouble = ""
        self._listener.granted([(p.topic, p.partition) for p in partitions])

    def _on_revoke(self, client: Client, partitions: list[TopicPartition]) -> None:
        self._listener.revoked([(p.topic, p.partition) for p in partitions])
        client.incremental_unassign(partitions)

    def start(self, offsets: Mapping[Partition, int | None]) -> None:
        """Read granted partitions from these offsets; from the beginning where there is none."""
        # Offset 0, not "the beginning": what has to be asked for first would miss the fetch that
        # the others begin, and wait for its end. Where retention took 0, reading begins after it.
        self._client.incremental_assign(
            [TopicPartition(*partition, offset or 0) for partition, offset in offsets.items()]
        )

    def read(self, most: int, seconds: float) -> list[Record]:
        """What is there, up to `most` records; waits up to `seconds` where nothing is."""
        try:
            messages = self._client.consume(most, 0)
            if not messages and seconds:
                messages = self._client.consume(1, seconds)
                if messages:
                    messages += self._client.consume(most - 1, 0)
                elif self.trouble:
                    self._ask_whether_it_is_over()
        except KafkaException as error:
            raise LogAway(str(error.args[0].str())) from error
        return cast(list[Record], [m for m in messages if self._is_record(m)])

    def _ask_whether_it_is_over(self) -> None:
        """The library tells when brokers go, not when they come back."""
        try:
            self._client.list_topics(self._topic, timeout=1.0)
        except KafkaException as error:
            self.trouble = str(error.args[0].str())
        else:
            self.trouble = ""

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal():
            raise LogAway(str(error.str()))
        self.trouble = str(error.str())
        return False

    def pause(self, partitions: Sequence[Partition]) -> None:
        self._client.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Sequence[Partition]) -> None:
        self._client.resume([TopicPartition(*partition) for partition in partitions])

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group what is stored, for others to see the lag; reading does not rely on it."""
        places = [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
        try:
            self._client.commit(offsets=places, asynchronous=True)
        except KafkaException as error:
            self.trouble = str(error.args[0].str())

    def close(self) -> None:
        """Leave, but do not wait long for brokers that are away."""
        closing = threading.Thread(target=self._client.close, name="log-close", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
