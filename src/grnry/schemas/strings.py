"""The demands on strings: their length and their pattern."""

from collections.abc import Iterator

from grnry.schemas.demands import Found, shown
from grnry.schemas.known import Known
from grnry.schemas.nodes import Node


def unmet(known: Known, node: Node) -> Iterator[Found]:
    if "string" not in known.kinds:
        return
    yield from at_least(known, node, "minLength")
    yield from at_most(known, node, "maxLength", known.smallest("maxLength"))
    pattern = node.value("pattern")
    if pattern is not None and pattern not in known.all_of("pattern"):
        before = known.all_of("pattern")
        was = f"was {shown(before[0])}" if before else "was not there"
        reason = (
            f"is {shown(pattern)} and {was}; whether all strings that were valid match it "
            "can not be decided, so it counts as a break"
        )
        yield Found(("pattern",), reason)


def at_least(known: Known, node: Node, keyword: str, least: int = 0) -> Iterator[Found]:
    """The demand of a least count, where `least` is known by other means."""
    demanded, was = node.value(keyword), max(known.largest(keyword), least)
    if demanded is not None and demanded > was:
        yield Found((keyword,), f"is {shown(demanded)}, and less was allowed, down to {was:g}")


def at_most(known: Known, node: Node, keyword: str, most: float) -> Iterator[Found]:
    demanded = node.value(keyword)
    if demanded is not None and demanded < most:
        before = "there was none" if most == float("inf") else f"it was {most:g}"
        yield Found((keyword,), f"is {shown(demanded)}, and {before}")
