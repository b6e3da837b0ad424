"""Produce, versions 3 to 8, by hand: records are handed on as views into the request."""

import struct
from typing import NamedTuple

from .errors import ErrorCode, MalformedRequestError

_MOST_PARTITIONS = 100_000
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_ACKS = struct.Struct(">hi")
_PARTITION = struct.Struct(">ii")
_RESULT = struct.Struct(">ihqq")


class PartitionRecords(NamedTuple):
    topic: str
    partition: int
    records: memoryview


class ProduceRequest(NamedTuple):
    transactional_id: str | None
    acks: int
    partitions: list[PartitionRecords]


class PartitionResult(NamedTuple):
    topic: str
    partition: int
    code: ErrorCode
    base_offset: int = -1
    append_time: int = -1
    log_start: int = -1
    message: str | None = None


def read(frame: memoryview, position: int) -> ProduceRequest:
    try:
        transactional_id, position = _nullable_string(frame, position)
        acks, _timeout = _ACKS.unpack_from(frame, position)
        return ProduceRequest(transactional_id, acks, _topics(frame, position + _ACKS.size))
    except (struct.error, UnicodeDecodeError) as error:
        raise MalformedRequestError("The produce request is cut short.") from error


def _topics(frame: memoryview, position: int) -> list[PartitionRecords]:
    found: list[PartitionRecords] = []
    (topics,) = _INT32.unpack_from(frame, position)
    position += 4
    for _ in range(topics):
        topic, position = _nullable_string(frame, position)
        (partitions,) = _INT32.unpack_from(frame, position)
        position += 4
        for _ in range(partitions):
            partition, size = _PARTITION.unpack_from(frame, position)
            position += _PARTITION.size
            end = position + max(size, 0)
            if end > len(frame):
                raise MalformedRequestError("The records are cut short.")
            if len(found) >= _MOST_PARTITIONS:
                raise MalformedRequestError("The request has too many partitions.")
            found.append(PartitionRecords(topic or "", partition, frame[position:end]))
            position = end
    return found


def _nullable_string(frame: memoryview, position: int) -> tuple[str | None, int]:
    (length,) = _INT16.unpack_from(frame, position)
    position += 2
    if length < 0:
        return None, position
    end = position + length
    if end > len(frame):
        raise MalformedRequestError("A string is cut short.")
    return str(frame[position:end], "utf-8"), end


def write(version: int, results: list[PartitionResult]) -> bytes:
    by_topic: dict[str, list[PartitionResult]] = {}
    for result in results:
        by_topic.setdefault(result.topic, []).append(result)
    parts = [_INT32.pack(len(by_topic))]
    for topic, partitions in by_topic.items():
        name = topic.encode()
        parts += (_INT16.pack(len(name)), name, _INT32.pack(len(partitions)))
        parts += [_partition_result(version, result) for result in partitions]
    parts.append(_INT32.pack(0))
    return b"".join(parts)


def _partition_result(version: int, result: PartitionResult) -> bytes:
    head = _RESULT.pack(result.partition, result.code, result.base_offset, result.append_time)
    if version >= 5:
        head += struct.pack(">q", result.log_start)
    if version >= 8:
        head += struct.pack(">i", 0)
        if result.message is None:
            head += _INT16.pack(-1)
        else:
            message = result.message.encode()
            head += _INT16.pack(len(message)) + message
    return head
