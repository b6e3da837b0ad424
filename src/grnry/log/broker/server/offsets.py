"""Where partitions begin and end, by time and by epoch, and the deletion of what is before."""

from typing import Any

from grnry.log.broker.protocol.codec import Values
from grnry.log.broker.protocol.errors import ErrorCode, RequestError
from grnry.log.broker.storage.store import Store, now_ms

from .answers import Request
from .fetch import check_epoch

_LATEST, _EARLIEST, _NEWEST = -1, -2, -3


class OffsetHandlers:
    def __init__(self, store: Store) -> None:
        self._store = store

    def list_offsets(self, request: Request) -> Values:
        return {
            "topics": [
                {
                    "name": topic.name,
                    "partitions": [self._listed(topic.name, one) for one in topic.partitions],
                }
                for topic in request.body.topics
            ]
        }

    def _listed(self, topic: str, asked: Any) -> Values:
        try:
            check_epoch(getattr(asked, "current_leader_epoch", -1), self._store.epoch)
            offset, timestamp = self._offset(topic, asked.partition_index, asked.timestamp)
        except RequestError as error:
            return {"partition_index": asked.partition_index, "error_code": error.code}
        return {
            "partition_index": asked.partition_index,
            "error_code": ErrorCode.NONE,
            "offset": offset,
            "timestamp": timestamp,
            "leader_epoch": self._store.epoch,
        }

    def _offset(self, topic: str, partition: int, timestamp: int) -> tuple[int, int]:
        log = self._store.topics.get(topic).log(partition, now_ms())
        if timestamp == _LATEST:
            return log.stable_offset, -1
        if timestamp == _EARLIEST:
            return log.start_offset, -1
        if timestamp == _NEWEST:
            return log.newest() or (-1, -1)
        return log.first_since(timestamp) or (-1, -1)

    def for_leader_epoch(self, request: Request) -> Values:
        return {
            "topics": [
                {
                    "topic": topic.topic,
                    "partitions": [
                        self._end_of_epoch(topic.topic, one) for one in topic.partitions
                    ],
                }
                for topic in request.body.topics
            ]
        }

    def _end_of_epoch(self, topic: str, asked: Any) -> Values:
        try:
            check_epoch(asked.current_leader_epoch, self._store.epoch)
            log = self._store.topics.get(topic).log(asked.partition, now_ms())
            if asked.leader_epoch > self._store.epoch:
                epoch, end = -1, -1
            elif asked.leader_epoch == self._store.epoch:
                epoch, end = asked.leader_epoch, log.stable_offset
            else:
                epoch, end = log.end_of_epoch(asked.leader_epoch)
        except RequestError as error:
            return {"partition": asked.partition, "error_code": error.code}
        return {
            "partition": asked.partition,
            "error_code": ErrorCode.NONE,
            "leader_epoch": epoch,
            "end_offset": end,
        }

    def delete_records(self, request: Request) -> Values:
        return {
            "topics": [
                {
                    "name": topic.name,
                    "partitions": [self._deleted(topic.name, one) for one in topic.partitions],
                }
                for topic in request.body.topics
            ]
        }

    def _deleted(self, topic: str, asked: Any) -> Values:
        try:
            log = self._store.topics.get(topic).log(asked.partition_index, now_ms())
            log.delete_before(log.stable_offset if asked.offset == -1 else asked.offset)
        except RequestError as error:
            code, low = error.code, -1
        else:
            code, low = ErrorCode.NONE, log.start_offset
        return {
            "partition_index": asked.partition_index,
            "low_watermark": low,
            "error_code": code,
        }

    def describe_log_dirs(self, request: Request) -> Values:
        asked = request.body.topics
        wanted = None if asked is None else {one.topic: set(one.partitions) for one in asked}
        now = now_ms()
        topics = [
            {
                "name": topic.name,
                "partitions": [
                    {
                        "partition_index": partition,
                        "partition_size": topic.log(partition, now).size,
                        "offset_lag": 0,
                        "is_future_key": False,
                    }
                    for partition in range(topic.partitions)
                    if wanted is None or partition in wanted[topic.name]
                ],
            }
            for topic in self._store.topics
            if wanted is None or topic.name in wanted
        ]
        folder = str(self._store.folder)
        return {"results": [{"error_code": ErrorCode.NONE, "log_dir": folder, "topics": topics}]}
