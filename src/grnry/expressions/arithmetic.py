"""The operators of an expression, with Java's arithmetic as Spring applies it.

The wider operand decides: Integer and Long wrap around at 32 and 64 bits, a division of whole
numbers drops the fraction, a Double never fails.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from grnry.expressions import values
from grnry.expressions.budget import (
    MAX_INTEGER_BITS,
    MAX_REPEATED_LENGTH,
    MAX_TEXT_LENGTH,
    State,
)
from grnry.expressions.errors import Fault
from grnry.expressions.patterns import Pattern, compiled
from grnry.expressions.values import BIG, DOUBLE, INTEGER, LONG, rank, type_name

Operator = Callable[[Any, Any, State], Any]


def _whole(value: int, width: int) -> int:
    """A whole number of the given width; what does not fit wraps around."""
    if width == INTEGER:
        return (value + 2**31) % 2**32 - 2**31
    if width == LONG:
        return values.long((value + 2**63) % 2**64 - 2**63)
    if value.bit_length() > MAX_INTEGER_BITS:
        raise Fault(f"the number has more than {MAX_INTEGER_BITS:,} bits")
    return values.big_integer(value)


def _arithmetic(
    name: str, whole: Callable[[int, int], int], real: Callable[[float, float], float]
) -> Operator:
    def operate(left: Any, right: Any, state: State) -> Any:
        width = max(rank(left), rank(right)) if rank(left) and rank(right) else 0
        if width == DOUBLE:
            return real(values.double(left), values.double(right))
        if width:
            return _whole(whole(int(left), int(right)), width)
        raise Fault(f"can not {name.format(type_name(left), type_name(right))}")

    return operate


def _divide_whole(left: int, right: int) -> int:
    if right == 0:
        raise Fault("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder_whole(left: int, right: int) -> int:
    return left - right * _divide_whole(left, right)


def _divide_real(left: float, right: float) -> float:
    if right:
        return left / right
    if not left or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _remainder_real(left: float, right: float) -> float:
    if not right or math.isinf(left):
        return math.nan
    return math.fmod(left, right)


def _multiply_real(left: float, right: float) -> float:
    return left * right


_add = _arithmetic("add {1} to {0}", int.__add__, float.__add__)
_subtract = _arithmetic("subtract {1} from {0}", int.__sub__, float.__sub__)
_multiply = _arithmetic("multiply {0} by {1}", int.__mul__, _multiply_real)
divide = _arithmetic("divide {0} by {1}", _divide_whole, _divide_real)
remainder = _arithmetic("divide {0} by {1}", _remainder_whole, _remainder_real)


def add(left: Any, right: Any, state: State) -> Any:
    if not (isinstance(left, str) or isinstance(right, str)):
        return _add(left, right, state)
    left_text, right_text = values.joined_text(left, state), values.joined_text(right, state)
    if len(left_text) + len(right_text) > MAX_TEXT_LENGTH:
        raise Fault(f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
    state.spend(1 + len(left_text) // 64 + len(right_text) // 64)
    return left_text + right_text


def _character(code: int) -> str:
    if 0 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF:
        return chr(code)
    raise Fault("there is no such character")


def subtract(left: Any, right: Any, state: State) -> Any:
    if isinstance(left, str) and len(left) == 1 and rank(right) == INTEGER:
        return _character(ord(left) - right)
    return _subtract(left, right, state)


def multiply(left: Any, right: Any, state: State) -> Any:
    if not (isinstance(left, str) and rank(right) == INTEGER):
        return _multiply(left, right, state)
    if right < 0 or len(left) * right > MAX_REPEATED_LENGTH:
        raise Fault(f"a repeated text has from 0 to {MAX_REPEATED_LENGTH} characters")
    return left * right


def power(left: Any, right: Any, state: State) -> Any:
    widths = rank(left), rank(right)
    if not all(widths):
        raise Fault(f"can not raise {type_name(left)} to the power of {type_name(right)}")
    if widths[0] == BIG:
        return _power_of_big(int(left), right)
    result = _power_real(values.double(left), values.double(right))
    if DOUBLE in widths:
        return result
    if result > values.MAX_INT or LONG in widths:
        return values.long(values.bounded(result, values.MIN_LONG, values.MAX_LONG))
    return values.bounded(result, values.MIN_INT, values.MAX_INT)


def _power_of_big(base: int, exponent: Any) -> int:
    times = values.int_value(exponent)
    if times < 0 or base.bit_length() * times > MAX_INTEGER_BITS:
        raise Fault(f"the number has more than {MAX_INTEGER_BITS:,} bits")
    return values.big_integer(base**times)


def _power_real(base: float, exponent: float) -> float:
    if math.isnan(exponent) or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    try:
        return math.pow(base, exponent)
    except ValueError:
        return math.inf if base == 0 else math.nan
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf


def negate(value: Any) -> Any:
    width = rank(value)
    if width == DOUBLE:
        return 0 - value
    if width:
        return _whole(-int(value), width)
    raise Fault(f"can not negate {type_name(value)}")


def plus(value: Any) -> Any:
    if rank(value):
        return value
    raise Fault(f"{type_name(value)} has no sign")


def constant_pattern(value: Any) -> Pattern:
    if not isinstance(value, str):
        raise Fault(f"{type_name(value)} is no pattern: a string is")
    return compiled(value)


def matched_text(value: Any, state: State) -> str:
    if value is None:
        raise Fault("null can not be matched with a pattern")
    return values.converted_text(value, state)


def matches(left: Any, right: Any, state: State) -> bool:
    text = matched_text(left, state)
    state.compile(right if isinstance(right, str) else "")
    return constant_pattern(right).matches(text, state)


def between(left: Any, right: Any, state: State) -> bool:
    if not isinstance(right, list) or len(right) != 2:
        raise Fault("'between' needs a list of two values")
    return values.compare(left, right[0]) >= 0 and values.compare(left, right[1]) <= 0


def _comparison(holds: Callable[[Any, Any], bool]) -> Operator:
    def compare(left: Any, right: Any, state: State) -> bool:
        if rank(left) and rank(right):
            return holds(*values.aligned(left, right))
        return holds(values.compare(left, right), 0)

    return compare


BINARY: dict[str, Operator] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "^": power,
    "==": values.equal,
    "!=": lambda left, right, state: not values.equal(left, right, state),
    "<": _comparison(operator.lt),
    "<=": _comparison(operator.le),
    ">": _comparison(operator.gt),
    ">=": _comparison(operator.ge),
    "matches": matches,
    "between": between,
}
UNARY: dict[str, Callable[[Any], Any]] = {
    "-": negate,
    "+": plus,
    "!": lambda value: not values.boolean(value),
}
