"""JSON values as the Java types that Spring sees: numbers, texts, conversions, comparisons.

A plain `int` is an Integer, a Long or a BigInteger by its size, as Jackson reads JSON. What is
wider than its size says (`5L`, or a small result of Long arithmetic) is a `Long` or `BigInteger`
here. A `float` is a Double.
"""

import math
from collections.abc import Iterable
from typing import Any

from grnry.expressions.budget import MAX_TEXT_LENGTH, State
from grnry.expressions.errors import Fault

MIN_INT, MAX_INT = -(2**31), 2**31 - 1
MIN_LONG, MAX_LONG = -(2**63), 2**63 - 1

INTEGER, LONG, BIG, DOUBLE = 1, 2, 3, 4
TRUE_TEXTS = frozenset({"true", "on", "yes", "1"})
FALSE_TEXTS = frozenset({"false", "off", "no", "0"})


class Long(int):
    """A Long that would be an Integer by its size."""

    __slots__ = ()


class BigInteger(int):
    """A BigInteger that would be a Long or an Integer by its size."""

    __slots__ = ()


class Entry:
    """An entry of a map, which a selection or a projection over the map sees."""

    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value


def rank(value: Any) -> int:
    """The width of a number, or 0 for what is none."""
    kind = type(value)
    if kind is int:
        if MIN_INT <= value <= MAX_INT:
            return INTEGER
        return LONG if MIN_LONG <= value <= MAX_LONG else BIG
    if kind is float:
        return DOUBLE
    if kind is Long:
        return LONG
    return BIG if kind is BigInteger else 0


def long(value: int) -> int:
    return Long(value) if MIN_INT <= value <= MAX_INT else value


def big_integer(value: int) -> int:
    return BigInteger(value) if MIN_LONG <= value <= MAX_LONG else value


def double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def int_value(number: Any) -> int:
    """A number as an Integer: a fraction is cut off, what does not fit is bounded or cut."""
    if isinstance(number, float):
        return bounded(number, MIN_INT, MAX_INT)
    return int(number + 2**31) % 2**32 - 2**31


def long_value(number: Any) -> int:
    if isinstance(number, float):
        return long(bounded(number, MIN_LONG, MAX_LONG))
    return long(int(number + 2**63) % 2**64 - 2**63)


def bounded(number: Any, least: int, most: int) -> int:
    """A number as a whole number between two bounds; NaN is zero."""
    if isinstance(number, float) and math.isnan(number):
        return 0
    return least if number <= least else most if number >= most else int(number)


def type_name(value: Any) -> str:
    """What a user calls the value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def double_text(value: float) -> str:
    """A double as Java writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = f"{value:.17f}".rstrip("0") if "e" in repr(value) else repr(value)
        return text if "." in text else f"{text}.0"
    mantissa, _, exponent = repr(value).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    shift = len(whole) - 1 if whole != "0" else len(digits) - len(fraction) - 1
    power = shift + int(exponent or 0)
    return f"{sign}{digits[0]}.{digits[1:].rstrip('0') or '0'}E{power}"


def text(value: Any, state: State) -> str:
    """A value as Java's `String.valueOf` gives it."""
    if type(value) is str:
        return value
    pieces: list[str] = []
    _write(value, state, pieces, MAX_TEXT_LENGTH)
    return "".join(pieces)


