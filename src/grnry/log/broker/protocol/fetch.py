"""Fetch, versions 4 to 11, by hand: record bytes go out as they lie in the file."""

import struct
from collections.abc import Sized
from typing import Any, NamedTuple

from .errors import ErrorCode, MalformedRequestError

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_LIMITS = struct.Struct(">iiiib")
_SESSION = struct.Struct(">ii")
_PARTITION_V4 = struct.Struct(">iqi")
_PARTITION_V5 = struct.Struct(">iqqi")
_PARTITION_V9 = struct.Struct(">iiqqi")


class FetchPartition(NamedTuple):
    topic: str
    partition: int
    leader_epoch: int
    offset: int
    max_bytes: int


class FetchRequest(NamedTuple):
    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    session_id: int
    session_epoch: int
    partitions: list[FetchPartition]


class FetchResult(NamedTuple):
    topic: str
    partition: int
    code: ErrorCode
    high_watermark: int = -1
    log_start: int = -1
    records: Sized = b""  # goes into the answer as it is


def read(version: int, frame: memoryview, position: int) -> FetchRequest:
    try:
        _replica, wait, minimum, maximum, _isolation = _LIMITS.unpack_from(frame, position)
        position += _LIMITS.size
        session_id, session_epoch = 0, -1
        if version >= 7:
            session_id, session_epoch = _SESSION.unpack_from(frame, position)
            position += _SESSION.size
        partitions = _topics(version, frame, position)
    except (struct.error, UnicodeDecodeError) as error:
        raise MalformedRequestError("The fetch request is cut short.") from error
    return FetchRequest(wait, minimum, maximum, session_id, session_epoch, partitions)


def _topics(version: int, frame: memoryview, position: int) -> list[FetchPartition]:
    found: list[FetchPartition] = []
    (topics,) = _INT32.unpack_from(frame, position)
    position += 4
    for _ in range(topics):
        (length,) = _INT16.unpack_from(frame, position)
        position += 2
        end = position + max(length, 0)
        if end > len(frame):
            raise MalformedRequestError("A topic's name is cut short.")
        topic = str(frame[position:end], "utf-8")
        (partitions,) = _INT32.unpack_from(frame, end)
        position = end + 4
        for _ in range(partitions):
            one, position = _partition(version, topic, frame, position)
            found.append(one)
    return found


def _partition(
    version: int, topic: str, frame: memoryview, position: int
) -> tuple[FetchPartition, int]:
    epoch = -1
    if version >= 9:
        number, epoch, offset, _start, size = _PARTITION_V9.unpack_from(frame, position)
        position += _PARTITION_V9.size
    elif version >= 5:
        number, offset, _start, size = _PARTITION_V5.unpack_from(frame, position)
        position += _PARTITION_V5.size
    else:
        number, offset, size = _PARTITION_V4.unpack_from(frame, position)
        position += _PARTITION_V4.size
    return FetchPartition(topic, number, epoch, offset, size), position


def write(version: int, results: list[FetchResult], code: ErrorCode = ErrorCode.NONE) -> list[Any]:
    """The response's body in pieces, so that records need not be copied into it."""
    by_topic: dict[str, list[FetchResult]] = {}
    for result in results:
        by_topic.setdefault(result.topic, []).append(result)
    small = [_INT32.pack(0)]
    if version >= 7:
        small.append(struct.pack(">hi", code, 0))
    small.append(_INT32.pack(len(by_topic)))
    pieces: list[Any] = []
    for topic, partitions in by_topic.items():
        name = topic.encode()
        small += (_INT16.pack(len(name)), name, _INT32.pack(len(partitions)))
        for result in partitions:
            small.append(_partition_head(version, result))
            if result.records:
                pieces += (b"".join(small), result.records)
                small = []
    if small:
        pieces.append(b"".join(small))
    return pieces


def _partition_head(version: int, result: FetchResult) -> bytes:
    watermark = result.high_watermark
    head = struct.pack(">ihqq", result.partition, result.code, watermark, watermark)
    if version >= 5:
        head += struct.pack(">q", result.log_start)
    head += _INT32.pack(-1)  # no aborted transactions
    if version >= 11:
        head += _INT32.pack(-1)  # no preferred replica
    return head + _INT32.pack(len(result.records))
