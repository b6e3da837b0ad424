"""Metadata: an event type's expressions make the headers of an event. Pure."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from grnry.event_types.model import EventType
from grnry.expressions import Expression, ExpressionError, compile_expression
from grnry.log.records import LARGEST_RECORD, Outgoing

Evaluate = Callable[[Any, Mapping[str, str]], Any]

LONGEST_ID = 1024


class Rejected(Exception):  # noqa: N818 - it names what happened to the event
    """The event cannot be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class MetadataExtractor:
    """The compiled expressions of one version of an event type."""

    correlation_id: Expression
    event_id: Expression
    timestamp: Expression
    deletion: Expression | None
    constant_headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, event_type: EventType) -> "MetadataExtractor":
        draft = event_type.draft
        deletion = draft.deletion_expression
        return cls(
            compile_expression(draft.correlation_id_expression or ""),
            compile_expression(draft.event_id_expression or ""),
            compile_expression(draft.timestamp_expression or ""),
            compile_expression(deletion) if deletion and deletion.strip() else None,
            (
                ("grnry-event-type", event_type.name.encode()),
                ("grnry-event-type-version", str(event_type.version).encode()),
                ("grnry-harvester-name", b"na"),
            ),
        )

    def record(self, payload: bytes, headers: Mapping[str, str]) -> Outgoing:
        """What is written for a payload; its bytes stay as they are."""
        if len(payload) > LARGEST_RECORD:
            raise Rejected(f"it has {len(payload)} bytes, and {LARGEST_RECORD} are the most")
        try:
            parsed = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Rejected(f"it is not JSON: {error}") from error
        except RecursionError:
            raise Rejected("it is nested too deeply") from None
        correlation_id = id_of("correlationIdExpression", self.correlation_id, parsed, headers)
        event_id = id_of("eventIdExpression", self.event_id, parsed, headers)
        made = [
            ("grnry-correlation-id", _header(correlation_id)),
            ("grnry-event-id", _header(event_id)),
            *self.constant_headers,
            ("grnry-event-timestamp", b"%d" % time_of(self.timestamp, parsed, headers)),
        ]
        if self.deletion and is_deletion(self.deletion, parsed, headers):
            made.append(("grnry-deletion-flag", b"true"))
        return Outgoing(correlation_id, payload, made)


def is_deletion(expression: Expression, payload: Any, headers: Mapping[str, str]) -> bool:
    value = _value("deletionExpression", expression, payload, headers)
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def time_of(expression: Expression, payload: Any, headers: Mapping[str, str]) -> int:
    """Milliseconds since 1970."""
    value = _value("timestampExpression", expression, payload, headers)
    try:
        number = None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not -(2**63) <= number < 2**63:
        raise Rejected(
            f"timestampExpression gives {_short(value)}, which is not a number of milliseconds"
        )
    return number


def _value(name: str, expression: Expression, payload: Any, headers: Mapping[str, str]) -> Any:
    try:
        return expression(payload, headers)
    except ExpressionError as error:
        raise Rejected(f"{name}: {error}") from error


def id_of(name: str, expression: Expression, payload: Any, headers: Mapping[str, str]) -> bytes:
    """An id: what the expression gives, as text."""
    value = _value(name, expression, payload, headers)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise Rejected(f"{name} gives {_short(value)}, which is no id")
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        raise Rejected(f"{name} gives {_short(value)}, which is no id")
    if "\0" in text:
        raise Rejected(f"{name} gives an id with the character U+0000")
    if len(text) > LONGEST_ID:
        raise Rejected(f"{name} gives an id of more than {LONGEST_ID} characters")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Rejected(f"{name} gives an id with half a surrogate pair") from None


def _header(value: bytes) -> bytes:
    """A value that begins with a quote is quoted, as readers take it for quoted."""
    return msgspec.json.encode(value.decode()) if value.startswith(b'"') else value


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = f"'{value}'" if isinstance(value, str) else _as_json(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, skipkeys=True, default=str)
    except RecursionError:
        return "something that nests deep"
