"""Events one a line, cut out of a body while it comes: nothing of it is kept but the line at hand.

Pure: pieces go in, lines come out.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from grnry.errors import BadInput
from grnry.events.splitting import TooLarge

PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that was passed over, as it is longer than any event may be."""

    size: int


Line = bytes | TooLong


class Plain:
    """A body without a content encoding, counted; raises TooLarge beyond `most` bytes."""

    def __init__(self, most: int) -> None:
        self._left = most

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge
        if data:
            yield data

    def end(self) -> None:
        """Raises BadInput where the body is cut off."""


class Gzipped(Plain):
    """A gzipped body, unpacked piece by piece. It may be several, one after the other."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._unzip: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or self._unzip is not None:
            unzip = self._unzip = self._unzip or zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            try:
                piece = unzip.decompress(data, PIECE)
            except zlib.error as error:
                raise BadInput.of("body", f"is not gzip: {error}") from error
            yield from super().feed(piece)
            if unzip.eof:
                data, self._unzip = unzip.unused_data, None
            elif not (data := unzip.unconsumed_tail) and len(piece) < PIECE:
                return

    def end(self) -> None:
        if self._unzip is not None:
            raise BadInput.of("body", "is cut off: the gzip stream has no end")


def unpacker(encoding: str, most: int) -> Plain:
    """What unpacks a body of this content encoding."""
    if encoding in ("", "identity"):
        return Plain(most)
    if encoding in ("gzip", "x-gzip"):
        return Gzipped(most)
    raise BadInput.of("Content-Encoding", f"must be 'gzip' but is '{encoding}'", "Header")


class Lines:
    """Cuts pieces into lines; those of white space alone are none."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[Line]:
        first, *others = piece.split(b"\n")
        self._keep(first)
        for other in others:
            yield from self.end()
            self._keep(other)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._longest:
            self._parts.clear()
        else:
            self._parts.append(part)

    def end(self) -> Iterator[Line]:
        """The line at hand, which has no further piece."""
        size, self._size = self._size, 0
        if size > self._longest:
            yield TooLong(size)
        elif line := b"".join(self._parts).strip():
            yield line
        self._parts.clear()
