"""Topics and groups: made, described, changed, deleted."""

import logging
import socket
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewPartitions, NewTopic

from grnry.errors import GranaryError, InUse, NotFound
from grnry.log.cluster import Cluster, Conf
from grnry.log.model import BEGINNING, END, Group, Lag, Member, Progress, Setting, Span, Topic
from grnry.log.records import LogAway, Partition
from grnry.log.refusals import SECONDS, refusals, result, translated, unless

logger = logging.getLogger(__name__)

KNOCK_SECONDS = 1.0
EARLIEST, LATEST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]


class Admin:
    """What the platform does with topics and groups, whichever broker answers."""

    def __init__(self, cluster: Cluster | str) -> None:
        self._cluster = Cluster.at(cluster)
        self._trouble = ""
        conf: Conf = {"client.id": "grnry-admin", "log_level": 0, "error_cb": self._on_error}
        self._client = AdminClient({**self._cluster.conf(), **conf}, logger=logger)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - it says less
            self._trouble = str(error.str())

    def brokers(self, seconds: float = SECONDS) -> int:
        """How many brokers there are; raises where none answers."""
        return len(self._metadata(seconds).brokers)

    # Topics

    def create_topic(
        self, name: str, partitions: int, replication: int, config: Mapping[str, str]
    ) -> bool:
        """Make a topic; false where it is there already."""
        topic = NewTopic(name, partitions, min(replication, self.brokers()), config=dict(config))
        future = self._client.create_topics([topic], operation_timeout=SECONDS)[name]
        return unless(KafkaError.TOPIC_ALREADY_EXISTS, future)

    def delete_topic(self, name: str) -> bool:
        """Delete a topic; false where it is gone already."""
        self._knock()
        future = self._client.delete_topics([name], operation_timeout=SECONDS)[name]
        return unless(KafkaError.UNKNOWN_TOPIC_OR_PART, future)

    def topics(self) -> dict[str, int]:
        """Each topic and how many partitions it has."""
        found = self._metadata().topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def has_topic(self, name: str) -> bool:
        """Whether it is there: the controller's word, as brokers tell of a deleted one for longer.

        To who may not make topics the brokers' word has to do.
        """
        if name not in self.topics():
            return False
        made = self._client.create_topics(
            [NewTopic(name, 1, 1)], operation_timeout=SECONDS, validate_only=True
        )
        try:
            return not unless(KafkaError.TOPIC_ALREADY_EXISTS, made[name])
        except LogAway:
            raise
        except GranaryError:
            return True

    def describe(self, names: Collection[str]) -> dict[str, Topic]:
        """The topics of these names that there are, with their ids."""
        if not names:
            return {}
        self._knock()
        asked = TopicCollection(list(names))
        found = {}
        for name, future in self._client.describe_topics(asked, request_timeout=SECONDS).items():
            try:
                one = result(future)
            except NotFound:
                continue
            replicas = len(one.partitions[0].replicas) if one.partitions else 0
            number = len(one.partitions)
            found[name] = Topic(name, str(one.topic_id), number, replicas, one.is_internal)
        return found

    def topic_id(self, name: str) -> str | None:
        """Its id, which one of the same name that is made later does not have."""
        topic = self.describe([name]).get(name)
        return None if topic is None else topic.id

    def grow_topic(self, name: str, partitions: int) -> None:
        """Give a topic more partitions; what is in it stays where it is."""
        self._knock()
        asked = [NewPartitions(name, partitions)]
        result(self._client.create_partitions(asked, operation_timeout=SECONDS)[name])

    def settings(self, topic: str) -> dict[str, Setting]:
        """What holds for a topic, and what of it was given to it."""
        self._knock()
        asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
        found = result(self._client.describe_configs([asked], request_timeout=SECONDS)[asked])
        return {
            name: Setting(entry.value, entry.source != _GIVEN_TO_TOPIC)
            for name, entry in sorted(found.items())
        }

    def change_settings(self, topic: str, changes: Mapping[str, str | None]) -> None:
        """Set these, and take back to the default those without a value; leave the others."""
        self._knock()
        entries = [
            ConfigEntry(
                name,
                value,
                incremental_operation=(
                    AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
                ),
            )
            for name, value in changes.items()
        ]
        asked = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        with refusals():
            futures = self._client.incremental_alter_configs([asked], request_timeout=SECONDS)
        result(futures[asked])

    # Offsets

    def partitions(self, topic: str) -> list[Partition]:
        found = self._metadata(topic=topic).topics.get(topic)
        if found is None or found.error is not None:
            raise NotFound(f"There is no topic '{topic}'.")
        return [(topic, number) for number in sorted(found.partitions)]

    def spans(self, partitions: Iterable[Partition]) -> dict[Partition, Span]:
        """Where each partition begins and ends."""
        wanted = list(partitions)
        starts = self._offsets(wanted, EARLIEST)
        ends = self._offsets(wanted, LATEST)
        return {one: Span(starts[one], ends[one]) for one in wanted}

    def offsets_at(self, partitions: Iterable[Partition], time_ms: int) -> dict[Partition, int]:
        """The first record of each that is not older; the end where all are."""
        wanted = list(partitions)
        found = self._offsets(wanted, OffsetSpec.for_timestamp(time_ms))
        missing = [one for one, offset in found.items() if offset < 0]
        return found | self._offsets(missing, LATEST)

    def _offsets(self, partitions: list[Partition], spec: OffsetSpec) -> dict[Partition, int]:
        if not partitions:
            return {}
        self._knock()
        futures = self._client.list_offsets(
            {TopicPartition(*one): spec for one in partitions},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=SECONDS,
        )
        return {(one.topic, one.partition): result(f).offset for one, f in futures.items()}

    def delete_records(self, before: Mapping[Partition, int]) -> dict[Partition, int]:
        """Delete what lies before these offsets; tells where the partitions begin then."""
        self._knock()
        places = [TopicPartition(*one, offset) for one, offset in before.items()]
        futures = self._client.delete_records(places, request_timeout=SECONDS)
        return {(one.topic, one.partition): result(f).low_watermark for one, f in futures.items()}

    # Groups

    def groups(self) -> dict[str, str]:
        """Each consumer group and its state."""
        self._knock()
        found = result(self._client.list_consumer_groups(request_timeout=SECONDS))
        for error in found.errors:
            raise translated(error.args[0] if isinstance(error, KafkaException) else error)
        return {one.group_id: one.state.name.lower() for one in found.valid}

    def group(self, name: str) -> Group | None:
        """Its state and members; nothing where there is no such group."""
        if name not in self.groups():
            return None
        futures = self._client.describe_consumer_groups([name], request_timeout=SECONDS)
        found = result(futures[name])
        return Group(name, found.state.name.lower(), tuple(map(_member, found.members)))

    def committed(self, group: str) -> dict[Partition, int]:
        """The offsets that a group has committed."""
        self._knock()
        asked = [ConsumerGroupTopicPartitions(group)]
        found = result(
            self._client.list_consumer_group_offsets(asked, request_timeout=SECONDS)[group]
        )
        places = found.topic_partitions or ()
        return {(one.topic, one.partition): one.offset for one in places if one.offset >= 0}

    def progress(self, group: str, topics: Iterable[str] = ()) -> Progress:
        """How far a group is: where it has committed, and in all partitions of these topics."""
        committed = self.committed(group)
        known = self.topics()
        wanted = {one for one in committed if one[1] < known.get(one[0], 0)}
        for topic in topics:
            wanted.update(self.partitions(topic))
        spans = self.spans(sorted(wanted))
        return Progress({one: Lag(committed.get(one), span) for one, span in spans.items()})

    def places(self, partitions: Iterable[Partition], where: str | int) -> dict[Partition, int]:
        """The offsets of a place: the beginning, the end, or a time in milliseconds."""
        if isinstance(where, int):
            return self.offsets_at(partitions, where)
        specs = {BEGINNING: EARLIEST, END: LATEST}
        return self._offsets(list(partitions), specs[where])

    def reset_group(self, group: str, offsets: Mapping[Partition, int]) -> None:
        """Let a group go on from there; raises InUse while it has members."""
        self._knock()
        places = [TopicPartition(*one, offset) for one, offset in offsets.items()]
        asked = [ConsumerGroupTopicPartitions(group, places)]
        found = result(
            self._client.alter_consumer_group_offsets(asked, request_timeout=SECONDS)[group]
        )
        for one in found.topic_partitions or ():
            if one.error is not None and one.error.code() == KafkaError.UNKNOWN_MEMBER_ID:
                raise InUse(f"The group '{group}' has members, which keep its offsets themselves.")
            if one.error is not None:
                raise translated(one.error)

    def delete_group(self, name: str) -> bool:
        """Delete a consumer group; false where it is gone already."""
        self._knock()
        future = self._client.delete_consumer_groups([name], request_timeout=SECONDS)[name]
        return unless(KafkaError.GROUP_ID_NOT_FOUND, future)

    # Being there

    def _metadata(self, seconds: float = SECONDS, topic: str | None = None) -> ClusterMetadata:
        self._knock()
        try:
            if topic is None:
                return self._client.list_topics(timeout=seconds)
            return self._client.list_topics(topic, timeout=seconds)
        except KafkaException as error:
            self._client.poll(0)
            said, self._trouble = self._trouble, ""
            raise LogAway(said or str(error.args[0].str())) from error

    def _knock(self) -> None:
        """Raise at once where nobody listens: the library would try until its time is over."""
        bootstrap = self._cluster.bootstrap
        for address in bootstrap.split(","):
            host, _, port = address.strip().rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()
            except (OSError, ValueError):
                continue
            return
        raise LogAway(f"No broker answers at {bootstrap}.")


_GIVEN_TO_TOPIC = 1


def _member(found: Any) -> Member:
    assignment = found.assignment.topic_partitions if found.assignment else ()
    partitions = tuple(sorted((one.topic, one.partition) for one in assignment))
    return Member(found.member_id, found.client_id, found.host.lstrip("/"), partitions)