def _write(value: Any, state: State, pieces: list[str], room: int) -> int:
    if isinstance(value, dict):
        entries = [_entry_parts(key, element) for key, element in value.items()]
        return _write_all(entries, "{}", state, pieces, room)
    if isinstance(value, list):
        return _write_all([(element,) for element in value], "[]", state, pieces, room)
    if isinstance(value, Entry):
        return _write_all([_entry_parts(value.key, value.value)], ("", ""), state, pieces, room)
    piece = _scalar_text(value)
    room -= len(piece)
    if room < 0:
        raise Fault(f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
    pieces.append(piece)
    return room


def _entry_parts(key: Any, element: Any) -> tuple[Any, ...]:
    return key, "=", element


def _write_all(
    groups: Iterable[tuple[Any, ...]],
    brackets: str | tuple[str, str],
    state: State,
    pieces: list[str],
    room: int,
) -> int:
    pieces.append(brackets[0])
    for index, group in enumerate(groups):
        state.spend(1)
        if index:
            pieces.append(", ")
        for part in group:
            room = _write(part, state, pieces, room - 2)
    pieces.append(brackets[1])
    return room


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return double_text(value)
    try:
        return int.__repr__(value)
    except ValueError:
        raise Fault("the number has too many digits to write") from None


def converted_text(value: Any, state: State) -> str:
    """A value where a string is due."""
    if isinstance(value, dict | Entry):
        raise Fault("an object is no string")
    return joined_text(value, state)


def joined_text(value: Any, state: State) -> str:
    """A value as Spring adds it to a string: the elements of a list, joined by commas."""
    if not isinstance(value, list):
        return text(value, state)
    pieces: list[str] = []
    room = MAX_TEXT_LENGTH
    for index, element in enumerate(value):
        state.spend(1)
        if isinstance(element, dict | Entry):
            raise Fault("a list of objects can not be made a string")
        if index:
            pieces.append(",")
        pieces.append(joined_text(element, state))
        room -= len(pieces[-1]) + 1
        if room < 0:
            raise Fault(f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
    return "".join(pieces)


def boolean(value: Any) -> bool:
    """A value as a condition."""
    if value is True or value is False:
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in TRUE_TEXTS:
            return True
        if word in FALSE_TEXTS:
            return False
        raise Fault("a string that is neither 'true' nor 'false' is no condition")
    raise Fault(f"{type_name(value)} is no condition: true or false is")


def integer(value: Any) -> int:
    """A value as an index or a count."""
    if rank(value):
        whole = bounded(value, MIN_LONG, MAX_LONG)
    elif isinstance(value, str):
        whole = _parsed_integer(value)
    else:
        raise Fault(f"{type_name(value)} is no whole number")
    if not MIN_INT <= whole <= MAX_INT:
        raise Fault("the number does not fit into an integer")
    return whole


def _parsed_integer(value: str) -> int:
    try:
        return int(value[:20].strip(), 10)
    except ValueError:
        raise Fault("the string is no whole number") from None


def equal(left: Any, right: Any, state: State) -> bool:
    """The `==` of an expression."""
    if rank(left) and rank(right):
        left, right = aligned(left, right)
        return bool(left == right)
    return same(left, right, state)


def same(left: Any, right: Any, state: State) -> bool:
    """Java's `equals`: an Integer is no Long, a 1 is no true, lists and maps by element."""
    state.spend(1)
    if isinstance(left, dict):
        return isinstance(right, dict) and _same_maps(left, right, state)
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(same(one, other, state) for one, other in zip(left, right, strict=True))
        )
    if rank(left) or rank(right):
        return rank(left) == rank(right) and bool(left == right)
    return type(left) is type(right) and bool(left == right)


def _same_maps(left: dict[Any, Any], right: dict[Any, Any], state: State) -> bool:
    return len(left) == len(right) and all(
        key in right and same(value, right[key], state) for key, value in left.items()
    )


def aligned(left: Any, right: Any) -> tuple[Any, Any]:
    """Two numbers, both doubles where one is."""
    if isinstance(left, float) or isinstance(right, float):
        return double(left), double(right)
    return left, right


def compare(left: Any, right: Any) -> int:
    """Below zero, zero or above, as Java's comparison; null is the least."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if rank(left) and rank(right):
        left, right = aligned(left, right)
    elif not (type(left) is type(right) and isinstance(left, str | bool)):
        raise Fault(f"{type_name(left)} can not be compared with {type_name(right)}")
    if left != left or right != right:  # noqa: PLR0124 - NaN is the greatest, for Java
        return bool(left != left) - bool(right != right)  # noqa: PLR0124
    return bool(left > right) - bool(left < right)
