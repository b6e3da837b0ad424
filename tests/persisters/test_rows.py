"""Whatever bytes go in, PostgreSQL stores what went in, or the record is refused with a reason."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from grnry.log.records import Record
from grnry.persisters import ordered
from grnry.persisters.copying import pieces
from grnry.persisters.ordered import OrderedRows
from grnry.persisters.rows import (
    COLUMNS,
    IsDeletion,
    event_type_field,
    is_true,
    row_of,
    rows_of,
    unquoted,
    without_nul,
)
from grnry.sinks.target import Unstorable
from tests.sinks.records import Headers, Made, headers

CALLS = event_type_field("calls")
RECORD_TIME = 1_600_000_000_123
_NAMES = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
_COPY = sql.SQL("copy public.eventstore ({}) from stdin (format binary)").format(_NAMES)


def row(named: Headers, payload: bytes | None = b"{}") -> bytes:
    """The row as all ways make it."""
    made, record = one_of(named, payload), Made(7, payload, named, RECORD_TIME, 3)
    assert rows_of(CALLS, [record], as_unusual) == [made]
    rows, other = OrderedRows("calls"), Made(7, b"{}", usual(), RECORD_TIME, 3)
    between = one_of(usual(), b"{}")
    assert rows.of([other, record, other], as_unusual) == [between, made, between]
    assert rows.of([record, record, other], as_unusual) == [made, made, between]
    return made


def one_of(named: Headers, payload: bytes | None) -> bytes:
    return row_of(CALLS, named, payload, (3, 7), RECORD_TIME)


def as_unusual(record: Record) -> bytes:
    return one_of(list(record.headers() or ()), record.value())


Stored = dict[str, Any]


class Store:
    """An event store that keeps one row at a time."""

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self._connection = connection

    def __call__(self, named: Headers, payload: bytes | None = b"{}") -> Stored:
        with self._connection.transaction(force_rollback=True):
            with self._connection.cursor().copy(_COPY) as copy:
                copy.write(b"".join(pieces([row(named, payload)])))
            stored = self._connection.execute(
                "select *, message::text as text from public.eventstore"
            ).fetchone()
            assert stored is not None
            return stored


@pytest.fixture(scope="module")
def store(postgres: Any) -> Iterator[Store]:
    name = postgres.make_database()
    with psycopg.connect(postgres.url(name), autocommit=True, row_factory=dict_row) as connection:
        yield Store(connection)
    postgres.drop_database(name)


def test_every_column_has_its_value(store: Store) -> None:
    named = headers(
        b"u1",
        b"e1",
        event_timestamp=b"1700000000001",
        event_type_version=b"4",
        harvester_name=b"web",
        event_type=b"another",
    )
    stored = store(named, b'{"b": 1, "a": [true, null]}')
    assert {name: stored[name] for name in COLUMNS} == {
        "correlation_id": "u1",
        "event_id": "e1",
        "created": 1700000000001,
        "partition_id": 3,
        "partition_offset": 7,
        "event_type": "calls",  # the topic's, never the header's
        "event_type_version": 4,
        "event_harvester": "web",
        "message": {"b": 1, "a": [True, None]},
    }


def test_a_null_body_is_a_null_message_and_not_the_json_null(store: Store) -> None:
    assert store(headers(), None)["text"] is None
    assert store(headers(), b"null")["text"] == "null"


@pytest.mark.parametrize(
    ("given_time", "created"),
    [
        (b"1700000000000", 1700000000000),
        (b'"1700000000000"', 1700000000000),
        (b"-1", -1),
        (b"0", 0),
        (b"%d" % (2**63 - 1), 2**63 - 1),
        (b"%d" % 2**63, RECORD_TIME),
        (b"%d" % -(2**63) + b"0", RECORD_TIME),
        (b"9" * 5000, RECORD_TIME),
        (b"", RECORD_TIME),
        (b"today", RECORD_TIME),
        (b'"today"', RECORD_TIME),
        (b'"', RECORD_TIME),
        (b'"\xff"', RECORD_TIME),
        (b"1.7e12", RECORD_TIME),
        (b"\xd9\xa1", RECORD_TIME),
        (b"\0", RECORD_TIME),
    ],
)
def test_timestamps(store: Store, given_time: bytes, created: int) -> None:
    assert store(headers(event_timestamp=given_time))["created"] == created


def test_a_missing_timestamp_is_the_records_own(store: Store) -> None:
    assert store(headers())["created"] == RECORD_TIME
    assert store([*headers(), ("grnry-event-timestamp", None)])["created"] == RECORD_TIME


@pytest.mark.parametrize(
    ("given_version", "version"),
    [
        (b"1", 1),
        (b'"12"', 12),
        (b"0", 0),
        (b"%d" % (2**31 - 1), 2**31 - 1),
        (b"%d" % 2**31, None),
        (b"-1", None),
        (b"", None),
        (b"latest", None),
        (b'"\xff"', None),
    ],
)
def test_versions(store: Store, given_version: bytes, version: int | None) -> None:
    assert store(headers(event_type_version=given_version))["event_type_version"] == version
    assert store(headers())["event_type_version"] is None


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ([], "grnry-correlation-id is missing or empty"),
        ([("grnry-correlation-id", b"")], "grnry-correlation-id is missing or empty"),
        ([("grnry-correlation-id", None)], "grnry-correlation-id is missing or empty"),
        (headers(b'""'), "grnry-correlation-id is missing or empty"),
        ([("grnry-correlation-id", b"u1")], "grnry-event-id is missing or empty"),
        (headers(event_id=b""), "grnry-event-id is missing or empty"),
        (headers(event_id=b'""'), "grnry-event-id is missing or empty"),
        (headers(b"", deletion_flag=b"true"), "grnry-correlation-id is missing or empty"),
    ],
)
def test_what_can_never_be_stored_says_why(named: Headers, reason: str) -> None:
    with pytest.raises(Unstorable, match=reason):
        row(named)


@pytest.mark.parametrize("flag", [b"true", b'"true"', b" TRUE "])
def test_a_deletion_is_no_row(flag: bytes) -> None:
    for named in (headers(deletion_flag=flag), headers(event_id=b"", deletion_flag=flag)):
        with pytest.raises(IsDeletion):
            row(named)


@pytest.mark.parametrize("flag", [b"false", b'"false"', b"", b"0", b"no", b"\xff", b'"\xff"'])
def test_a_deletion_flag_that_is_not_true_changes_nothing(store: Store, flag: bytes) -> None:
    assert store(headers(b'"u1"', b"1", deletion_flag=flag))["correlation_id"] == "u1"


@pytest.mark.parametrize("flag", [b"true", b'"true"', b"TRUE", b" True "])
def test_what_is_true(flag: bytes) -> None:
    assert is_true(flag)


def test_the_last_of_several_headers_with_one_name_counts(store: Store) -> None:
    named: Headers = [("grnry-event-id", b"first"), *headers(event_id=b"last")]
    assert store(named)["event_id"] == "last"


def usual(**others: bytes) -> Headers:
    given = {"event_timestamp": b"1700000000001", "event_type_version": b"1", **others}
    return headers(b"u1", b"1", **{"harvester_name": b"na", **given})


def is_usual(named: Headers, payload: bytes | None = b'{"a": "\\n"}') -> bool:
    return rows_of(CALLS, [Made(7, payload, named)], lambda _: b"another way") != [b"another way"]


def test_what_is_made_the_quick_way() -> None:
    assert is_usual(usual())
    assert is_usual(usual(event_type_version=b"99", event_type=b"another"), b"x" * 2000)
    assert not is_usual(usual(), None)
    assert not is_usual(usual(), b"\\u0000")
    assert not is_usual(usual(), b"x" * 5000)
    assert not is_usual(usual(deletion_flag=b"false"))
    assert not is_usual(usual(harvester_name=b'"na"'))
    assert not is_usual(usual(event_timestamp=b"%d" % 2**63))
    for name, _ in usual():
        assert not is_usual([one for one in usual() if one[0] != name])
        assert not is_usual([*usual(), (name, None)])
        assert not is_usual([*usual(), (name, b"")])
        assert not is_usual([*usual(), (name, b'"')])


def test_orders_of_headers_are_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is made without names; what is between, of another order, by its names."""
    by_name: list[Record] = []

    def spied(event_type: bytes, records: list[Record], otherwise: Any) -> Any:
        by_name.extend(records)
        return rows_of(event_type, records, otherwise)

    monkeypatch.setattr(ordered, "rows_of", spied)
    rows, all_orders = OrderedRows("calls"), itertools.permutations(usual())
    orders = [list(each) for each in itertools.islice(all_orders, 0, 120, 4)]
    known, unknown = orders[: ordered.MOST_ORDERS], orders[ordered.MOST_ORDERS :]
    expected = one_of(usual(), b"{}")
    for named in [*known, *known]:
        records = [Made(7, b"{}", named, RECORD_TIME, 3)] * 3
        assert rows.of(records, as_unusual) == [expected] * 3
    assert by_name == []
    for named in unknown:
        other = Made(7, b"{}", named, RECORD_TIME, 3)
        made = Made(7, b"{}", known[0], RECORD_TIME, 3)
        assert rows.of([made, other, made], as_unusual) == [expected] * 3
        assert rows.of([other], as_unusual) == [expected]
        assert by_name == [other, other]
        by_name.clear()


