"""A sparse index of one segment: where batches begin, and how old what lies before them is."""

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Self

import crc32c

from .files import read_if_there

INTERVAL = 16 << 10
NO_TIMESTAMP = -1
_TAIL = struct.Struct(">qqqI")  # size of the log, next offset, newest time, CRC


class Index:
    """Entries are (base offset, position, newest time of all batches before that position).

    Client times are not monotone, their running maximum is, and so it can be searched.
    """

    __slots__ = ("_offsets", "_positions", "_times", "newest", "next_offset", "size")

    def __init__(self) -> None:
        self._offsets = array("q")
        self._positions = array("q")
        self._times = array("q")
        self.newest = NO_TIMESTAMP
        self.next_offset = -1
        self.size = 0

    def add(self, base_offset: int, next_offset: int, size: int, timestamp: int) -> None:
        """Take note of a batch that follows the last one."""
        if not self._positions or self.size - self._positions[-1] >= INTERVAL:
            self._offsets.append(base_offset)
            self._positions.append(self.size)
            self._times.append(self.newest)
        self.size += size
        self.next_offset = next_offset
        self.newest = max(self.newest, timestamp)

    def at_or_before(self, offset: int) -> int:
        """The position of a batch whose base offset is not above the offset."""
        entry = bisect_right(self._offsets, offset) - 1
        return self._positions[entry] if entry >= 0 else 0

    def before_time(self, timestamp: int) -> int:
        """A position before which everything is older than the timestamp."""
        entry = bisect_left(self._times, timestamp) - 1
        return self._positions[entry] if entry >= 0 else 0

    def boundary(self, after: int, up_to: int) -> int | None:
        """The last known start of a batch in (after, up_to]."""
        entry = bisect_right(self._positions, up_to) - 1
        if entry >= 0 and self._positions[entry] > after:
            return self._positions[entry]
        return None

    def dump(self) -> bytes:
        columns = [array("q", column) for column in (self._offsets, self._positions, self._times)]
        if sys.byteorder == "little":
            for column in columns:
                column.byteswap()
        body = b"".join(column.tobytes() for column in columns)
        body += _TAIL.pack(self.size, self.next_offset, self.newest, 0)[:-4]
        return body + struct.pack(">I", crc32c.crc32c(body))

    @classmethod
    def load(cls, path: Path, log_size: int) -> Self | None:
        """The index as saved, or None where it is missing, damaged or of another log."""
        return cls.parse(read_if_there(path) or b"", log_size)

    @classmethod
    def parse(cls, data: bytes, log_size: int) -> Self | None:
        if len(data) < _TAIL.size or (len(data) - _TAIL.size) % 24:
            return None
        index = cls()
        index.size, index.next_offset, index.newest, crc = _TAIL.unpack_from(
            data, len(data) - _TAIL.size
        )
        if crc32c.crc32c(data[:-4]) != crc or index.size != log_size:
            return None
        column_size = (len(data) - _TAIL.size) // 3
        for number, column in enumerate((index._offsets, index._positions, index._times)):
            column.frombytes(data[number * column_size : (number + 1) * column_size])
            if sys.byteorder == "little":
                column.byteswap()
        return index
