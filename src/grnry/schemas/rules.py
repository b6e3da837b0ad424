"""What a schema says of an object's properties and of an array's items, each as a rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import jsonschema_rs

from grnry.schemas.document import PATTERN_OPTIONS
from grnry.schemas.nodes import Node


@lru_cache(maxsize=1000)
def _pattern(pattern: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft7Validator({"pattern": pattern}, pattern_options=PATTERN_OPTIONS)


def matches(pattern: str, name: str) -> bool:
    return _pattern(pattern).is_valid(name)


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """Schemas for the properties by name, by pattern, and for all others.

    `keyword` is the one that speaks of all others. `free` are names that others leave alone though
    no schema here is for them.
    """

    properties: dict[str, Node]
    patterns: dict[str, Node]
    additional: Node | None
    keyword: str = "additionalProperties"
    free: frozenset[str] = frozenset()
    free_patterns: frozenset[str] = frozenset()

    @property
    def closed(self) -> bool:
        """Whether its named properties are all there can be."""
        closed = self.additional is not None and self.additional.is_false
        return closed and not (self.patterns or self.free or self.free_patterns)

    def covers(self, name: str) -> bool:
        """Whether the name is none of the others."""
        if name in self.properties or name in self.free:
            return True
        return any(matches(p, name) for p in (*self.patterns, *self.free_patterns))

    def nodes(self, name: str) -> list[Node]:
        found = [self.properties[name]] if name in self.properties else []
        found += [node for pattern, node in self.patterns.items() if matches(pattern, name)]
        if not self.covers(name) and self.additional is not None:
            found.append(self.additional)
        return found


@dataclass(frozen=True, slots=True)
class ArrayRule:
    """Schemas for the first items, and for all that follow."""

    prefix: tuple[Node | None, ...]
    rest: Node | None
    keyword: str = "items"

    @property
    def closed(self) -> bool:
        return self.rest is not None and self.rest.is_false

    def at(self, index: int) -> Node | None:
        return self.prefix[index] if index < len(self.prefix) else self.rest


def object_rules(node: Node) -> Iterator[ObjectRule]:
    if node.properties or node.patterns or node.additional is not None:
        yield ObjectRule(node.properties, node.patterns, node.additional)
    if node.unevaluated_properties is not None and not evaluates_everything(node):
        evaluated = evaluated_properties(node)
        if evaluated is not None:
            names, patterns = evaluated
            keyword = "unevaluatedProperties"
            yield ObjectRule({}, {}, node.unevaluated_properties, keyword, names, patterns)


def array_rules(node: Node) -> Iterator[ArrayRule]:
    if node.prefix or node.items is not None:
        yield ArrayRule(node.prefix, node.items, _items_keyword(node))
    if node.unevaluated_items is not None and evaluates_plainly(node) and node.items is None:
        free: tuple[None, ...] = (None,) * len(node.prefix)
        yield ArrayRule(free, node.unevaluated_items, "unevaluatedItems")


def _items_keyword(node: Node) -> str:
    return node.items.place[-1] if node.items is not None else "items"


def evaluates_plainly(node: Node) -> bool:
    """Whether no schema beside the node's own keywords looks at its items."""
    in_place = (node.ref, node.negated, node.condition, node.contains)
    lists = (node.all_of, node.any_of, node.one_of, node.dependent_schemas)
    return not any(in_place) and not any(lists)


def applied(node: Node) -> list[Node]:
    """The node and what it applies to the same value in any case."""
    found: dict[Node, None] = {}
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found[at] = None
            waiting += [*at.all_of, *([at.ref] if at.ref else [])]
    return list(found)


def evaluates_everything(node: Node) -> bool:
    """Whether nothing is left for the node's own `unevaluatedProperties`."""
    return any(
        at.additional is not None or (at is not node and at.unevaluated_properties is not None)
        for at in applied(node)
    )


def evaluated_properties(node: Node) -> tuple[frozenset[str], frozenset[str]] | None:
    """The names and patterns that `unevaluatedProperties` leaves alone; None where it depends."""
    names: set[str] = set()
    patterns: set[str] = set()
    for at in applied(node):
        if at.any_of or at.one_of or at.condition or at.dependent_schemas:
            return None
        names |= at.properties.keys()
        patterns |= at.patterns.keys()
    return frozenset(names), frozenset(patterns)
