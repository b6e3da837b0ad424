"""Expressions tried out on an event, before an event type is made of them. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from grnry.errors import BadInput, Problem
from grnry.events.metadata import Rejected, id_of, is_deletion, time_of
from grnry.expressions import Expression, ExpressionSyntaxError, compile_expression

Result = str | int | bool
Make = Callable[[Expression, Any, Mapping[str, str]], Result]


def _id(name: str) -> Make:
    def make(expression: Expression, payload: Any, headers: Mapping[str, str]) -> Result:
        return id_of(name, expression, payload, headers).decode()

    return make


MADE: Mapping[str, tuple[str, Make]] = {
    "correlationIdExpression": ("correlationId", _id("correlationIdExpression")),
    "eventIdExpression": ("eventId", _id("eventIdExpression")),
    "timestampExpression": ("timestamp", time_of),
    "deletionExpression": ("deletion", is_deletion),
}
"""What each expression makes."""


def evaluate(
    expressions: Mapping[str, str], payload: Any, headers: Mapping[str, str]
) -> dict[str, Result]:
    """What the expressions make of an event; `BadInput` names all that fail, and where."""
    problems: list[Problem] = []
    results: dict[str, Result] = {}
    for name, text in expressions.items():
        made, make = MADE[name]
        try:
            results[made] = make(compile_expression(text), payload, headers)
        except ExpressionSyntaxError as error:
            problems.append(Problem(name, f"is not a valid expression: {error}"))
        except Rejected as error:
            problems.append(Problem(name, str(error).removeprefix(name).lstrip(": ")))
    if problems:
        raise BadInput(problems)
    return results
