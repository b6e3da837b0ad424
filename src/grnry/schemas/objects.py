"""The demands on objects: which properties there must be, may be, and what they hold."""

from collections.abc import Iterator

from grnry.schemas.demands import Compare, Found, below
from grnry.schemas.known import Known
from grnry.schemas.nodes import Node, any_string
from grnry.schemas.rules import ObjectRule, evaluates_everything, object_rules
from grnry.schemas.strings import at_least, at_most

UNEVALUATED = "unevaluatedProperties"


def unmet(known: Known, node: Node, compare: Compare) -> Iterator[Found]:
    if "object" not in known.kinds:
        return
    yield from _unmet_required(known, node)
    yield from at_least(known, node, "minProperties", len(known.required))
    yield from at_most(known, node, "maxProperties", known.most_properties)
    rules = list(object_rules(node))
    for rule in rules:
        yield from _unmet_properties(known, rule, compare)
        yield from _unmet_patterns(known, rule, compare)
        yield from _unmet_additional(known, rule, compare)
    if _undecided(node, rules):
        yield Found((UNEVALUATED,), "can not be compared here, so it counts as a break")
    yield from _unmet_names(known, node, compare)
    yield from _unmet_dependencies(known, node, compare)


def _unmet_required(known: Known, node: Node) -> Iterator[Found]:
    for name in node.value("required") or ():
        if name not in known.required:
            reason = "is required now and was not; give it a default, or leave it optional"
            yield Found(("required", name), reason)


def _unmet_properties(known: Known, rule: ObjectRule, compare: Compare) -> Iterator[Found]:
    for name, node in rule.properties.items():
        if known.absent(name):
            continue
        premises = known.property_nodes(name)
        found = compare(known.of_property(name), node)
        if found and not premises:
            reason = "is new, and records could hold anything under that name before"
            yield Found(("properties", name), reason)
        else:
            yield from below(("properties", name), found)


def _unmet_patterns(known: Known, rule: ObjectRule, compare: Compare) -> Iterator[Found]:
    for pattern, node in rule.patterns.items():
        steps = ("patternProperties", pattern)
        single = ObjectRule({}, {pattern: node}, None)
        for name in known.declared:
            if single.covers(name) and not known.forbids(name):
                yield from below(steps, compare(known.of_property(name), node))
        yield from below(steps, _unmet_elsewhere(known, node, compare, only=pattern))


def _unmet_additional(known: Known, rule: ObjectRule, compare: Compare) -> Iterator[Found]:
    node = rule.additional
    if node is None:
        return
    for name in _names_left(known, rule):
        found = compare(known.of_property(name), node)
        if found and node.is_false:
            reason = f"is no longer a property, and '{rule.keyword}' refuses it"
            yield Found(("properties", name), reason)
        else:
            yield from below((rule.keyword,), found)
    patterns = (*rule.patterns, *rule.free_patterns)
    yield from below((rule.keyword,), _unmet_elsewhere(known, node, compare, but=patterns))


def _names_left(known: Known, rule: ObjectRule) -> list[str]:
    names = [*known.declared, *sorted(known.required)]
    return [
        name for name in dict.fromkeys(names) if not rule.covers(name) and not known.forbids(name)
    ]


def _unmet_elsewhere(
    known: Known,
    node: Node,
    compare: Compare,
    *,
    only: str | None = None,
    but: tuple[str, ...] = (),
) -> tuple[Found, ...]:
    """What properties that the earlier schema does not name may violate.

    Such a property stands under a pattern of each rule, or under its schema for all others; where
    one rule alone assures the demand for all of these, it is met.
    """
    best: tuple[Found, ...] | None = None
    for rule in known.object_rules:
        found: list[Found] = []
        for premises in _regions(rule, only, but):
            found += compare(known.of_others(premises), node)
        if not found:
            return ()
        best = best or tuple(found)
    return best or compare(known.of_others(()), node)


def _regions(rule: ObjectRule, only: str | None, but: tuple[str, ...]) -> Iterator[list[Node]]:
    """The schemas that a property without a name in the rule may stand under."""
    if only is not None and only in rule.patterns:
        yield [rule.patterns[only]]
        return
    for pattern, node in rule.patterns.items():
        if pattern not in but:
            yield [node]
    if any(pattern not in but for pattern in rule.free_patterns):
        yield []
    yield [rule.additional] if rule.additional is not None else []


def _undecided(node: Node, rules: list[ObjectRule]) -> bool:
    if node.unevaluated_properties is None or node.unevaluated_properties.raw is True:
        return False
    decided = any(rule.keyword == UNEVALUATED for rule in rules)
    return not decided and not evaluates_everything(node)


def _unmet_names(known: Known, node: Node, compare: Compare) -> Iterator[Found]:
    demanded = node.property_names
    if demanded is None:
        return
    named = [name for name in known.declared if not known.forbids(name)]
    closed = any(rule.closed for rule in known.object_rules)
    refused = [name for name in named if not demanded.accepts(name)]
    for name in refused:
        yield Found(("propertyNames",), f"refuses the property '{name}', which was allowed")
    if not refused and not closed:
        given = [member.property_names for member in known.flat if member.property_names]
        premises = Known([*given, any_string()])
        yield from below(("propertyNames",), compare(premises, demanded))


def _unmet_dependencies(known: Known, node: Node, compare: Compare) -> Iterator[Found]:
    assured = [pair for member in known.flat for pair in member.dependent_required]
    keyword = node.dependencies_keyword("dependentRequired")
    for name, needed in node.dependent_required:
        if known.absent(name):
            continue
        given = known.required.union(*(names for own, names in assured if own == name), [name])
        for other in needed:
            if other not in given:
                yield Found((keyword, name), f"needs '{other}' beside it, which it did not")
    keyword = node.dependencies_keyword("dependentSchemas")
    for name, demanded in node.dependent_schemas:
        if known.absent(name):
            continue
        given_schemas = [
            schema
            for member in known.flat
            for own, schema in member.dependent_schemas
            if own == name
        ]
        yield from below((keyword, name), compare(known.beside(given_schemas), demanded))
