"""What is known of all values at one place of the earlier schema: the premises of a comparison."""

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from grnry.schemas.bounds import MAX_CASES
from grnry.schemas.nodes import KINDS, Node, kind_of
from grnry.schemas.rules import ArrayRule, ObjectRule, array_rules, object_rules

Bound = tuple[float, bool]
Branch = tuple[tuple[Node, ...], tuple[Node, ...]]


class Known:
    """Each value is valid under all of `positives`, under none of `negatives`.

    `place` are all schemas that the earlier one has for these values, in whichever branch. Where
    `lenient`, a property that none of them speaks of is taken to be in no record.
    """

    def __init__(
        self,
        positives: Iterable[Node],
        *,
        negatives: tuple[Node, ...] = (),
        split: frozenset[tuple[Node, str]] = frozenset(),
        place: tuple[Node, ...] | None = None,
        lenient: bool = False,
        case_count: int = 1,
    ) -> None:
        self.positives = tuple(dict.fromkeys(positives))
        self.negatives = negatives
        self.split = split
        self.lenient = lenient
        self._place = place
        self._case_count = case_count
        self.key = (frozenset(self.positives), frozenset(negatives), split, place, lenient)

    def beside(self, positives: Iterable[Node], negatives: Iterable[Node] = ()) -> "Known":
        """The same values, of which something more is known."""
        return self._with(positives, negatives, self.split, self._case_count)

    def _with(
        self,
        positives: Iterable[Node],
        negatives: Iterable[Node],
        split: frozenset[tuple[Node, str]],
        case_count: int,
    ) -> "Known":
        return Known(
            (*self.positives, *positives),
            negatives=(*self.negatives, *negatives),
            split=split,
            place=self.place if self.lenient else None,
            lenient=self.lenient,
            case_count=case_count,
        )

    def of_property(self, name: str) -> "Known":
        """What is known of the property's value."""
        rules = (rule for node in self._speaking for rule in object_rules(node))
        others = (node for rule in rules for node in rule.nodes(name))
        return self._within(self.property_nodes(name), others)

    def of_others(self, nodes: Iterable[Node]) -> "Known":
        """What is known of a property that has no name of its own, where these nodes apply."""
        rules = (rule for node in self._speaking for rule in object_rules(node))
        others = (node for rule in rules for node in (*rule.patterns.values(), rule.additional))
        return self._within(nodes, (node for node in others if node is not None))

    def of_item(self, index: int) -> "Known":
        own = (rule.at(index) for rule in self.array_rules)
        rules = (rule for node in self._speaking for rule in array_rules(node))
        others = [*(rule.at(index) for rule in rules), *(n.contains for n in self._speaking)]
        return self._within(
            (node for node in own if node is not None),
            (node for node in others if node is not None),
        )

    def _within(self, nodes: Iterable[Node], others: Iterable[Node]) -> "Known":
        """`others` are the schemas of all branches there, only one of which need apply."""
        positives = tuple(nodes)
        place = in_place((*positives, *others)) if self.lenient else None
        return Known(positives, place=place, lenient=self.lenient)

    @property
    def _speaking(self) -> tuple[Node, ...]:
        return self.place if self.lenient else ()

    def cases(self) -> "list[Known]":
        """The cases of the first alternative that was not looked into yet."""
        for node in self.flat:
            for keyword, branches in disjunctions(node):
                count = self._case_count * len(branches)
                if (node, keyword) in self.split or count > MAX_CASES:
                    continue
                split = self.split | {(node, keyword)}
                return [self._with(*branch, split, count) for branch in branches]
        return []

    @cached_property
    def flat(self) -> tuple[Node, ...]:
        return flattened(self.positives)

    @cached_property
    def impossible(self) -> bool:
        return not self.kinds or self.values == []

    @cached_property
    def kinds(self) -> frozenset[str]:
        kinds = KINDS
        for node in self.positives:
            kinds &= node.kinds
        return kinds

    @cached_property
    def values(self) -> list[Any] | None:
        """All values there can be, where they are few."""
        candidates: list[Any] | None = None
        for node in self.flat:
            if node.listed is not None:
                candidates = node.listed
        if candidates is None and self.kinds <= {"null", "boolean"}:
            candidates = [None, True, False]
        if candidates is None:
            return None
        return [
            value
            for value in candidates
            if kind_of(value) in self.kinds
            and all(node.accepts(value) for node in self.positives)
            and not any(node.accepts(value) for node in self.negatives)
        ]

    def largest(self, keyword: str) -> int:
        return max((node.value(keyword) or 0 for node in self.flat), default=0)

    def smallest(self, keyword: str) -> float:
        given = [node.value(keyword) for node in self.flat]
        return min((value for value in given if value is not None), default=math.inf)

    def all_of(self, keyword: str) -> list[Any]:
        return [node.value(keyword) for node in self.flat if node.value(keyword) is not None]

    @cached_property
    def only_integers(self) -> bool:
        return "fraction" not in self.kinds

    @cached_property
    def lower(self) -> Bound | None:
        bounds = [node.bounds[0] for node in self.flat if node.bounds[0] is not None]
        return max(bounds) if bounds else None

    @cached_property
    def upper(self) -> Bound | None:
        bounds = [node.bounds[1] for node in self.flat if node.bounds[1] is not None]
        return min(bounds, key=lambda bound: (bound[0], not bound[1])) if bounds else None

    @cached_property
    def required(self) -> frozenset[str]:
        return frozenset(name for names in self.all_of("required") for name in names)

    @cached_property
    def object_rules(self) -> list[ObjectRule]:
        return [rule for node in self.flat for rule in object_rules(node)]

    @cached_property
    def array_rules(self) -> list[ArrayRule]:
        return [rule for node in self.flat for rule in array_rules(node)]

    def property_nodes(self, name: str) -> list[Node]:
        """The schemas that the property's value is valid under."""
        return [node for rule in self.object_rules for node in rule.nodes(name)]

    def forbids(self, name: str) -> bool:
        names = (node.property_names for node in self.flat)
        if any(node is not None and not node.accepts(name) for node in names):
            return True
        return any(node.is_false for node in self.property_nodes(name))

    def absent(self, name: str) -> bool:
        """Whether no record is taken to have the property."""
        if self.forbids(name):
            return True
        return self.lenient and not any(speaks_of(node, name) for node in self.place)

    @cached_property
    def place(self) -> tuple[Node, ...]:
        return in_place(self.positives) if self._place is None else self._place

    @cached_property
    def declared(self) -> list[str]:
        names = (name for rule in self.object_rules for name in rule.properties)
        return list(dict.fromkeys(names))

    @cached_property
    def most_properties(self) -> float:
        closed = [len(rule.properties) for rule in self.object_rules if rule.closed]
        return min([self.smallest("maxProperties"), *closed])

    @cached_property
    def most_items(self) -> float:
        closed = [len(rule.prefix) for rule in self.array_rules if rule.closed]
        return min([self.smallest("maxItems"), *closed])


