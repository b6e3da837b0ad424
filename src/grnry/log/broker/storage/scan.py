"""Going through a segment's batches one after the other."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from grnry.log.broker.protocol.batches import HEADER_SIZE, MAGIC_AT, Header, crc_matches, header_at

from .files import OpenFile, read_at

_CHUNK = 64 << 10
_BIG_CHUNK = 4 << 20


class Damage(NamedTuple):
    position: int  # where the first batch that can't be trusted begins
    next_good: int | None  # where a sound batch follows it, if one does


def walk(file: OpenFile, position: int, end: int) -> Iterator[tuple[int, Header]]:
    """Positions and headers of the batches from a position on; the bodies are not looked at."""
    while position + HEADER_SIZE <= end:
        start = position
        chunk = read_at(file, start, min(_CHUNK, end - start))
        while position - start + HEADER_SIZE <= len(chunk):
            header = header_at(chunk, position - start)
            if header.magic != 2 or header.size < HEADER_SIZE or position + header.size > end:
                return
            yield position, header
            position += header.size
        if position == start:
            return


class Verified:
    """A walk that checks each batch's CRC and place, and keeps what stopped it.

    Compaction leaves holes in the order of offsets, which the last segment never has.
    """

    def __init__(
        self,
        file: OpenFile,
        size: int,
        first_offset: int,
        *,
        position: int = 0,
        has_holes: bool = False,
    ) -> None:
        self._file = file
        self._size = size
        self._next_offset = first_offset
        self._has_holes = has_holes
        self.position = position
        self.damage: Damage | None = None

    def __iter__(self) -> Iterator[Header]:
        while self.position < self._size:
            start = self.position
            chunk = memoryview(read_at(self._file, start, self._chunk_size()))
            for header in self._sound(chunk, start):
                yield header
                self.position += header.size
                self._next_offset = header.next_offset
            if self.position == start:
                self.damage = Damage(start, self._find_next_good(chunk, start))
                return

    def _chunk_size(self) -> int:
        """Enough for the next batch whole, if its length is to be believed."""
        wanted = _BIG_CHUNK
        head = read_at(self._file, self.position, HEADER_SIZE)
        if len(head) == HEADER_SIZE:
            wanted = max(wanted, header_at(head, 0).size)
        return min(wanted, self._size - self.position)

    def _sound(self, chunk: memoryview, start: int) -> Iterator[Header]:
        at = 0
        next_offset = self._next_offset
        while at + HEADER_SIZE <= len(chunk):
            header = header_at(chunk, at)
            if self._has_holes:
                next_offset = max(next_offset, header.base_offset)
            if not _is_sound(chunk, at, header, next_offset):
                return
            yield header
            at += header.size
            next_offset = header.next_offset

    def _find_next_good(self, chunk: memoryview, start: int) -> int | None:
        """Look for a sound batch behind a broken one, trusting no length on the way."""
        rest = memoryview(read_at(self._file, start, self._size - start))
        high = struct.pack(">q", self._next_offset)[:4]
        likely = re.compile(b"(?=" + re.escape(high) + b".{12}\x02)", re.DOTALL)
        for match in likely.finditer(rest, 1):
            at = match.start()
            if len(rest) - at < HEADER_SIZE:
                break
            header = header_at(rest, at)
            is_later = header.base_offset >= self._next_offset
            if is_later and _is_sound(rest, at, header, header.base_offset):
                return start + at
        return None


def _is_sound(data: memoryview, at: int, header: Header, offset: int) -> bool:
    return (
        data[at + MAGIC_AT] == 2
        and HEADER_SIZE <= header.size <= len(data) - at
        and header.base_offset == offset
        and header.last_offset_delta >= 0
        and crc_matches(data, at, header)
    )