def test_no_order_is_learned_of_what_is_no_usual_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered, "MOST_ORDERS", 1)
    rows = OrderedRows("calls")
    odd: list[Headers] = [
        [],
        usual()[:-1],
        [*usual(), usual()[0]],
        usual(deletion_flag=b"false"),
        [*usual(), *((f"other-{number}", b"") for number in range(ordered.MOST_HEADERS))],
    ]
    for named in odd:
        rows.of([Made(7, b"{}", named)], lambda _: b"otherwise")
    assert rows.of([], as_unusual) == []
    monkeypatch.delattr(ordered, "rows_of")
    made = Made(7, b"{}", usual(), RECORD_TIME, 3)
    assert rows.of([made], as_unusual) == [one_of(usual(), b"{}")]


def test_a_record_has_its_headers_still_in_less_memory() -> None:
    named: Headers = [*usual(), ("other", None), ("other", b"x")]
    record = Made(7, b"{}", named, RECORD_TIME, 3)
    odd = Made(8, b"{}", [*named, ("more", b"")])
    OrderedRows("calls").of([record, odd], as_unusual)
    kept = record.headers()
    assert kept is not None
    assert not isinstance(kept, list)
    assert list(kept) == named
    assert list(kept) == named, "they can be gone over again"
    assert odd.headers() == [*named, ("more", b"")]
    assert OrderedRows("calls").of([record], as_unusual) == [one_of(named, b"{}")]


