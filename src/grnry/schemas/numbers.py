"""The demands on numbers: `minimum`, `maximum`, their exclusive forms, `multipleOf`."""

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from grnry.schemas.demands import Found, shown
from grnry.schemas.known import Bound, Known
from grnry.schemas.nodes import NUMERIC, Node


def unmet(known: Known, node: Node) -> Iterator[Found]:
    if not known.kinds & NUMERIC:
        return
    lower, upper = node.bounds
    if lower is not None and not _above(known, lower):
        yield _changed("minimum", lower, known.lower)
    if upper is not None and not _under(known, upper):
        yield _changed("maximum", upper, known.upper)
    step = node.value("multipleOf")
    if step is not None and not _divides(known, step):
        steps = known.all_of("multipleOf")
        was = f"was {shown(steps[0])}" if steps else "was not there"
        yield Found(("multipleOf",), f"is {shown(step)} and {was}, which it does not divide")


def _changed(keyword: str, now: Bound, was: Bound | None) -> Found:
    name = f"exclusive{keyword.capitalize()}" if now[1] else keyword
    before = "there was none" if was is None else f"it was {shown(was[0])}"
    if was is not None and was[0] == now[0]:
        before = f"{shown(was[0])} itself was allowed"
    return Found((name,), f"is {shown(now[0])}, and {before}")


def _above(known: Known, demanded: Bound) -> bool:
    if known.lower is None:
        return False
    if known.only_integers:
        return _first_integer(known.lower) >= _first_integer(demanded)
    return known.lower >= demanded


def _under(known: Known, demanded: Bound) -> bool:
    if known.upper is None:
        return False
    if known.only_integers:
        return _last_integer(known.upper) <= _last_integer(demanded)
    (was, was_out), (now, now_out) = known.upper, demanded
    return was < now or (was == now and (was_out or not now_out))


def _first_integer(bound: Bound) -> int:
    value, exclusive = bound
    return math.floor(value) + 1 if exclusive else math.ceil(value)


def _last_integer(bound: Bound) -> int:
    value, exclusive = bound
    return math.ceil(value) - 1 if exclusive else math.floor(value)


def _divides(known: Known, step: float) -> bool:
    """Whether what is known to be a multiple is one of the step."""
    steps = [Fraction(Decimal(str(given))) for given in known.all_of("multipleOf")]
    if known.only_integers:
        steps.append(Fraction(1))
    demanded = Fraction(Decimal(str(step)))
    return any((given / demanded).denominator == 1 for given in steps)
