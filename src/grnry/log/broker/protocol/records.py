"""The times of the records within a batch, to answer which record is the first since a time."""

import zlib
from collections.abc import Iterator

from .batches import COMPRESSION, HEADER_SIZE, LOG_APPEND_TIME, header_at

PLAIN, GZIP = 0, 1
_MAX_UNPACKED = 64 << 20


def first_since(batch: memoryview, timestamp: int) -> tuple[int, int] | None:
    """Offset and time of the batch's first record that is not older than the timestamp.

    In batches packed with snappy, lz4 or zstd records can't be told apart here: the answer is
    then the batch's first record, which is never too late.
    """
    header = header_at(batch, 0)
    if header.max_timestamp < timestamp:
        return None
    if header.attributes & LOG_APPEND_TIME:
        return header.base_offset, header.max_timestamp
    body = unpacked(batch, header.attributes & COMPRESSION)
    if body is None:
        return header.base_offset, max(header.base_timestamp, timestamp)
    for offset_delta, time_delta in _deltas(body, header.record_count):
        if header.base_timestamp + time_delta >= timestamp:
            return header.base_offset + offset_delta, header.base_timestamp + time_delta
    return header.base_offset, header.max_timestamp


def unpacked(batch: memoryview, compression: int) -> memoryview | None:
    """The records of a batch; None where they are packed in a way that can't be undone here."""
    body = batch[HEADER_SIZE:]
    if compression == PLAIN:
        return body
    if compression != GZIP:
        return None
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unzip.decompress(body, _MAX_UNPACKED)
    except zlib.error:
        return None
    return None if unzip.unconsumed_tail else memoryview(plain)


def _deltas(body: memoryview, count: int) -> Iterator[tuple[int, int]]:
    """Offset and time delta of each record, as far as the body can be read."""
    position = 0
    try:
        for _ in range(count):
            length, start = varint(body, position)
            time_delta, at = varint(body, start + 1)
            offset_delta, _ = varint(body, at)
            yield offset_delta, time_delta
            position = start + length
    except IndexError:
        return


def varint(data: memoryview, position: int) -> tuple[int, int]:
    shift = value = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