def test_no_more_harvesters_are_known_by_name_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered, "MOST_HARVESTERS", 2)
    rows = OrderedRows("calls")
    for number in range(5):
        named = usual(harvester_name=b"harvester-%d" % number)
        record = Made(7, b"{}", named, RECORD_TIME, 3)
        assert rows.of([record, record], as_unusual) == [one_of(named, b"{}")] * 2


VALUES = st.one_of(
    st.none(),
    st.binary(max_size=20),
    st.integers(-(2**70), 2**70).map(lambda number: b"%d" % number),
    st.text(max_size=5).map(lambda text: b'"%b"' % text.encode(errors="replace")),
    st.integers(2040, 2060).map(lambda size: b"7" * size),
)


@settings(max_examples=500, deadline=None)
@given(
    values=st.dictionaries(st.sampled_from([name for name, _ in usual()]), VALUES),
    payload=st.one_of(st.none(), st.binary(), st.just(b'"\\u0000"')),
)
def test_both_ways_make_the_same_row(values: dict[str, bytes | None], payload: bytes) -> None:
    named = [*usual(), *values.items()]
    try:
        row(named, payload)
    except Unstorable:
        assert not is_usual(named, payload)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
SAMPLES = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@SAMPLES
@given(correlation_id=TEXTS, event_id=TEXTS, harvester=TEXTS)
def test_header_values_are_stored_as_they_are(
    store: Store, correlation_id: str, event_id: str, harvester: str
) -> None:
    plain = headers(correlation_id.encode(), event_id.encode(), harvester_name=harvester.encode())
    if not any(text.startswith('"') for text in (correlation_id, event_id, harvester)):
        stored = store(plain)
        found = (stored["correlation_id"], stored["event_id"], stored["event_harvester"])
        assert found == (correlation_id, event_id, harvester)


