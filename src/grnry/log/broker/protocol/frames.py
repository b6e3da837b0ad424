"""Requests as they come over the wire: a size, a header, a body."""

import struct
from typing import NamedTuple

from .errors import MalformedRequestError

SIZE = struct.Struct(">i")
_HEAD = struct.Struct(">hhih")
_API_AND_VERSION = struct.Struct(">hhi")


class RequestHeader(NamedTuple):
    api_key: int
    version: int
    correlation_id: int
    client_id: str
    body_at: int


def read_header(frame: memoryview, *, flexible: bool) -> RequestHeader:
    try:
        api_key, version, correlation_id, length = _HEAD.unpack_from(frame, 0)
        end = _HEAD.size + max(length, 0)
        if end > len(frame):
            raise MalformedRequestError("The client id is cut short.")
        client_id = str(frame[_HEAD.size : end], "utf-8")
        if flexible:
            end = skip_tags(frame, end)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise MalformedRequestError("The request header is cut short.") from error
    return RequestHeader(api_key, version, correlation_id, client_id, end)


def api_of(frame: memoryview) -> tuple[int, int, int]:
    """API key, version and correlation id: enough to know how to read the rest."""
    try:
        api_key, version, correlation_id = _API_AND_VERSION.unpack_from(frame, 0)
    except struct.error as error:
        raise MalformedRequestError("The request header is cut short.") from error
    return api_key, version, correlation_id


def skip_tags(frame: memoryview, position: int) -> int:
    count, position = read_uvarint(frame, position)
    for _ in range(count):
        _tag, position = read_uvarint(frame, position)
        size, position = read_uvarint(frame, position)
        position += size
        if position > len(frame):
            raise MalformedRequestError("A tagged field is cut short.")
    return position


def read_uvarint(frame: memoryview, position: int) -> tuple[int, int]:
    shift = value = 0
    while shift < 35:
        byte = frame[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise MalformedRequestError("A number is too long.")


def response_head(correlation_id: int, body_size: int, *, flexible: bool) -> bytes:
    """What stands before a response's body; the body may come in several pieces."""
    if flexible:
        return struct.pack(">iib", body_size + 5, correlation_id, 0)
    return struct.pack(">ii", body_size + 4, correlation_id)
