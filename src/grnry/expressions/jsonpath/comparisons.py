"""The comparisons of a filter: Jayway's, which convert strings and numbers into each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from grnry.expressions import values
from grnry.expressions.budget import State
from grnry.expressions.errors import Fault
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


def _in(left: Any, right: Any, state: State) -> bool:
    return isinstance(right, list) and _contained(left, right, state)


def _not_in(left: Any, right: Any, state: State) -> bool:
    return isinstance(right, list | dict) and not _in(left, right, state)


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


def _subset(left: Any, right: Any, state: State) -> bool:
    lists = isinstance(left, list) and isinstance(right, list)
    return lists and all(_contained(element, right, state) for element in left)


def _any_of(left: Any, right: Any, state: State) -> bool:
    lists = isinstance(left, list) and isinstance(right, list)
    return lists and any(_contained(element, right, state) for element in left)


def _none_of(left: Any, right: Any, state: State) -> bool:
    lists = isinstance(left, list) and isinstance(right, list)
    return lists and not _any_of(left, right, state)


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
    "nin": _not_in,
    "contains": _contains,
    "all": _all,
    "size": _size,
    "empty": _empty,
    "subsetof": _subset,
    "anyof": _any_of,
    "noneof": _none_of,
}
