import json
from datetime import date
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.persisters.copying import pieces
from grnry.persisters.live_segment.rows import RowMaker, newest, version_of
from grnry.schemas import live_segment_schema
from grnry.sinks.target import Unstorable
from tests.sinks.records import Made

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "score": {"type": "number"},
        "ok": {"type": ["boolean", "null"]},
        "born": {"type": "string", "format": "date"},
        "extra": {"type": ["object", "array"]},
        "kind": {"type": "string", "default": "none"},
    },
}
ROWS = RowMaker(1, live_segment_schema(SCHEMA))
TEXT_KEYS = RowMaker(
    2, live_segment_schema({"type": "object", "properties": {"id": {"type": "string"}}})
)


def line(record: Any) -> bytes:
    """The line as both ways make it."""
    value = json.dumps(record).encode()
    made = ROWS.line(None, value)
    assert ROWS.lines([Made(payload=value)], lambda _: made) == [made]
    return made


def why(key: bytes | None, value: bytes | None, rows: RowMaker = ROWS) -> str:
    with pytest.raises(Unstorable) as caught:
        rows.line(key, value)
    assert rows.lines([Made(payload=value, of_key=key)], lambda _: caught) == [caught]
    return str(caught.value)


@pytest.fixture(scope="module")
def table(postgres: Any) -> Any:
    """A table of the schema's columns, to see what the server makes of a tuple."""
    name = postgres.make_database()
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute(
            "create temporary table t (id bigint, born text, extra jsonb, kind text, name text,"
            " ok boolean, score double precision)"
        )
        yield connection
    postgres.drop_database(name)


def stored(table: Any, record: Any) -> dict[str, Any]:
    names = [column.name for column in ROWS.columns]
    rows, _ = newest([line(record)])
    with table.cursor() as cursor:
        with cursor.copy(
            f"copy t ({', '.join(names)}) from stdin (format binary)".encode()
        ) as copy:
            copy.write(b"".join(pieces(rows)))
        cursor.execute("delete from t returning " + ", ".join(names))
        return dict(zip(names, cursor.fetchone(), strict=True))


def test_every_type_is_what_was_sent(table: Any) -> None:
    record = {
        "id": -(2**63),
        "name": "Grün \t\n\\ \U0001f33e",
        "score": 1.5,
        "ok": True,
        "born": str(date(2024, 2, 29)),
        "extra": {"n": 2**70, "list": [None, "x"]},
        "kind": "some",
        "ignored": 1,
    }
    assert stored(table, record) == {k: v for k, v in record.items() if k != "ignored"}


def test_letters_that_only_look_like_a_nul_are_letters(table: Any) -> None:
    extra = ["\\u0000", {"\\\\u0000": "\\\\\\u0000"}]
    assert stored(table, {"id": 1, "extra": extra})["extra"] == extra


def test_what_is_missing_is_null_or_the_default(table: Any) -> None:
    nothing = dict.fromkeys(("name", "score", "ok", "born", "extra"))
    assert stored(table, {"id": 1}) == {"id": 1, **nothing, "kind": "none"}
    assert stored(table, {"id": 1.0, "ok": None})["id"] == 1


@given(
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    score=st.floats(allow_nan=False, allow_infinity=False),
    number=st.integers(-(2**63), 2**63 - 1),
)
def test_values_survive(table: Any, name: str, score: float, number: int) -> None:
    found = stored(table, {"id": number, "name": name, "score": score})
    assert (found["id"], found["name"], found["score"]) == (number, name, score)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "the record is not JSON"),
        (b"\xff", "the record is not JSON"),
        (b"[]", "object"),
        (b"{}", "id"),
        (b'{"id": "1"}', "#/id"),
        (b'{"id": 9223372036854775808}', "#/id"),
        (b'{"id": 1, "name": 2}', "#/name"),
        (b'{"id": 1, "name": "a\\u0000b"}', "#/name: has the character U+0000"),
        (b'{"id": 1, "extra": ["a\\u0000"]}', "#/extra: has the character U+0000"),
        (b'{"id": 1, "extra": {"\\\\\\u0000": 1}}', "#/extra: has the character U+0000"),
        (b'{"id": 1, "born": "2023-02-29"}', "#/born"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"id": 1, "score": 1' + b"0" * 400 + b"}", "#/score: is beyond the range of double"),
        (b'{"id": 1, "score": 1' + b"0" * 5000 + b"}", "a number that is beyond all range"),
        (b'{"id": 1, "extra": [1e400]}', "a number that is beyond all range"),
        (b'{"id": 1, "score": NaN}', "the record is not JSON: unexpected character"),
        (b'{"id": 1, "name": "\\ud800"}', "the record is not JSON: no low surrogate"),
        (b"", "the record is not JSON: Input is a zero-length"),
    ],
)
def test_what_is_no_row_says_why(value: bytes, reason: str) -> None:
    assert reason in why(None, value)


def nested(depth: int, inner: str = "") -> bytes:
    return f'{{"id": 1, "extra": {"[" * depth}{inner}{"]" * depth}}}'.encode()


@pytest.mark.parametrize("extra", [{}, {"enum": [1, [1]]}, {"type": "array", "uniqueItems": True}])
def test_any_depth_is_a_row_or_a_reason(extra: Any) -> None:
    """Reading, checking and writing have bounds of their own."""
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "extra": extra}}
    rows = RowMaker(1, live_segment_schema(schema))
    said = set()
    for depth in range(1, 1200):
        try:
            rows.line(None, nested(depth))
        except Unstorable as error:
            said.add(str(error))
        rows.key_of(None, nested(depth))
    assert "the record is nested too deeply" in said


def test_a_record_without_a_value_deletes_the_row_of_its_key() -> None:
    assert newest([ROWS.line(b"7", None)]) == ([], [(7).to_bytes(8, "big", signed=True)])
    assert newest([ROWS.line(b'"-7"', None)])[1] == [(-7).to_bytes(8, "big", signed=True)]
    assert ROWS.id_of((-7).to_bytes(8, "big", signed=True)) == -7
    assert newest([TEXT_KEYS.line(b"a", None), TEXT_KEYS.line(b'"b"', None)])[1] == [b"a", b"b"]
    assert TEXT_KEYS.id_of(b"a") == "a"


def test_of_each_id_the_last_line_counts() -> None:
    one, two, again = line({"id": 1}), line({"id": 2}), line({"id": 1, "name": "x"})
    gone = ROWS.line(b"2", None)
    start = 16
    assert newest([one, two, again]) == ([again[start:], two[start:]], [])
    rows, deleted = newest([one, two, gone])
    assert (rows, len(deleted)) == ([one[start:]], 1)
    assert newest([two, gone, two]) == ([two[start:]], [])


def test_an_id_too_long_for_an_index() -> None:
    assert "longer than" in why(None, json.dumps({"id": "x" * 3000}).encode(), TEXT_KEYS)


def test_a_line_knows_its_version() -> None:
    assert version_of(line({"id": 1})) == 1
    assert version_of(TEXT_KEYS.line(b"a", None)) == 2


def test_a_sample_is_valid(table: Any) -> None:
    rows, _ = newest([ROWS.sample()])
    assert len(rows) == 1