def flattened(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes and all that hold wherever these hold: references and `allOf`."""
    found: dict[Node, None] = {}
    waiting = list(nodes)[::-1]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found[node] = None
            waiting += [*node.all_of, *([node.ref] if node.ref else [])]
    return tuple(found)


def in_place(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """All schemas that look at the same value, in whichever branch."""
    found: dict[Node, None] = {}
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found[node] = None
            single = (node.ref, node.negated, node.condition, node.then, node.otherwise)
            waiting += [other for other in single if other is not None]
            waiting += [*node.all_of, *node.any_of, *node.one_of]
            waiting += [child for _, child in node.dependent_schemas]
    return tuple(found)


def speaks_of(node: Node, name: str) -> bool:
    """Whether the schema names the property, or has a schema for it that may accept something."""
    if name in node.named:
        return True
    if not node.patterns and node.additional is None and node.unevaluated_properties is None:
        return False
    return any(not other.is_false for rule in object_rules(node) for other in rule.nodes(name))


def disjunctions(node: Node) -> Iterator[tuple[str, list[Branch]]]:
    if node.any_of:
        yield "anyOf", [((branch,), ()) for branch in node.any_of]
    if node.one_of:
        yield (
            "oneOf",
            [
                ((branch,), tuple(other for other in node.one_of if other is not branch))
                for branch in node.one_of
            ],
        )
    if node.condition and (node.then or node.otherwise):
        then = (node.then,) if node.then else ()
        otherwise = (node.otherwise,) if node.otherwise else ()
        yield "if", [((node.condition, *then), ()), (otherwise, (node.condition,))]
