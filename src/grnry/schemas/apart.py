"""Whether two sets of values have nothing in common, as far as types, values and bounds tell."""

from grnry.schemas.known import Known
from grnry.schemas.nodes import NUMERIC

DEEPEST = 4


def apart(one: Known, other: Known, depth: int = 0) -> bool:
    """True only where no value is in both."""
    both = one.kinds & other.kinds
    if not both or one.impossible or other.impossible:
        return True
    for listed, refusing in ((one, other), (other, one)):
        if listed.values is not None and not any(_in(refusing, value) for value in listed.values):
            return True
    if both <= NUMERIC:
        return _beyond(one, other) or _beyond(other, one)
    return both == {"object"} and depth < DEEPEST and _differ(one, other, depth)


def _in(known: Known, value: object) -> bool:
    return all(node.accepts(value) for node in known.positives)


def _beyond(one: Known, other: Known) -> bool:
    if one.lower is None or other.upper is None:
        return False
    (least, least_out), (most, most_out) = one.lower, other.upper
    return least > most or (least == most and (least_out or most_out))


def _differ(one: Known, other: Known, depth: int) -> bool:
    """Whether a property that is always there in one of them can not be the same in both."""
    return any(
        apart(
            Known(one.property_nodes(name)),
            Known(other.property_nodes(name)),
            depth + 1,
        )
        for name in one.required | other.required
    )
