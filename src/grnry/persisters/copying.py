"""What binary COPY has around its tuples, and in place of a value. Pure."""

from collections.abc import Sequence

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"


def whole(rows: Sequence[bytes]) -> bytes:
    """All tuples as COPY takes them."""
    return b"".join((HEADER, *rows, TRAILER))
