"""The functions at the end of a JSON path, such as `length()` and `sum()`."""

import math
from collections.abc import Callable
from typing import Any

from grnry.expressions.budget import MAX_TEXT_LENGTH, State
from grnry.expressions.errors import Fault, MissingFault
from grnry.expressions.values import double, rank, text

PathFunction = Callable[[Any, list[Any], State], Any]


def _numbers(value: Any) -> list[float]:
    """The numbers of a list; what is no number does not count."""
    elements = value if isinstance(value, list) else [value]
    return [double(element) for element in elements if rank(element)]


def _aggregate(calculate: Callable[[list[float]], float]) -> PathFunction:
    def function(model: Any, arguments: list[Any], state: State) -> Any:
        numbers = _numbers(model) if isinstance(model, list) else []
        for argument in arguments:
            numbers += _numbers(argument)
        state.spend(len(numbers))
        if not numbers:
            raise Fault("the path's function has no numbers to calculate with")
        return calculate(numbers)

    return function


def _sum(numbers: list[float]) -> float:
    total = 0.0
    for number in numbers:
        total += number
    return total


def _average(numbers: list[float]) -> float:
    return _sum(numbers) / len(numbers)


def _deviation(numbers: list[float]) -> float:
    count = len(numbers)
    total = _sum(numbers)
    variance = _sum([number * number for number in numbers]) / count - total * total / count / count
    return math.sqrt(variance) if variance >= 0 else math.nan


def _concat(model: Any, arguments: list[Any], state: State) -> str:
    pieces = [part for part in model if isinstance(part, str)] if isinstance(model, list) else []
    for argument in arguments:
        if isinstance(argument, list):
            pieces += [text(part, state) for part in argument if part is not None]
        elif argument is not None:
            pieces.append(text(argument, state))
    state.spend(len(pieces))
    if sum(map(len, pieces)) > MAX_TEXT_LENGTH:
        raise Fault(f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
    return "".join(pieces)


def _length(model: Any, arguments: list[Any], state: State) -> int | None:
    measured = arguments[0] if arguments and isinstance(arguments[0], list) else model
    return len(measured) if isinstance(measured, list | dict) else None


def _append(model: Any, arguments: list[Any], state: State) -> Any:
    if not isinstance(model, list):
        return model
    state.spend(len(model))
    return [*model, *arguments]


def _keys(model: Any, arguments: list[Any], state: State) -> list[str] | None:
    if not isinstance(model, dict):
        return None
    state.spend(len(model))
    return list(model)


def _element(model: Any, index: int) -> Any:
    if not isinstance(model, list):
        raise Fault("the path's function needs a list")
    if not -len(model) <= index < len(model):
        raise MissingFault(f"the list has no element {index}")
    return model[index]


def _index(model: Any, arguments: list[Any], state: State) -> Any:
    numbers = _numbers(arguments)
    if not numbers:
        raise Fault("the path's function 'index' needs a number")
    return _element(model, int(numbers[0]))


FUNCTIONS: dict[str, PathFunction] = {
    "min": _aggregate(min),
    "max": _aggregate(max),
    "avg": _aggregate(_average),
    "stddev": _aggregate(_deviation),
    "sum": _aggregate(_sum),
    "concat": _concat,
    "length": _length,
    "size": _length,
    "append": _append,
    "keys": _keys,
    "first": lambda model, arguments, state: _element(model, 0),
    "last": lambda model, arguments, state: _element(model, -1),
    "index": _index,
}
