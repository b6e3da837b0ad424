"""Batches with some of their records left out: offsets, times and sequences stay as they were."""

import struct
import zlib
from typing import NamedTuple

import crc32c

from .batches import (
    COMPRESSION,
    CRC_COVERS_FROM,
    DELETE_HORIZON,
    HEADER,
    HEADER_SIZE,
    LOG_APPEND_TIME,
    Header,
)
from .records import GZIP, unpacked, varint

_NO_TIME = -1
_CRC = struct.Struct(">I")
_CRC_AT = 17


class Record(NamedTuple):
    """A record within the unpacked body of its batch."""

    body_at: int  # behind its length
    end: int
    time_end: int  # behind the time delta, which follows one byte of attributes
    time_delta: int
    offset_delta: int
    key: bytes | None
    is_tombstone: bool


class Opened(NamedTuple):
    header: Header
    body: memoryview
    records: list[Record]


def opened(batch: memoryview, header: Header) -> Opened | None:
    """The records of a batch, or None where they can't be told apart here."""
    body = unpacked(batch, header.attributes & COMPRESSION)
    if body is None:
        return None
    records = []
    position = 0
    try:
        for _ in range(header.record_count):
            record = _record(body, position)
            records.append(record)
            position = record.end
    except (IndexError, ValueError):
        return None
    return Opened(header, body, records) if position == len(body) else None


def _record(body: memoryview, position: int) -> Record:
    length, start = varint(body, position)
    end = start + length
    time_delta, time_end = varint(body, start + 1)
    offset_delta, at = varint(body, time_end)
    key_size, at = varint(body, at)
    key = None
    if key_size >= 0:
        key = bytes(body[at : at + key_size])
        at += key_size
    value_size, at = varint(body, at)
    if length < 0 or end > len(body) or at + max(value_size, 0) > end:
        raise ValueError("the record does not fit")
    return Record(start, end, time_end, time_delta, offset_delta, key, value_size < 0)


def delete_horizon(header: Header) -> int | None:
    return header.base_timestamp if header.attributes & DELETE_HORIZON else None


def without(batch: Opened, kept: list[Record], horizon: int | None) -> bytes:
    """The batch with these records only; tombstones in it may go after the horizon."""
    header = batch.header
    base_time = header.base_timestamp if horizon is None else horizon
    shift = header.base_timestamp - base_time
    body = b"".join(_moved(batch.body, record, shift) for record in kept)
    if header.attributes & COMPRESSION == GZIP and kept:
        body = zlib.compress(body, wbits=zlib.MAX_WBITS | 16)
    attributes = header.attributes | (DELETE_HORIZON if horizon is not None else 0)
    if not kept:
        attributes &= ~COMPRESSION  # clients unpack what says that it is packed, even if empty
    changed = header._replace(
        length=header.length - header.size + HEADER_SIZE + len(body),
        attributes=attributes,
        base_timestamp=base_time,
        max_timestamp=_newest(header, kept),
        record_count=len(kept),
    )
    data = bytearray(HEADER.pack(*changed) + body)
    _CRC.pack_into(data, _CRC_AT, crc32c.crc32c(memoryview(data)[CRC_COVERS_FROM:]))
    return bytes(data)


def _newest(header: Header, kept: list[Record]) -> int:
    if header.attributes & LOG_APPEND_TIME and kept:
        return header.max_timestamp
    return max((header.base_timestamp + one.time_delta for one in kept), default=_NO_TIME)


def _moved(body: memoryview, record: Record, shift: int) -> bytes:
    """The record with its time told from another base."""
    content = bytes(body[record.body_at : record.body_at + 1])
    content += varint_bytes(record.time_delta + shift)
    content += body[record.time_end : record.end]
    return varint_bytes(len(content)) + content


def varint_bytes(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.append(value)
    return bytes(out)
