"""Topics: made, deleted, described."""

import logging
import socket
from collections.abc import Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic

from grnry.log.records import LogAway

logger = logging.getLogger(__name__)

SECONDS = 5.0
KNOCK_SECONDS = 1.0

_AWAY_CODES = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - the library's own names
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
    }
)


class Admin:
    """What the platform does with topics."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client = AdminClient(
            {"bootstrap.servers": bootstrap, "client.id": "grnry-admin", "log_level": 3},
            logger=logger,
        )

    def brokers(self, seconds: float = SECONDS) -> int:
        """How many brokers there are; raises where none answers."""
        return len(self._metadata(seconds).brokers)

    def create_topic(
        self, name: str, partitions: int, replication: int, config: Mapping[str, str]
    ) -> bool:
        """Make a topic; false where it is there already."""
        topic = NewTopic(name, partitions, min(replication, self.brokers()), config=dict(config))
        future = self._client.create_topics([topic], operation_timeout=SECONDS)[name]
        return _unless(KafkaError.TOPIC_ALREADY_EXISTS, future)

    def delete_topic(self, name: str) -> bool:
        """Delete a topic; false where it is gone already."""
        self._knock()
        future = self._client.delete_topics([name], operation_timeout=SECONDS)[name]
        return _unless(KafkaError.UNKNOWN_TOPIC_OR_PART, future)

    def delete_group(self, name: str) -> bool:
        """Delete a consumer group; false where it is gone already."""
        self._knock()
        future = self._client.delete_consumer_groups([name], request_timeout=SECONDS)[name]
        return _unless(KafkaError.GROUP_ID_NOT_FOUND, future)

    def topics(self) -> dict[str, int]:
        """Each topic and how many partitions it has."""
        found = self._metadata().topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def _metadata(self, seconds: float = SECONDS) -> ClusterMetadata:
        self._knock()
        try:
            return self._client.list_topics(timeout=seconds)
        except KafkaException as error:
            raise LogAway(str(error.args[0].str())) from error

    def _knock(self) -> None:
        """Raise at once where nobody listens: the library would try until its time is over."""
        for address in self._bootstrap.split(","):
            host, _, port = address.strip().rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()
            except (OSError, ValueError):
                continue
            return
        raise LogAway(f"No broker answers at {self._bootstrap}.")


def _unless(expected: int, future: "Future[None]") -> bool:
    try:
        future.result(SECONDS + 5)
    except TimeoutError as error:
        raise LogAway from error
    except KafkaException as error:
        found = error.args[0]
        if found.code() == expected:
            return False
        if found.code() in _AWAY_CODES:
            raise LogAway(str(found.str())) from error
        raise
    return True
