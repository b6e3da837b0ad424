from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.event_types.model import Draft, EventType
from grnry.events.metadata import MetadataExtractor, Rejected
from grnry.log.records import Outgoing
from grnry.persisters.rows import unquoted


def extractor(**expressions: str) -> MetadataExtractor:
    given = {
        "correlation_id_expression": "payload.user",
        "event_id_expression": "payload.id",
        "timestamp_expression": "payload.at ?: 7",
        **expressions,
    }
    now = datetime.now(UTC)
    draft = Draft("Calls", **given)  # type: ignore[arg-type]
    return MetadataExtractor.of(
        EventType("calls", "global", 3, draft, "grnry_data_in_calls", now, {}, now, {})
    )


def record(payload: bytes, **expressions: str) -> Outgoing:
    return extractor(**expressions).record(payload, {"x": "1"})


def headers(payload: bytes, **expressions: str) -> dict[str, Any]:
    return dict(record(payload, **expressions).headers)


def test_headers_key_and_bytes() -> None:
    payload = b' {"user": "u1",  "id": 12345678901234567890123}'
    made = record(payload)
    assert (made.key, made.value) == (b"u1", payload)
    assert dict(made.headers) == {
        "grnry-correlation-id": b"u1",
        "grnry-event-id": b"12345678901234567890123",
        "grnry-event-type": b"calls",
        "grnry-event-type-version": b"3",
        "grnry-harvester-name": b"na",
        "grnry-event-timestamp": b"7",
    }


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "it is not JSON"),
        (b"", "it is not JSON"),
        (b'{"user": "\xff"}', "it is not JSON"),
        (b'{"user": "\\ud800"}', "it is not JSON"),
        (b"[" * 50_000, "it is nested too deeply"),
        (b"{}", "correlationIdExpression gives nothing, which is no id"),
        (b'{"user": ""}', "correlationIdExpression gives '', which is no id"),
        (b'{"user": true}', "correlationIdExpression gives true, which is no id"),
        (b'{"user": {}}', "correlationIdExpression gives {}, which is no id"),
        (b'{"user": "u"}', "eventIdExpression gives nothing, which is no id"),
        (b'{"user": "u", "id": "a\\u0000"}', "eventIdExpression gives an id with the character U"),
        (b'{"user": "u", "id": "%s"}' % (b"x" * 1025), "an id of more than 1024 characters"),
        (b'{"user": "u", "id": 1, "at": "noon"}', "timestampExpression gives 'noon', which is"),
        (b'{"user": "u", "id": 1, "at": true}', "timestampExpression gives true, which is"),
        (b'{"user": "u", "id": 1, "at": 9223372036854775808}', "is not a number of milliseconds"),
        (b'{"user": "u", "id": 1, "at": {}}', "timestampExpression gives {}, which is"),
    ],
)
def test_why_an_event_is_rejected(payload: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        record(payload)
    assert reason in str(rejected.value)


def test_an_expression_that_fails_is_named() -> None:
    with pytest.raises(Rejected, match=r"^eventIdExpression: "):
        record(b'{"user": "u"}', event_id_expression="#jsonPath(payload, 'missing')")


@pytest.mark.parametrize(
    ("number", "text"), [(b"1", b"1"), (b"-5", b"-5"), (b"1.5", b"1.5"), (b"0", b"0")]
)
def test_numbers_are_ids_as_json_writes_them(number: bytes, text: bytes) -> None:
    assert headers(b'{"user": "u", "id": %s}' % number)["grnry-event-id"] == text


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_the_reader_of_a_header_finds_the_id_that_the_event_has(text: str) -> None:
    import json

    made = record(json.dumps({"user": text, "id": text}).encode())
    named = dict(made.headers)
    assert made.key == text.encode()
    for name in ("grnry-correlation-id", "grnry-event-id"):
        assert unquoted(named[name] or b"") == text.encode()


@pytest.mark.parametrize(
    ("value", "is_deletion"),
    [
        (b"true", True),
        (b'"true"', True),
        (b"false", False),
        (b'"false"', False),
        (b"null", False),
        (b'""', False),
        (b"1", False),
    ],
)
def test_deletions(value: bytes, *, is_deletion: bool) -> None:
    payload = b'{"user": "u", "id": 1, "gone": %s}' % value
    named = headers(payload, deletion_expression="payload.gone")
    assert named.get("grnry-deletion-flag") == (b"true" if is_deletion else None)
    assert "grnry-deletion-flag" not in headers(payload)


def test_expressions_see_the_headers_of_the_request() -> None:
    assert headers(b'{"id": 1}', correlation_id_expression="headers['x']") == {
        **headers(b'{"user": "1", "id": 1}')
    }
