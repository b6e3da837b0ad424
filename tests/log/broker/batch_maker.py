"""Record batches as a producer would send them, small and plain."""

import gzip
import struct

import crc32c

from grnry.log.broker.protocol.batches import HEADER, Header, check

NO_PRODUCER = -1


def batch(
    *values: bytes,
    time: int = 1000,
    producer: tuple[int, int, int] = (NO_PRODUCER, -1, -1),
    attributes: int = 0,
) -> bytes:
    """Values as one uncompressed batch; a record each, a millisecond apart."""
    body = b"".join(_record(number, value) for number, value in enumerate(values))
    return _batch(body, len(values), time, producer, attributes)


def _batch(
    body: bytes, count: int, time: int, producer: tuple[int, int, int], attributes: int
) -> bytes:
    covered = struct.pack(
        ">hiqqqhii", attributes, count - 1, time, time + count - 1, *producer, count
    )
    covered += body
    head = struct.pack(">qiibI", 0, len(covered) + 9, -1, 2, crc32c.crc32c(covered))
    return head + covered


def keyed(
    *records: tuple[bytes | None, bytes | None],
    time: int = 1000,
    producer: tuple[int, int, int] = (NO_PRODUCER, -1, -1),
    codec: int = 0,
) -> bytes:
    """Keys and values as one batch, a record each, a millisecond apart; codec 1 is gzip."""
    body = b"".join(_record(number, value, key) for number, (key, value) in enumerate(records))
    if codec == 1:
        body = gzip.compress(body)
    return _batch(body, len(records), time, producer, codec)


def checked(*batches: bytes) -> tuple[memoryview, list[Header]]:
    """The batches of one request, ready to be appended."""
    records = memoryview(bytearray(b"".join(batches)))
    return records, check(records, 1 << 20)


def headers_of(data: bytes) -> list[Header]:
    headers = []
    position = 0
    while position < len(data):
        headers.append(Header._make(HEADER.unpack_from(data, position)))
        position += headers[-1].size
    return headers


def _record(number: int, value: bytes | None, key: bytes | None = None) -> bytes:
    content = b"\0" + _varint(number) + _varint(number) + _field(key) + _field(value)
    content += _varint(0)
    return _varint(len(content)) + content


def _field(content: bytes | None) -> bytes:
    return _varint(-1) if content is None else _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.append(value)
    return bytes(out)
