import gzip
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.errors import BadInput
from grnry.events.splitting import MOST_STREAMS, TooLarge, split, unpack

MOST = 1000
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc\n", max_size=2), inner)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc\n", max_size=3), JSON, max_size=4)


@given(event=OBJECTS, indent=st.none() | st.integers(0, 3))
def test_an_object_is_one_event_of_the_same_bytes(
    event: dict[str, object], indent: int | None
) -> None:
    text = json.dumps(event, indent=indent).encode()
    assert split(b" \n" + text + b"\n", "application/json") == [text]


@given(events=st.lists(JSON), indent=st.none() | st.integers(0, 3))
def test_an_array_is_cut_into_the_bytes_of_its_elements(
    events: list[object], indent: int | None
) -> None:
    found = split(json.dumps(events, indent=indent).encode(), "application/json")
    assert [json.loads(text) for text in found] == events


@given(events=st.lists(OBJECTS, min_size=1))
def test_lines_are_events_whatever_they_are_called(events: list[object]) -> None:
    texts = [json.dumps(event).encode() for event in events]
    for content_type in ("application/x-ndjson", "application/json", ""):
        assert split(b"\r\n".join(texts) + b"\n\n", content_type) == texts


def test_order_of_keys_and_numbers_of_any_size_survive() -> None:
    texts = [
        b'{"z": 123456789012345678901234567890, "a": 1.000000000000000000001}',
        b'{"a":1,  "a":2, "e": 1E5, "s": "\\u0041"}',
    ]
    assert split(b"[" + b" , ".join(texts) + b"]", "application/json") == texts


@pytest.mark.parametrize("body", [b"", b"  \n ", b"\r\n"])
def test_an_empty_body(body: bytes) -> None:
    with pytest.raises(BadInput, match="'body' must not be empty"):
        split(body, "application/x-ndjson")


def test_an_empty_array_has_no_events() -> None:
    assert split(b" [ ] ", "") == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"hello",
        b'[{"a": 1}',
        b'[{"a": 1},]',
        b'{"a": 1} x',
        b"\xef\xbb\xbf{}",
        b"NaN",
        b'{"items": [\n{"user": "u1"},\n{"user": "u2"}\n]',  # an event within is not meant
        b'{\n"a": 1,\n}',
    ],
)
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(BadInput, match="'body' is not JSON"):
        split(body, "application/json")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_what_is_nested_too_deeply(body: bytes) -> None:
    with pytest.raises(BadInput, match="'body' is nested too deeply"):
        split(body, "application/json")


def test_a_bad_line_is_left_to_be_rejected_alone() -> None:
    assert split(b'{"a": 1}\n{"a": \n{"a": 3}', "") == [b'{"a": 1}', b'{"a":', b'{"a": 3}']


@given(data=st.binary(max_size=MOST))
def test_unpacking(data: bytes) -> None:
    assert unpack(data, "", MOST) == unpack(data, "identity", MOST) == data
    assert unpack(gzip.compress(data), "gzip", MOST) == data


@given(parts=st.lists(st.binary(max_size=30), min_size=1, max_size=10))
def test_several_streams_one_after_the_other(parts: list[bytes]) -> None:
    packed = b"".join(gzip.compress(part) for part in parts)
    assert unpack(packed, "x-gzip", MOST) == b"".join(parts)


def test_more_streams_than_anybody_needs() -> None:
    with pytest.raises(BadInput, match=f"has more than {MOST_STREAMS} gzip streams"):
        unpack(gzip.compress(b"") * 50_000, "gzip", MOST)


@given(data=st.binary(min_size=1, max_size=50), cut=st.integers(1, 30))
def test_a_stream_that_is_cut_off(data: bytes, cut: int) -> None:
    packed = gzip.compress(data)
    with pytest.raises(BadInput, match=r"'body' is (not gzip|cut off)"):
        unpack(packed[: max(0, len(packed) - cut)], "gzip", MOST)


@pytest.mark.parametrize("packed", [b"", b"{}", gzip.compress(b"a", mtime=0) + b"more"])
def test_what_is_not_gzip(packed: bytes) -> None:
    with pytest.raises(BadInput, match=r"'body' is (not gzip|cut off)"):
        unpack(packed, "gzip", MOST)


def test_one_byte_too_many() -> None:
    assert len(unpack(gzip.compress(bytes(MOST)), "gzip", MOST)) == MOST
    with pytest.raises(TooLarge):
        unpack(gzip.compress(bytes(MOST + 1)), "gzip", MOST)
    with pytest.raises(TooLarge):
        unpack(gzip.compress(bytes(MOST)) + gzip.compress(b"a"), "gzip", MOST)


def test_a_bomb_takes_no_room() -> None:
    bomb = gzip.compress(bytes(50 * 2**20))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        unpack(bomb, "gzip", MOST)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_another_encoding(encoding: str) -> None:
    with pytest.raises(BadInput, match="Header 'Content-Encoding' must be 'gzip' but is"):
        unpack(b"", encoding, MOST)
