"""The loop over many records makes what is made of each alone, and asks for the unusual only."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.log.records import Record
from grnry.persisters.live_segment.rows import RowMaker
from grnry.persisters.live_segment.table import LiveTable
from grnry.schemas import ColumnType, live_segment_schema
from grnry.sinks.target import Unstorable
from tests.sinks.records import Made

KINDS: dict[str, dict[str, Any]] = {
    "bigint": {"type": "integer"},
    "double": {"type": "number"},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "moment": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "object": {"type": ["object", "array"]},
    "any": {},
}
IDS = ("bigint", "text", "moment", "date", "uuid")
# What could be taken for source, or for a name within it.
NAMES = [
    *(
        "found",
        "N0",
        "v1",
        "id_",
        "None",
        "{items}",
        "{0}",
        "%s",
        "a b",
        "'",
        '"',
        '"""',
        "\\",
        "\n",
    ),
    *("__import__('os')", "]); raise SystemExit  #", "Grün", "\U0001f33e", "\ufeff", "\x7f"),
]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ODD_TEXTS = st.text(st.characters(exclude_categories=()), max_size=4)
MOMENTS = ["2024-02-29T08:46:47Z", "2016-12-31 23:59:60+01:00", "0001-01-01T00:00:00.1234567-15:59"]
UUID = "0B9F2A54-0000-4000-8000-00000000000A"
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 10**400, 1.0, -0.0])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.sampled_from(["\\u0000", "\\\\u0000", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70),
    "boolean": st.booleans(),
    "text": TEXTS | st.sampled_from(["", "x" * 2047, "x" * 2048, "ü" * 3000]),
    "moment": st.sampled_from(MOMENTS),
    "date": st.sampled_from(["2024-02-29", "0001-01-01"]),
    "uuid": st.sampled_from([UUID, UUID.lower()]),
    "object": st.lists(JSON, max_size=3) | st.dictionaries(TEXTS, JSON, max_size=3),
    "any": JSON,
}
BAD = JSON | ODD_TEXTS | st.sampled_from(["2023-02-29", "x" * 2001, UUID[:-1]])
ABSENT = object()


def made(rows: RowMaker, records: Sequence[Record]) -> tuple[list[bytes | str], list[Record]]:
    """What the loop makes of records, and about which it asked."""
    asked: list[Record] = []

    def otherwise(record: Record) -> bytes | str:
        asked.append(record)
        return carefully(rows, record)

    return rows.lines(records, otherwise), asked


def carefully(rows: RowMaker, record: Record) -> bytes | str:
    try:
        return rows.line(record.key(), record.value())
    except Unstorable as reason:
        return str(reason)


def rows_of(properties: dict[str, Any], **more: Any) -> RowMaker:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, **properties}, **more}
    return RowMaker(1, live_segment_schema(schema))


def record(document: Any) -> Made:
    return Made(payload=json.dumps(document).encode())


@st.composite
def kinds(draw: st.DrawFn) -> dict[str, str]:
    """Names of columns, and what they hold."""
    names = st.lists(st.sampled_from(NAMES), unique=True, max_size=7)
    chosen = {name: draw(st.sampled_from(list(KINDS))) for name in draw(names)}
    return {"id": draw(st.sampled_from(IDS)), **chosen}