@SAMPLES
@given(correlation_id=TEXTS, event_id=TEXTS, harvester=TEXTS, escape=st.booleans())
def test_header_values_that_are_quoted_are_stored_as_what_they_quote(
    store: Store, correlation_id: str, event_id: str, harvester: str, *, escape: bool
) -> None:
    def quoted(text: str) -> bytes:
        return json.dumps(text, ensure_ascii=escape).encode()

    stored = store(
        headers(quoted(correlation_id), quoted(event_id), harvester_name=quoted(harvester))
    )
    found = (stored["correlation_id"], stored["event_id"], stored["event_harvester"])
    assert found == (correlation_id, event_id, harvester)


@given(value=st.binary())
@example(value=b"true")
def test_no_bytes_in_a_header_end_the_worker(value: bytes) -> None:
    quoted = b'"' + value + b'"'
    for name in ("event_timestamp", "event_type_version", "harvester_name"):
        assert row(headers(**{name: value}))
        assert row(headers(**{name: quoted}))
    for named in (headers(b"u", deletion_flag=quoted), headers(quoted), headers(b"u", quoted)):
        try:
            assert row(named)
        except Unstorable as error:
            assert str(error)  # noqa: PT017 - either is right
        except IsDeletion:
            assert is_true(quoted)


@pytest.mark.parametrize("value", [b'"', b'"a', b'"a"b', b'"\xff"', b'"\\ud800"', b'"\\x"', b'a"'])
def test_what_only_looks_quoted_stays_as_it_is(value: bytes) -> None:
    assert unquoted(value) == value


NO_HALF_PAIRS = st.characters(exclude_categories=["Cs"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(NO_HALF_PAIRS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(NO_HALF_PAIRS), inner, max_size=4)
    ),
    max_leaves=12,
)


def with_replaced(value: Any) -> Any:
    """What is left of a value where there is no NUL."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [with_replaced(part) for part in value]
    if isinstance(value, dict):
        return {with_replaced(key): with_replaced(part) for key, part in value.items()}
    return value


@SAMPLES
@given(value=JSON, escape=st.booleans())
def test_payloads_are_stored_as_they_are(store: Store, value: Any, *, escape: bool) -> None:
    payload = json.dumps(value, ensure_ascii=escape).encode()
    assert json.loads(store(headers(), payload)["text"]) == with_replaced(value)


@SAMPLES
@given(text=st.lists(st.sampled_from(["\\", "\0", "u0000", "\\u0000", '"', "a"])).map("".join))
def test_nul_is_replaced_and_escaped_backslashes_before_it_are_not_taken_for_it(
    store: Store, text: str
) -> None:
    payload = json.dumps({text: text}).encode()
    stored = json.loads(store(headers(), payload)["text"])
    assert stored == {text.replace("\0", "\ufffd"): text.replace("\0", "\ufffd")}


@pytest.mark.parametrize(
    ("given_bytes", "kept"),
    [
        (rb'"\u0000"', rb'"\ufffd"'),
        (rb'"\u0000\u0000"', rb'"\ufffd\ufffd"'),
        (rb'"\\u0000"', rb'"\\u0000"'),
        (rb'"\\\u0000"', rb'"\\\ufffd"'),
        (rb'"\\\\u0000"', rb'"\\\\u0000"'),
        (rb'"\u00001"', rb'"\ufffd1"'),
    ],
)
def test_nul_in_bytes(given_bytes: bytes, kept: bytes) -> None:
    assert without_nul(given_bytes) == kept


def test_many_backslashes_take_no_longer_than_few() -> None:
    hard = b'"' + b"\\\\" * 1_000_000 + b'x\\u0000"'
    assert without_nul(hard).endswith(b'x\\ufffd"')
