"""Lines come out of a body however it is cut into pieces, and no piece makes memory grow."""

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.errors import BadInput
from grnry.events.splitting import TooLarge
from grnry.events.streaming import PIECE, Gzipped, Line, Lines, TooLong, unpacker


def lines_of(body: bytes, cuts: list[int], encoding: str = "", longest: int = 1000) -> list[Line]:
    unpacking, lines = unpacker(encoding, 10**9), Lines(longest)
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    found: list[Line] = []
    for start, end in pairwise(places):
        for piece in unpacking.feed(body[start:end]):
            found += lines.feed(piece)
    unpacking.end()
    return [*found, *lines.end()]


TEXTS = st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"")))
CUTS = st.lists(st.integers(0, 10_000), max_size=10)


@given(TEXTS, CUTS, st.booleans())
def test_any_pieces(texts: list[bytes], cuts: list[int], packed: bool) -> None:
    body = b"\n".join(texts)
    expected = [text.strip() for text in texts if text.strip()]
    encoded = gzip.compress(body) if packed else body
    assert lines_of(encoded, cuts, "gzip" if packed else "") == expected


@given(TEXTS, TEXTS, CUTS)
def test_several_gzip_streams_are_one_body(
    one: list[bytes], two: list[bytes], cuts: list[int]
) -> None:
    bodies = [b"".join(text + b"\n" for text in texts) for texts in (one, two)]
    packed = b"".join(map(gzip.compress, bodies))
    assert lines_of(packed, cuts, "gzip") == [t.strip() for t in (*one, *two) if t.strip()]


@given(CUTS)
def test_a_line_that_is_too_long_is_passed_over_alone(cuts: list[int]) -> None:
    body = b"a\n" + b"x" * 2000 + b"\nb\r\n" + b"y" * 1000 + b"\n" + b"z" * 1001
    expected = [b"a", TooLong(2000), b"b", b"y" * 1000, TooLong(1001)]
    assert lines_of(body, cuts) == expected


def test_what_unpacks_to_much_comes_in_pieces() -> None:
    bomb = gzip.compress(b"x" * (20 * PIECE + 7))
    sizes = [len(piece) for piece in Gzipped(10**9).feed(bomb)]
    assert sum(sizes) == 20 * PIECE + 7
    assert max(sizes) <= PIECE
    with pytest.raises(TooLarge):
        list(Gzipped(5 * PIECE).feed(bomb))
    lines = Lines(1000)
    assert [line for piece in Gzipped(10**9).feed(bomb) for line in lines.feed(piece)] == []
    assert lines._parts == []
    assert list(lines.end()) == [TooLong(20 * PIECE + 7)]


def test_what_is_no_gzip_and_what_is_cut_off() -> None:
    with pytest.raises(BadInput, match="is not gzip"):
        list(Gzipped(1000).feed(b"hello"))
    packed = gzip.compress(zlib.compress(b"a\n" * 100))
    for length in range(1, len(packed)):
        unpacking = Gzipped(1000)
        list(unpacking.feed(packed[:length]))
        with pytest.raises(BadInput, match="is cut off"):
            unpacking.end()
    with pytest.raises(BadInput, match="must be 'gzip' but is 'br'"):
        unpacker("br", 1)
    with pytest.raises(TooLarge):
        list(unpacker("", 3).feed(b"four"))
