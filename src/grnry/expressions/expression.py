"""A compiled expression, and the two steps from text to value."""

from collections.abc import Mapping
from typing import Any

from grnry.expressions.budget import MAX_RESULT_VALUES, State
from grnry.expressions.compiler import Closure, compile_node
from grnry.expressions.errors import Fault, Source
from grnry.expressions.parser import parse
from grnry.expressions.paths import EVENT
from grnry.expressions.values import Entry

_SCALARS = frozenset({str, int, float, bool, type(None)})


class Expression:
    """An expression that reads an event: immutable, compiled once, for any number of threads."""

    __slots__ = ("_closure", "_source", "text")

    text: str
    _closure: Closure
    _source: Source

    def __init__(self, source: Source, closure: Closure) -> None:
        object.__setattr__(self, "text", source.text)
        object.__setattr__(self, "_source", source)
        object.__setattr__(self, "_closure", closure)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an expression can not change: '{name}' is not set")

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __call__(self, payload: Any, headers: Mapping[str, str]) -> Any:
        """The value for one event; raises `ExpressionError` where there is none."""
        state = State(payload, headers if type(headers) is dict else dict(headers))
        try:
            value = self._closure(state, EVENT)
            return value if type(value) in _SCALARS else plain(value)
        except Fault as fault:
            raise self._source.error(0, fault.message) from None
        except RecursionError:
            raise self._source.error(0, "the event nests too deep for the expression") from None


def plain(value: Any) -> Any:
    """A value without the types of the evaluation, within the bounds of a result."""
    return _plain(value, [MAX_RESULT_VALUES])


def _plain(value: Any, room: list[int]) -> Any:
    room[0] -= 1
    if room[0] < 0:
        raise Fault(f"the result has more than {MAX_RESULT_VALUES:,} values")
    if type(value) in _SCALARS:
        return value
    if isinstance(value, list):
        return [_plain(element, room) for element in value]
    if isinstance(value, dict):
        return {key: _plain(element, room) for key, element in value.items()}
    if isinstance(value, Entry):
        return {value.key: _plain(value.value, room)}
    return int(value)


def compile_expression(text: str) -> Expression:
    """The expression of a text; raises `ExpressionSyntaxError` where it is none."""
    source = Source(text)
    try:
        return Expression(source, compile_node(source, parse(source)))
    except RecursionError:
        raise source.syntax_error(0, "the expression nests too deep") from None
