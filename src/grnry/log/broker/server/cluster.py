"""Who we are and what we can: versions, metadata, coordinators, producer ids."""

from typing import Any
from uuid import UUID

from grnry.log.broker.protocol.apis import API_VERSIONS, APIS
from grnry.log.broker.protocol.codec import Values, encode
from grnry.log.broker.protocol.errors import ErrorCode
from grnry.log.broker.storage.store import Store
from grnry.log.broker.storage.topics import Topic

from .answers import Request

NODE_ID = 0
_NO_ID = UUID(int=0)


class ClusterHandlers:
    def __init__(self, store: Store, host: str, port: int) -> None:
        self._store = store
        self._host = host
        self._port = port

    def api_versions(self, request: Request) -> Values:
        return {"error_code": ErrorCode.NONE, "api_keys": _versions()}

    def metadata(self, request: Request) -> Values:
        return {
            "brokers": [{"node_id": NODE_ID, "host": self._host, "port": self._port}],
            "cluster_id": self._store.cluster_id,
            "controller_id": NODE_ID,
            "topics": self._topics(request),
        }

    def _topics(self, request: Request) -> list[Values]:
        asked = request.body.topics
        if asked is None or (request.version == 0 and not asked):
            return [self._topic(topic) for topic in self._store.topics]
        return [self._asked_topic(one) for one in asked]

    def _asked_topic(self, asked: Any) -> Values:
        topic_id = getattr(asked, "topic_id", None)
        if asked.name is None:
            topic = self._store.topics.by_id(topic_id or _NO_ID)
            missing = ErrorCode.UNKNOWN_TOPIC_ID
        else:
            topic = self._store.topics.find(asked.name)
            missing = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if topic is not None:
            return self._topic(topic)
        return {
            "error_code": missing,
            "name": asked.name,
            "topic_id": topic_id or _NO_ID,
            "partitions": (),
        }

    def _topic(self, topic: Topic) -> Values:
        replicas = (NODE_ID,)
        epoch = self._store.epoch
        partitions = [
            {
                "error_code": ErrorCode.NONE,
                "partition_index": partition,
                "leader_id": NODE_ID,
                "leader_epoch": epoch,
                "replica_nodes": replicas,
                "isr_nodes": replicas,
            }
            for partition in range(topic.partitions)
        ]
        return {
            "error_code": ErrorCode.NONE,
            "name": topic.name,
            "topic_id": topic.id,
            "is_internal": False,
            "partitions": partitions,
        }

    def find_coordinator(self, request: Request) -> Values:
        if getattr(request.body, "key_type", 0) != 0:
            return {
                "error_code": ErrorCode.INVALID_REQUEST,
                "error_message": "This broker has no transactions.",
                "node_id": -1,
                "host": "",
                "port": -1,
            }
        return {
            "error_code": ErrorCode.NONE,
            "error_message": None,
            "node_id": NODE_ID,
            "host": self._host,
            "port": self._port,
        }

    def describe_cluster(self, request: Request) -> Values:
        return {
            "error_code": ErrorCode.NONE,
            "cluster_id": self._store.cluster_id,
            "controller_id": NODE_ID,
            "brokers": [{"broker_id": NODE_ID, "host": self._host, "port": self._port}],
        }

    def init_producer_id(self, request: Request) -> Values:
        if request.body.transactional_id is not None:
            return {"error_code": ErrorCode.INVALID_REQUEST, "producer_epoch": -1}
        producer_id = self._store.new_producer_id()
        return {"error_code": ErrorCode.NONE, "producer_id": producer_id, "producer_epoch": 0}


def _versions() -> list[Values]:
    return [
        {"api_key": key, "min_version": api.lowest, "max_version": api.highest}
        for key, api in APIS.items()
    ]


def too_new() -> bytes:
    """The answer to an ApiVersions of a version we don't know: in version 0, with ours."""
    values = {"error_code": ErrorCode.UNSUPPORTED_VERSION, "api_keys": _versions()}
    return encode(API_VERSIONS, 0, values)
