"""What binary COPY has around its tuples, before a value, and in place of it. Pure."""

from collections.abc import Iterator, Sequence
from struct import Struct

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
TRUE, FALSE = b"\0\0\0\1\1", b"\0\0\0\1\0"

PIECE_BYTES = 2**18
"""What the driver buffers at once; its buffer grows to twice the largest piece, and stays so."""

BACKSLASH = ord("\\")
"""Searching for one byte takes a tenth of searching for more, and most records have none."""
ESCAPED_NUL = b"\\u0000"
"""What no value may hold, as JSON has it."""

length_of = Struct(">i").pack
"""What stands before a value, by its number of bytes."""


def jsonb_start(size: int) -> bytes:
    """Before a text of JSON: the length, and the version of the format, which is part of it."""
    return length_of(size + 1) + b"\1"


# Looked up, as calls would be half of what a usual row takes.
SHORT = range(2048)
LENGTHS = [length_of(size) for size in SHORT]
JSONBS = [jsonb_start(size) for size in SHORT]


def pieces(rows: Sequence[bytes]) -> Iterator[bytes]:
    """All tuples as COPY takes them, some hundred at once."""
    number = max(1, PIECE_BYTES * len(rows) // max(1, sum(map(len, rows))))
    yield HEADER
    for start in range(0, len(rows), number):
        yield b"".join(rows[start : start + number])
    yield TRAILER
