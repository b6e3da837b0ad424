"""The functions of an expression: `#jsonPath(payload, 'a.b')` and the others."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from grnry.expressions import dates, json_text, values
from grnry.expressions.budget import State
from grnry.expressions.errors import Fault, MissingFault
from grnry.expressions.jsonpath import JsonPath, compile_path

# What a function becomes for one constant second argument: (first argument, state) -> value.
Bound = Callable[[Any, State], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its number of arguments; `bind` prepares a constant second argument."""

    signature: str
    arity: int
    call: Callable[..., Any]
    bind: Callable[[str], Bound] | None = None


def _text(value: Any, what: str, state: State) -> str:
    if value is None:
        raise Fault(f"the {what} is null")
    return values.converted_text(value, state)


def _read_json_path(path: JsonPath, document: Any, state: State) -> Any:
    if document is None:
        raise Fault("there is no document: the first argument is null")
    if type(document) is str:
        document = json_text.parse(document, state)
    return path(document, state)


def _bind_json_path(text: str) -> Bound:
    path = compile_path(text)
    return lambda document, state: _read_json_path(path, document, state)


def _bind_safe_json_path(text: str) -> Bound:
    path = compile_path(text)
    parse = json_text.parse_or_none

    def read(document: Any, state: State) -> Any:
        if type(document) is str:
            document = parse(document, state)
        if document is None:
            return None
        try:
            return path(document, state)
        except MissingFault:
            return None

    return read


_json_path = lru_cache(maxsize=100)(_bind_json_path)
_safe_json_path = lru_cache(maxsize=100)(_bind_safe_json_path)


def _bind_date_format(pattern: str) -> Bound:
    write = dates.formatter(pattern)

    def format_date(text: Any, state: State) -> str:
        return write(dates.parse_iso(_text(text, "date", state)))

    return format_date


def _call_bound(bind: Callable[[str], Bound], what: str) -> Callable[..., Any]:
    def call(state: State, first: Any, second: Any) -> Any:
        text = _text(second, what, state)
        state.compile(text)
        return bind(text)(first, state)

    return call


FUNCTIONS = {
    "jsonPath": Function(
        "#jsonPath(object, path)", 2, _call_bound(_json_path, "path"), _bind_json_path
    ),
    "safeJsonPath": Function(
        "#safeJsonPath(object, path)",
        2,
        _call_bound(_safe_json_path, "path"),
        _bind_safe_json_path,
    ),
    "randomUUID": Function("#randomUUID()", 0, lambda state: str(uuid.uuid4())),
    "nowMillis": Function("#nowMillis()", 0, lambda state: dates.now_millis()),
    "nowISODateTimeUTC": Function("#nowISODateTimeUTC()", 0, lambda state: dates.now_date_time()),
    "nowISODateUTC": Function("#nowISODateUTC()", 0, lambda state: dates.now_date()),
    "dateTimeISOFormatterUTC": Function(
        "#dateTimeISOFormatterUTC(text, pattern)",
        2,
        _call_bound(_bind_date_format, "pattern"),
        _bind_date_format,
    ),
}
