"""Record batches of format 2: their header is read, checked and patched, records stay opaque.

Base offset and leader epoch lie before the part the CRC covers, so that a broker can set them
without touching the rest.
"""

import struct
from typing import NamedTuple

import crc32c

from .errors import ErrorCode, RequestError

Buffer = bytes | bytearray | memoryview

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_SIZE = HEADER.size
LENGTH_PREFIX = 12  # base offset and batch length, which the batch length does not count
CRC_COVERS_FROM = 21
MAGIC_AT = 16
COMPRESSION = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40  # the base timestamp says when tombstones may go (Kafka's KIP-534)

_BASE_OFFSET = struct.Struct(">q")
_LEADER_EPOCH = struct.Struct(">i")
_CRC = struct.Struct(">I")
_ATTRIBUTES = struct.Struct(">h")
_MAX_TIMESTAMP = struct.Struct(">q")


class Header(NamedTuple):
    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        return self.length + LENGTH_PREFIX

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1


def header_at(data: Buffer, position: int) -> Header:
    return Header._make(HEADER.unpack_from(data, position))


def crc_matches(data: memoryview, position: int, header: Header) -> bool:
    body = data[position + CRC_COVERS_FROM : position + header.size]
    return crc32c.crc32c(body) == header.crc


def check(records: memoryview, max_bytes: int) -> list[Header]:
    """The headers of all batches of one produce request's partition, or why they are refused."""
    headers = []
    position = 0
    while position < len(records):
        header = _check_one(records, position, max_bytes)
        headers.append(header)
        position += header.size
    if not headers:
        raise RequestError(ErrorCode.INVALID_RECORD, "The request has no record batch.")
    return headers


def _check_one(records: memoryview, position: int, max_bytes: int) -> Header:
    left = len(records) - position
    if left > MAGIC_AT and records[position + MAGIC_AT] < 2:
        raise RequestError(
            ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT,
            "Only record batches of format 2 are kept; use a client of Kafka 0.11 or later.",
        )
    if left < HEADER_SIZE:
        raise RequestError(ErrorCode.CORRUPT_MESSAGE, "The record batch is cut short.")
    header = header_at(records, position)
    if header.magic != 2 or not HEADER_SIZE <= header.size <= left:
        raise RequestError(ErrorCode.CORRUPT_MESSAGE, "The record batch's length is wrong.")
    if header.size > max_bytes:
        raise RequestError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The batch has {header.size} bytes, max.message.bytes is {max_bytes}.",
        )
    if not crc_matches(records, position, header):
        raise RequestError(ErrorCode.CORRUPT_MESSAGE, "The record batch's CRC does not match.")
    _check_content(header)
    return header


def _check_content(header: Header) -> None:
    if header.record_count < 1 or header.last_offset_delta != header.record_count - 1:
        raise RequestError(ErrorCode.INVALID_RECORD, "The batch's record count is wrong.")
    if header.attributes & CONTROL:
        raise RequestError(ErrorCode.INVALID_RECORD, "Clients may not write control batches.")
    if header.attributes & TRANSACTIONAL:
        raise RequestError(ErrorCode.INVALID_TXN_STATE, "This broker has no transactions.")


def patch(records: memoryview, headers: list[Header], base_offset: int, leader_epoch: int) -> None:
    """Give the batches their offsets, in place."""
    position = 0
    for header in headers:
        _BASE_OFFSET.pack_into(records, position, base_offset)
        _LEADER_EPOCH.pack_into(records, position + LENGTH_PREFIX, leader_epoch)
        position += header.size
        base_offset += header.last_offset_delta + 1


def stamp(records: memoryview, headers: list[Header], now_ms: int) -> list[Header]:
    """Set the batches' time to the broker's (`message.timestamp.type=LogAppendTime`)."""
    stamped = []
    position = 0
    for header in headers:
        attributes = header.attributes | LOG_APPEND_TIME
        _ATTRIBUTES.pack_into(records, position + 21, attributes)
        _MAX_TIMESTAMP.pack_into(records, position + 35, now_ms)
        crc = crc32c.crc32c(records[position + CRC_COVERS_FROM : position + header.size])
        _CRC.pack_into(records, position + 17, crc)
        stamped.append(header._replace(attributes=attributes, max_timestamp=now_ms, crc=crc))
        position += header.size
    return stamped
