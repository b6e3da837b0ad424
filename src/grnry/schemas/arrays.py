"""The demands on arrays: how many items, which, and whether each once."""

from collections.abc import Iterator

from grnry.schemas.demands import Compare, Found, below
from grnry.schemas.known import Known
from grnry.schemas.nodes import Node
from grnry.schemas.rules import ArrayRule, array_rules
from grnry.schemas.strings import at_least, at_most

UNEVALUATED = "unevaluatedItems"


def unmet(known: Known, node: Node, compare: Compare) -> Iterator[Found]:
    if "array" not in known.kinds:
        return
    yield from at_least(known, node, "minItems")
    yield from at_most(known, node, "maxItems", known.most_items)
    unique = known.most_items <= 1 or True in known.all_of("uniqueItems")
    if node.value("uniqueItems") and not unique:
        yield Found(("uniqueItems",), "allows each item once only now")
    rules = list(array_rules(node))
    for rule in rules:
        yield from _unmet_items(known, node, rule, compare)
    if _undecided(node, rules):
        yield Found((UNEVALUATED,), "can not be compared here, so it counts as a break")
    yield from _unmet_contains(known, node, compare)


def _unmet_items(known: Known, node: Node, rule: ArrayRule, compare: Compare) -> Iterator[Found]:
    longest = max([len(rule.prefix), *(len(own.prefix) for own in known.array_rules)])
    for index in range(longest + 1):
        if index >= known.most_items:
            return
        demanded = rule.at(index)
        if demanded is None:
            continue
        found = compare(known.of_item(index), demanded)
        if index < len(rule.prefix):
            yield from below((node.prefix_keyword, str(index)), found)
        elif found and demanded.is_false:
            reason = f"refuses more than {len(rule.prefix)} items, which were allowed"
            yield Found((rule.keyword,), reason)
            return
        else:
            yield from below((rule.keyword,), found)


def _undecided(node: Node, rules: list[ArrayRule]) -> bool:
    if node.unevaluated_items is None or node.unevaluated_items.raw is True:
        return False
    return node.items is None and not any(rule.keyword == UNEVALUATED for rule in rules)


def _unmet_contains(known: Known, node: Node, compare: Compare) -> Iterator[Found]:
    if node.contains is None:
        return
    least, most = node.value("minContains"), node.value("maxContains")
    if least != 0 and not any(
        _assures(member, node, 1 if least is None else least, compare) for member in known.flat
    ):
        yield Found(("contains",), "asks for items that need not have been there")
    limited = most is None or known.most_items <= most
    if not limited and not any(_limits(member, node, most, compare) for member in known.flat):
        yield Found(("maxContains",), "limits items that were not limited so")


def _assures(member: Node, node: Node, least: int, compare: Compare) -> bool:
    if member.contains is None or node.contains is None:
        return False
    own = member.value("minContains")
    if (1 if own is None else own) < least:
        return False
    return not compare(Known([member.contains]), node.contains)


def _limits(member: Node, node: Node, most: int, compare: Compare) -> bool:
    own = member.value("maxContains")
    if member.contains is None or node.contains is None or own is None or own > most:
        return False
    return not compare(Known([node.contains]), member.contains)
