"""Fetches that nobody unpacks: how fast a broker hands out, whatever a client makes of it."""

import socket
import struct
import time

from .brokers import Broker

_FETCH, _VERSION = 1, 4
_MOST = 1 << 20
_BEFORE_RECORDS = 48  # of an answer with one partition, but for the topic's name
_BATCH = struct.Struct(">qi")  # base offset, length of what follows


def fetch(broker: Broker, topic: str, count: int) -> float:
    """Messages a second of partition 0, asked for a megabyte at a time."""
    offset, answer = 0, bytearray(2 * _MOST)
    with socket.create_connection(("127.0.0.1", broker.port), 10) as connection:
        started = time.perf_counter()
        while offset < count:
            connection.sendall(_request(topic, offset))
            (size,) = struct.unpack(">i", _exactly(connection, answer, 4))
            offset = _end(_exactly(connection, answer, size), len(topic), offset)
        return offset / (time.perf_counter() - started)


def _request(topic: str, offset: int) -> bytes:
    name = struct.pack(">h", len(topic)) + topic.encode()
    body = struct.pack(">iiiib", -1, 500, 1, 50 << 20, 0)
    body += struct.pack(">i", 1) + name + struct.pack(">iiqi", 1, 0, offset, _MOST)
    head = struct.pack(">hhih", _FETCH, _VERSION, 0, 1) + b"c"
    return struct.pack(">i", len(head) + len(body)) + head + body


def _exactly(connection: socket.socket, into: bytearray, size: int) -> memoryview:
    view, have = memoryview(into)[:size], 0
    while have < size:
        received = connection.recv_into(view[have:])
        assert received, "the broker closed the connection"
        have += received
    return view


def _end(answer: memoryview, name: int, offset: int) -> int:
    """The offset behind the last batch that is here whole."""
    position = _BEFORE_RECORDS + name
    while position + 61 <= len(answer):
        base, length = _BATCH.unpack_from(answer, position)
        if position + _BATCH.size + length > len(answer):
            break
        (last,) = struct.unpack_from(">i", answer, position + 23)
        offset = base + last + 1
        position += _BATCH.size + length
    return offset
