"""What binary COPY has around its tuples, and in place of a value. Pure."""

from collections.abc import Iterator, Sequence

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

PIECE_BYTES = 2**18
"""What the driver buffers at once; its buffer grows to twice the largest piece, and stays so."""


def pieces(rows: Sequence[bytes]) -> Iterator[bytes]:
    """All tuples as COPY takes them, some hundred at once."""
    number = max(1, PIECE_BYTES * len(rows) // max(1, sum(map(len, rows))))
    yield HEADER
    for start in range(0, len(rows), number):
        yield b"".join(rows[start : start + number])
    yield TRAILER