@st.composite
def schemas(draw: st.DrawFn, kinds: dict[str, str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, kind in kinds.items():
        properties[name] = dict(KINDS[kind])
        if name == "id" or kind in ("object", "any"):
            continue
        if draw(st.booleans()):
            properties[name]["type"] = [properties[name]["type"], "null"]
        if draw(st.booleans()):
            usual = GOOD[kind].filter(lambda value: "\0" not in str(value))
            properties[name]["default"] = draw(usual)
    required = [name for name in kinds if draw(st.booleans())]
    return {"type": "object", "properties": properties, "required": required}


@st.composite
def values(draw: st.DrawFn, kinds: dict[str, str]) -> bytes | None:
    """A record's value: mostly one that is valid, but for one thing at times."""
    document = {name: draw(GOOD[kind]) for name, kind in kinds.items()}
    for name in draw(st.lists(st.sampled_from(list(kinds)), max_size=2)):
        document[name] = draw(st.just(ABSENT) | st.none() | BAD)
    document = {name: value for name, value in document.items() if value is not ABSENT}
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    whole = text.encode(errors="surrogatepass")
    match draw(st.integers(0, 20)):
        case 0:
            return None
        case 1:
            return whole[: draw(st.integers(0, len(whole)))]
        case 2:
            return json.dumps(draw(JSON)).encode()
    return whole


@given(st.data())
def test_the_loop_makes_what_is_made_of_each_alone(data: st.DataObject) -> None:
    chosen = data.draw(kinds())
    rows = RowMaker(
        data.draw(st.integers(1, 2**31)),
        live_segment_schema(json.dumps(data.draw(schemas(chosen)))),
    )
    drawn = data.draw(st.lists(values(chosen), max_size=8))
    records = [Made(at, value, of_key=b"%d" % at) for at, value in enumerate(drawn)]
    alone = [carefully(rows, each) for each in records]
    found, asked = made(rows, records)
    assert found == alone
    assert asked == [
        each
        for each, line in zip(records, alone, strict=True)
        if isinstance(line, str) or is_unusual(rows, each.payload)
    ]


def is_unusual(rows: RowMaker, value: bytes | None) -> bool:
    """Of a record of which there is a line."""
    if value is None or b"\\u0000" in value:
        return True
    document = json.loads(value)
    integers = [each.name for each in rows.columns if each.type is ColumnType.BIGINT]
    return any(isinstance(document.get(name), float) for name in integers)


def test_usual_records_ask_for_nothing() -> None:
    """Nulls, absent properties, defaults, escapes and long texts are usual."""
    properties = {name: {**KINDS[name], "type": [KINDS[name]["type"], "null"]} for name in IDS}
    properties |= {f"required {name}": KINDS[name] for name in KINDS}
    properties |= {"default": {"type": ["integer", "null"], "default": 7}}
    properties |= {"long default": {"type": "string", "default": "x" * 5_000}}
    required = [name for name in properties if name.startswith("required")]
    rows = rows_of(properties, required=required)
    good = {
        "bigint": -1,
        "double": 1,
        "boolean": False,
        "text": 'ü\n"\\\U0001f33e',
        "moment": MOMENTS[0],
        "date": "2024-02-29",
        "uuid": UUID,
        "object": {"a": ["\x01\ud7ff", 2**70, 1e300]},
        "any": None,
    }
    least = {"id": 1, **{f"required {name}": value for name, value in good.items()}}
    documents = [
        least,
        {**least, **good, "default": None},
        {**least, **dict.fromkeys(good), "required object": ["x" * 10_000], "text": "ü" * 5_000},
    ]
    found, asked = made(rows, [record(each) for each in documents])
    assert not asked
    assert found == [carefully(rows, record(each)) for each in documents]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[]",
        b'"id"',
        b"{}",
        b'{"id": null}',
        b'{"id": "1"}',
        b'{"id": true}',
        b'{"id": 1.0}',
        b'{"id": 9223372036854775808}',
        b'{"id": 1, "bigint": 1e3}',
        b'{"id": 1, "bigint": true}',
        b'{"id": 1, "bigint": -9223372036854775809}',
        b'{"id": 1, "double": 1' + b"0" * 400 + b"}",
        b'{"id": 1, "double": 1' + b"0" * 5000 + b"}",
        b'{"id": 1, "any": 1e400}',
        b'{"id": 1, "any": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"id": 1, "text": "\\ud800"}',
        b'{"id": 1, "text": "\xed\xa0\x80"}',
        b'{"id": 1, "text": "\xc0\x80"}',
        b'{"id": 1, "text": "\0"}',
        b'{"id": 1, "text": "\\u0000"}',
        b'{"id": 1, "text": "\\\\u0000"}',
        b'{"id": 1, "any": {"\\u0000": 1}}',
        b'{"id": 1, "ignored": "\\u0000"}',
        b'{"id": 1, "date": "2023-02-29"}',
        b'{"id": 1, "any": [' + b"1e15," * 300 + b"0]}",
    ],
)
def test_the_unusual_is_asked_about_once_and_in_its_place(value: bytes | None) -> None:
    rows = rows_of(KINDS)
    odd, usual = Made(payload=value, of_key=b"7"), record({"id": 1})
    found, asked = made(rows, [usual, odd, odd, usual])
    line = rows.line(None, usual.payload)
    assert found == [line, carefully(rows, odd), carefully(rows, odd), line]
    assert asked == [odd, odd]


def test_a_text_has_a_nul_only_where_it_is_escaped_as_one() -> None:
    """On which the loop relies, as it looks at no text."""
    decode = msgspec.json.Decoder().decode
    pairs = [bytes((one, other)) for one in range(256) for other in range(256)]
    escapes = [b"\\u%04x" % code for code in range(0x10000)]
    strange = [b"\\x00", b"\\U0000", b"\\u000", b"\\u{0}", b"\xe0\x80\x80", b"\xf0\x80\x80\x80"]
    having = set()
    for raw in (*pairs, *escapes, *strange):
        try:
            text = decode(b'"%b"' % raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if "\0" in text:
            having.add(raw)
    assert having == {b"\\u0000"}


def test_as_many_columns_as_a_table_has() -> None:
    several = list(KINDS.values())
    names = [f"column {number}" for number in range(1499)]
    rows = rows_of({name: several[at % len(several)] for at, name in enumerate(names)})
    whole = record({"id": 1, **dict.fromkeys(names[1 :: len(several)], 5)})
    found, asked = made(rows, [whole, record({"id": 2})])
    assert not asked
    assert found == [rows.line(None, whole.payload), rows.line(None, b'{"id": 2}')]


def test_an_error_of_who_is_asked_is_nobody_elses() -> None:
    class OurFaultError(Exception):
        pass

    def otherwise(record: Record) -> bytes:
        raise OurFaultError

    with pytest.raises(OurFaultError):
        rows_of({}).lines([record({"id": 1}), record({})], otherwise)


def test_a_table_has_a_line_or_a_reason_for_each() -> None:
    table = LiveTable("live", "global", "live")
    table.use(1, live_segment_schema({"type": "object", "properties": {"id": {"type": "string"}}}))
    gone, wrong, usual = Made(payload=None, of_key=b"a"), record({"id": 1}), record({"id": "a"})
    lines = table.lines([usual, wrong, gone, usual])
    assert [lines[0], lines[2]] == [table.line(usual), table.line(gone)]
    assert lines[0] == lines[3]
    assert isinstance(lines[1], Unstorable)
    assert str(lines[1]) == '#/id: 1 is not of type "string"'
