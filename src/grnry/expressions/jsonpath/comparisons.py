"""The comparisons of a filter: Jayway's, which convert strings and numbers into each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from grnry.expressions import values
from grnry.expressions.budget import State
from grnry.expressions.errors import Fault
from grnry.expressions.jsonpath.tokens import NoVerdictFault
from grnry.expressions.patterns import compiled
from grnry.expressions.values import rank


class Undefined:
    """What a path gives that finds nothing: it equals nothing, itself included."""


UNDEFINED: Final = Undefined()
FLAGS = frozenset("ims")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`/…/i`."""

    expression: str

    @classmethod
    def of(cls, expression: str, flags: str) -> "Pattern":
        if set(flags) - FLAGS:
            raise Fault(f"the flags '{flags}' are not supported; i, m and s are")
        pattern = cls(f"(?{flags}:{expression})" if flags else expression)
        compiled(pattern.expression)
        return pattern

    def matches(self, value: Any, state: State) -> bool:
        is_text = isinstance(value, str | bool) or rank(value) > 0
        text = values.text(value, state) if is_text else ""
        return compiled(self.expression).matches(text, state)


def _number(text: str) -> float | None:
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        return None


def _equal(left: Any, right: Any, state: State) -> bool:
    if isinstance(left, str):
        if rank(right):
            return left == values.text(right, state)
        return isinstance(right, str) and left == right
    if rank(left):
        other = _number(right) if isinstance(right, str) else right
        return rank(other) > 0 and bool(left == other)
    if left is UNDEFINED or right is UNDEFINED:
        return False
    return values.same(left, right, state)


def _kind(value: Any) -> Any:
    return "number" if rank(value) else type(value)


def _strictly_equal(left: Any, right: Any, state: State) -> bool:
    return _kind(left) == _kind(right) and _equal(left, right, state)


def _order(holds: Callable[[Any, Any], bool]) -> "Compare":
    def compare(left: Any, right: Any, state: State) -> bool:
        comparable = (rank(left) and rank(right)) or (
            isinstance(left, str) and isinstance(right, str)
        )
        return bool(comparable) and holds(left, right)

    return compare


def _contained(value: Any, elements: list[Any], state: State) -> bool:
    state.spend(1 + len(elements))
    return any(_equal(value, element, state) for element in elements)


def _list(value: Any) -> list[Any] | None:
    """A list; None for an object, and no verdict on what is neither."""
    if isinstance(value, list | dict):
        return value if isinstance(value, list) else None
    raise NoVerdictFault("the condition needs a list")


def _in(left: Any, right: Any, state: State) -> bool:
    elements = _list(right)
    return elements is not None and _contained(left, elements, state)


def _contains(left: Any, right: Any, state: State) -> bool:
    if isinstance(left, str):
        state.read(left)
        return isinstance(right, str) and right in left
    return isinstance(left, list) and _contained(right, left, state)


def _all(left: Any, right: Any, state: State) -> bool:
    return (
        isinstance(left, list)
        and isinstance(right, list)
        and all(_contained(element, left, state) for element in right)
    )


def _size(left: Any, right: Any, state: State) -> bool:
    return rank(right) > 0 and isinstance(left, str | list) and len(left) == int(right)


def _empty(left: Any, right: Any, state: State) -> bool:
    return isinstance(left, str | list | dict) and (not left) == right


def _over_lists(holds: Callable[[list[Any], list[Any], State], bool]) -> "Compare":
    def compare(left: Any, right: Any, state: State) -> bool:
        of_right = _list(right)
        of_left = _list(left) if of_right is not None else None
        return of_left is not None and of_right is not None and holds(of_left, of_right, state)

    return compare


def _subset(left: list[Any], right: list[Any], state: State) -> bool:
    return all(_contained(element, right, state) for element in left)


def _any_of(left: list[Any], right: list[Any], state: State) -> bool:
    return any(_contained(element, right, state) for element in left)


def _matches(left: Any, right: Any, state: State) -> bool:
    pattern, value = (left, right) if isinstance(left, Pattern) else (right, left)
    if not isinstance(pattern, Pattern) or isinstance(value, Pattern):
        return False
    if isinstance(value, list):
        return any(pattern.matches(element, state) for element in value)
    return pattern.matches(value, state)


Compare = Callable[[Any, Any, State], bool]

COMPARISONS: dict[str, Compare] = {
    "==": _equal,
    "!=": lambda left, right, state: not _equal(left, right, state),
    "===": _strictly_equal,
    "!==": lambda left, right, state: not _strictly_equal(left, right, state),
    "<": _order(lambda left, right: bool(left < right)),
    "<=": _order(lambda left, right: bool(left <= right)),
    ">": _order(lambda left, right: bool(left > right)),
    ">=": _order(lambda left, right: bool(left >= right)),
    "=~": _matches,
    "in": _in,
    "nin": lambda left, right, state: not _in(left, right, state),
    "contains": _contains,
    "all": _all,
    "size": _size,
    "empty": _empty,
    "subsetof": _over_lists(_subset),
    "anyof": _over_lists(_any_of),
    "noneof": _over_lists(lambda left, right, state: not _any_of(left, right, state)),
}
