"""The consumer: whole batches, from the offsets that the reader keeps itself.

One thread owns a consumer: it reads, hands over what it has read, and holds the partitions back
(`pause`) while nobody takes it. Partitions that the group grants wait until their reader says from
where to read them (`start`); partitions that move away are told before a further record is handed
out, and go when the reader has finished what is in hand.
"""

import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, cast

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from grnry.log.cluster import Cluster
from grnry.log.divergence import divergences, place_of
from grnry.log.membership import Membership
from grnry.log.records import Gap, LogAway, Partition, Position, Record
from grnry.log.refusals import LOST_PLACE, commit_refusals, refusals

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
LOOK_SECONDS = 5.0
FETCH_WAIT_MS = 3_000


class Listener(Protocol):
    """Who is told what happens to the partitions, from within `read`."""

    def granted(self, partitions: Sequence[Partition]) -> None:
        """They may be read as soon as `start` says from where."""

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Finish what is in hand of them; they may be another's afterwards."""


class Consumer:
    """Reads one topic as a member of a group.

    What the reader wants and the log does not have (any more) is told to `on_gap`, or logged; it is
    never passed over in silence. So is a log that has lost its end and has other records there by
    now: leader epochs tell.
    """

    def __init__(
        self,
        cluster: Cluster | str,
        topic: str,
        membership: Membership,
        listener: Listener,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> None:
        self._listener = listener
        self._topic = topic
        self._leaves = membership.leaves
        self._on_gap = on_gap or _log_gap
        self._promised: dict[Partition, Position | None] = {}
        self._missing: dict[Partition, int] = {}
        self._waiting: dict[Partition, Position | None] = {}
        self._is_paused = False
        self._revoked: set[Partition] = set()
        self.is_member = False
        self.trouble = ""
        self._cluster = Cluster.at(cluster)
        self._client = Client(
            {
                **self._cluster.conf(),
                "client.id": membership.member,
                "group.id": membership.group,
                "group.instance.id": membership.member,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                # What is not there any more is an error that the reader is told of.
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": membership.session_ms,
                "heartbeat.interval.ms": membership.heartbeat_ms,
                "max.poll.interval.ms": max(300_000, membership.session_ms),
                # Partitions that begin while a fetch waits, or miss the first one by a hair, are
                # read when it ends. The embedded log ends it early then; other brokers do not.
                "fetch.wait.max.ms": FETCH_WAIT_MS,
                "fetch.error.backoff.ms": 100,
                "fetch.queue.backoff.ms": 20,
                "reconnect.backoff.max.ms": 1_000,
                # What waits to be read is most of what a worker with a backlog takes: a fetch is
                # kept whole until its last record is read.
                "queued.max.messages.kbytes": 8 * 1024,
                "fetch.max.bytes": 4 * 2**20,
                "max.partition.fetch.bytes": 2**20,
                "topic.metadata.refresh.interval.ms": 60_000,
                "log_level": 3,
                "error_cb": self._on_error,
                "on_commit": self._on_commit,
            },
            logger=logger,
        )
        self._client.subscribe(
            [topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def _on_error(self, error: KafkaError) -> None:
        self.trouble = str(error.str())

    def _on_commit(self, error: KafkaError | None, _places: list[TopicPartition]) -> None:
        if error is None:
            return
        if error.code() in LOST_PLACE:
            logger.info("The group took no offsets: %s", error.str())
        else:
            self.trouble = str(error.str())

    def _on_assign(self, client: Client, partitions: list[TopicPartition]) -> None:
        client.incremental_assign([])
        self.is_member = True
        self.trouble = ""
        self._listener.granted([(p.topic, p.partition) for p in partitions])

    def _on_revoke(self, client: Client, partitions: list[TopicPartition]) -> None:
        gone = [(p.topic, p.partition) for p in partitions]
        self._listener.revoked(gone)
        # Those that wait for their start are not the library's yet. What it raises within a
        # callback ends the thread past every `except`.
        started = [p for p in partitions if (p.topic, p.partition) in self._promised]
        for partition in gone:
            self._forget(partition)
        self._revoked.update(gone)
        with contextlib.suppress(KafkaException):
            client.incremental_unassign(started)

    # Where to read

    def start(self, positions: Mapping[Partition, Position | None]) -> None:
        """Read granted partitions from there; from the beginning where that is nowhere."""
        # Offset 0, not "the beginning": what has to be asked for first would miss the fetch that
        # the others begin, and wait for its end. Where retention took 0, reading begins after it.
        # For the same reason all wait for those whose epochs are compared first: the library does
        # that when a leader has a new one, but not here.
        if _comparable(positions):
            self._waiting |= positions
        else:
            self._assign(positions)

    def _assign(self, positions: Mapping[Partition, Position | None]) -> None:
        self._promised.update(positions)
        if not positions:
            return
        with refusals():
            self._client.incremental_assign(
                [place_of(partition, position) for partition, position in positions.items()]
            )

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Go on from there in partitions that were started; nothing of before is handed out."""
        with refusals():
            self._client.incremental_unassign(
                [TopicPartition(*one) for one in offsets if one in self._promised]
            )
        for partition in offsets:
            self._forget(partition)
        self._assign({partition: Position(offset) for partition, offset in offsets.items()})

    def _forget(self, partition: Partition) -> None:
        self._promised.pop(partition, None)
        self._missing.pop(partition, None)
        self._waiting.pop(partition, None)

    def pause(self, partitions: Sequence[Partition]) -> None:
        self._is_paused = True
        self._client.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Sequence[Partition]) -> None:
        self._is_paused = False
        self._client.resume([TopicPartition(*partition) for partition in partitions])

    # Reading

    def read(self, most: int, seconds: float) -> list[Record]:
        """What is there, up to `most` records; waits up to `seconds` where nothing is.

        A call that tells of a gap gives no records: what comes next is from behind it.
        Raises LogAway where this consumer never goes on: another has come under its name, say.
        """
        self._revoked.clear()
        if self._has_told_of_gaps():
            return []
        try:
            messages = self._client.consume(most, 0)
            if not messages and seconds:
                messages = self._client.consume(1, seconds)
                if messages:
                    messages += self._client.consume(most - 1, 0) if most > 1 else []
                elif self.trouble:
                    self._ask_whether_it_is_over()
        except KafkaException as error:
            raise LogAway(str(error.args[0].str())) from error
        if [one for one in messages if one.error() is not None]:
            messages = [one for one in messages if self._is_record(one)]
        records = cast(list[Record], messages)
        if gone := self._revoked:
            # What the library had taken up before it told us would be handed out after all.
            records = [one for one in records if (one.topic(), one.partition()) not in gone]
        return records

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
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the library's own name
            partition = (str(message.topic()), int(message.partition() or 0))
            if partition in self._promised:
                self._stop_at_gap(partition, message.offset())
            return False
        # Of what ends the library's reading for ever the error itself does not always say so.
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001
            raise LogAway(str(error.str()))
        self.trouble = str(error.str())
        return False

    def _stop_at_gap(self, partition: Partition, offset: int | None) -> None:
        """The library does not say the offset where it is the log that has lost its end."""
        if offset is not None:
            self._missing[partition] = offset
            return
        (read,) = self._client.position([TopicPartition(*partition)])
        started = self._promised.pop(partition) or Position(0)
        is_read = read.offset >= 0
        self._waiting[partition] = Position(read.offset, read.leader_epoch) if is_read else started
        self._client.incremental_unassign([TopicPartition(*partition)])

    def _has_told_of_gaps(self) -> bool:
        """Read on from what is there, and tell what is not; tried again while brokers are away."""
        has_told = False
        if not self._is_paused:
            try:
                for gap in itertools.chain(self._cut_off(), self._gone()):
                    has_told = True
                    self._on_gap(gap)
            except LogAway as error:
                self.trouble = error.message
        return has_told

    def _cut_off(self) -> list[Gap]:
        """Start where the log still has what was read before; else where the two part."""
        compared = _comparable(self._waiting)
        found = divergences(self._cluster, compared, LOOK_SECONDS) if compared else {}
        for partition in compared.keys() - found.keys():
            logger.warning("%s/%d: brokers do not say where its epochs end.", *partition)
        cut = {p: offset for p, offset in found.items() if offset < compared[p].offset}
        begin = {p: at for p, at in self._waiting.items() if p not in compared or p in found}
        begin |= {partition: Position(offset) for partition, offset in cut.items()}
        for partition in begin:
            del self._waiting[partition]
        self._assign(begin)
        return [Gap(p, compared[p].offset, offset, is_cut=True) for p, offset in cut.items()]

    def _gone(self) -> Iterator[Gap]:
        """Start at the beginning of logs that do not have the offset (any more)."""
        for partition, wanted in list(self._missing.items()):
            place = TopicPartition(*partition)
            try:
                span = self._client.get_watermark_offsets(place, LOOK_SECONDS, cached=False)
            except KafkaException as error:
                raise LogAway(str(error.args[0].str())) from error
            if span is None:
                raise LogAway
            begins_anywhere = self._promised[partition] is None and wanted == 0
            del self._missing[partition]
            self._client.incremental_unassign([place])
            self._assign({partition: Position(span[0])})
            if wanted != span[0] and not begins_anywhere:
                # What a log has and does not give has an epoch that it has not come to.
                yield Gap(partition, wanted, span[0], is_cut=span[0] < wanted <= span[1])

    # What is stored

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group what is stored, for others to see the lag; reading does not rely on it."""
        try:
            self._client.commit(offsets=_places(offsets), asynchronous=True)
        except KafkaException as error:
            self.trouble = str(error.args[0].str())

    def commit_and_wait(self, offsets: Mapping[Partition, int]) -> None:
        """The same, for who relies on it; raises CommitRefused where the place is lost."""
        with commit_refusals():
            for one in self._client.commit(offsets=_places(offsets), asynchronous=False) or ():
                if one.error is not None:
                    raise KafkaException(one.error)

    def close(self, *, leaves: bool = False) -> None:
        """End, but do not wait long for brokers that are away; `leaves` the group as it may."""
        self._leaves = self._leaves or leaves
        closing = threading.Thread(target=self._close, name="log-close", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def _close(self) -> None:
        if self._leaves:
            # Closing alone keeps the place of a member that comes back under its name.
            with contextlib.suppress(KafkaException):
                self._client.unsubscribe()
                while self._client.assignment() or self._client.memberid():
                    self._client.consume(1, 0.01)
        with contextlib.suppress(KafkaException):  # as one that another of its name has replaced
            self._client.close()


def _comparable(positions: Mapping[Partition, Position | None]) -> dict[Partition, Position]:
    """Of which brokers can say whether their log is another one by now."""
    return {
        p: at for p, at in positions.items() if at and at.offset and at.leader_epoch is not None
    }


def _places(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]


def _log_gap(gap: Gap) -> None:
    logger.error("%s.", gap)
