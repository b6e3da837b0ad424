"""What an expression gives, beyond what Spring's answers show."""

import datetime as dt
import json
import threading
import uuid
from typing import Any

import pytest

from grnry.expressions import ExpressionError, compile_expression

SAMPLE = "#safeJsonPath(#safeJsonPath(payload,'body'),'data[0].cid')?:'NO_CORRELATION_ID'"
HUGE = 123456789012345678901234567890


def read(text: str, payload: Any = None, headers: dict[str, str] | None = None) -> Any:
    return compile_expression(text)(payload, headers or {})


def test_an_expression_keeps_its_text_and_can_not_change() -> None:
    expression = compile_expression(" payload.a ")
    assert expression.text == " payload.a "
    assert repr(expression) == "Expression(' payload.a ')"
    with pytest.raises(AttributeError, match="can not change"):
        expression.text = "payload.b"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"data":[{"cid":"c-1"}]}', "c-1"),
        ('{"data":[{"cid":null}]}', "NO_CORRELATION_ID"),
        ('{"data":[{"cid":""}]}', "NO_CORRELATION_ID"),
        ('{"data":[]}', "NO_CORRELATION_ID"),
        ('{"data"', "NO_CORRELATION_ID"),
        ("", "NO_CORRELATION_ID"),
        (None, "NO_CORRELATION_ID"),
        ({"data": [{"cid": 7}]}, 7),
    ],
)
def test_the_sample_reads_a_body_whatever_it_is(body: Any, expected: Any) -> None:
    assert read(SAMPLE, {"body": body}) == expected


def test_the_ue_pr_sample_reads_a_string_within_an_object() -> None:
    text = (
        "#safeJsonPath(#safeJsonPath(payload,'body.data.ue_pr'),'data.data.environment.cid')"
        "?:'NO_CORRELATION_ID'"
    )
    event = json.dumps({"data": {"data": {"environment": {"cid": "c-2"}}}})
    assert read(text, {"body": {"data": {"ue_pr": event}}}) == "c-2"
    assert read(text, {"body": json.dumps({"data": {"ue_pr": event}})}) == "NO_CORRELATION_ID"


@pytest.mark.parametrize(
    "number", [HUGE, -HUGE, 2**64, 2**63, -(2**63) - 1, 2**63 - 1, 9007199254740993]
)
def test_integers_of_any_size_survive(number: int) -> None:
    body = json.dumps({"n": number, "list": [number]})
    payload = {"body": body, "n": number}
    assert read("payload.n", payload) == number
    assert read("#jsonPath(payload.body, 'n')", payload) == number
    assert read("#jsonPath(payload.body, '$..n')", payload) == [number]
    assert read("#jsonPath(payload.body, '$')", payload) == {"n": number, "list": [number]}
    assert read("'' + payload.n", payload) == str(number)


def test_results_are_plain_python_values() -> None:
    assert type(read("5L")) is int
    assert type(read("{5L, 6L / 2L}")[1]) is int
    assert read("payload.![#this]", {"a": 1}) == [{"a": 1}]
    assert read("#root", 1, {"h": "x"}) == {"payload": 1, "headers": {"h": "x"}}


def test_an_expression_does_not_change_the_event() -> None:
    payload = {"list": [1], "body": {"a": [1]}}
    before = json.dumps(payload)
    read("#jsonPath(payload, '$.list.append(2)')", payload)
    read("payload.list.![#this + 1]", payload)
    assert json.dumps(payload) == before


def test_headers_may_be_any_mapping() -> None:
    from types import MappingProxyType

    headers = MappingProxyType({"source": "shop"})
    assert compile_expression("headers.source + headers['source']")(None, headers) == "shopshop"


def test_random_uuids_differ() -> None:
    expression = compile_expression("#randomUUID()")
    first, second = expression(None, {}), expression(None, {})
    assert first != second
    assert uuid.UUID(first).version == 4


def test_the_clock() -> None:
    now = dt.datetime.now(dt.UTC)
    millis = read("#nowMillis()")
    assert type(millis) is int
    assert abs(millis / 1000 - now.timestamp()) < 60
    text = read("#nowISODateTimeUTC()")
    assert len(text) == len("2021-11-21T08:46:47.123Z")
    assert abs((dt.datetime.fromisoformat(text) - now).total_seconds()) < 60
    assert read("#nowISODateUTC()") == read(
        "#dateTimeISOFormatterUTC(#nowISODateTimeUTC(), 'yyyy-MM-dd')"
    )
    assert read("#nowMillis() / 1000 * 1000 > 2147483647") is True


@pytest.mark.parametrize(
    "text",
    [
        "2021-11-21T08:46:47.123456789Z",
        "2021-11-21t08:46:47z",
        "2021-11-21T08:46:47,5Z",
        "2021-11-21T10:46:47+02:00",
        " 2021-11-21T08:46:47 ",
    ],
)
def test_iso_dates_in_their_forms(text: str) -> None:
    formatted = read("#dateTimeISOFormatterUTC(payload, 'yyyy-MM-dd HH:mm:ss')", text)
    assert formatted == "2021-11-21 08:46:47"


@pytest.mark.parametrize("text", ["2021", "2021-11", "2021-11-21"])
def test_iso_dates_without_a_time(text: str) -> None:
    assert read("#dateTimeISOFormatterUTC(payload, 'yyyy HH')", text) == "2021 00"


@pytest.mark.parametrize(
    "text", ["", "x", "20211121", "2021-W47-1", "2021-11-21 08:46", "2021-11-21T", "1637484407000"]
)
def test_what_is_no_iso_date(text: str) -> None:
    with pytest.raises(ExpressionError, match="no ISO date"):
        read("#dateTimeISOFormatterUTC(payload, 'yyyy')", text)


def test_a_pattern_may_come_from_the_event() -> None:
    assert read("'abc' matches payload", "a.c") is True
    assert read("#jsonPath(payload, payload.path)", {"path": "x[0]", "x": [5]}) == 5
    with pytest.raises(ExpressionError, match="look-around"):
        read("'abc' matches payload", "(?!x)abc")
    with pytest.raises(ExpressionError, match="malformed"):
        read("#safeJsonPath(payload, payload.path)", {"path": "x["})


def test_conditions_stop_where_they_are_decided() -> None:
    assert read("payload == null or payload.x == 1") is True
    assert read("payload != null and payload.x == 1") is False
    assert read("true ? 1 : payload.x") == 1
    assert read("1 ?: payload.x") == 1


def test_one_expression_serves_many_threads() -> None:
    expression = compile_expression("payload.list.?[#this > 1].![#this + #root.payload.add]")
    results: list[Any] = []

    def work(add: int) -> None:
        payload = {"list": [1, 2, 3], "add": add}
        results.extend(expression(payload, {}) == [2 + add, 3 + add] for _ in range(200))

    threads = [threading.Thread(target=work, args=(add,)) for add in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 800
    assert all(results)


@pytest.mark.parametrize(
    "text",
    [
        "payload matches 'a'",
        "'a' matches payload",
        "payload.split('[a-z]')",
        "payload.replaceAll('[a-z]', '')",
        "#jsonPath(payload, '$')",
        "'a' - (payload == null ? 1 : 100)",
    ],
)
def test_half_a_surrogate_pair_is_an_error_where_it_matters(text: str) -> None:
    with pytest.raises(ExpressionError):
        read(text, "\ud800")


def test_the_difference_of_a_character_and_a_number_is_a_character() -> None:
    assert read("'b' - 1") == "a"
