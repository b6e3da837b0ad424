"""What is known of all values at one place of the earlier schema: the premises of a comparison."""

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from grnry.schemas.nodes import KINDS, Node, kind_of
from grnry.schemas.rules import ArrayRule, ObjectRule, array_rules, object_rules

Bound = tuple[float, bool]
Branch = tuple[tuple[Node, ...], tuple[Node, ...]]


class Known:
    """Each value is valid under all of `positives`, under none of `negatives`.

    `named` are the properties that the earlier schema names at this place, in whichever branch.
    Where `lenient`, a property that it does not name is taken to be in no record.
    """

    def __init__(
        self,
        positives: Iterable[Node],
        *,
        negatives: tuple[Node, ...] = (),
        split: frozenset[tuple[Node, str]] = frozenset(),
        named: frozenset[str] | None = None,
        lenient: bool = False,
    ) -> None:
        self.positives = tuple(dict.fromkeys(positives))
        self.negatives = negatives
        self.split = split
        self.lenient = lenient
        self.named = named if named is not None else names_in_place(self.positives)
        self.key = (frozenset(self.positives), frozenset(negatives), split, self.named, lenient)

    def beside(self, positives: Iterable[Node], negatives: Iterable[Node] = ()) -> "Known":
        """The same values, of which something more is known."""
        return self._with(positives, negatives, self.split)

    def _with(
        self,
        positives: Iterable[Node],
        negatives: Iterable[Node],
        split: frozenset[tuple[Node, str]],
    ) -> "Known":
        return Known(
            (*self.positives, *positives),
            negatives=(*self.negatives, *negatives),
            split=split,
            named=self.named,
            lenient=self.lenient,
        )

    def within(self, nodes: Iterable[Node]) -> "Known":
        """What is known of a property or an item."""
        return Known(nodes, lenient=self.lenient)

    def cases(self) -> "list[tuple[str, Known]]":
        """The cases of the first alternative that was not looked into, each with its name."""
        for node in self.flat:
            for keyword, branches in disjunctions(node):
                if (node, keyword) not in self.split:
                    split = self.split | {(node, keyword)}
                    return [
                        (f"{keyword}/{at}", self._with(*branch, split))
                        for at, branch in enumerate(branches)
                    ]
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
        return any(node.is_false for node in self.property_nodes(name))

    def absent(self, name: str) -> bool:
        """Whether no record is taken to have the property."""
        if self.forbids(name):
            return True
        return self.lenient and name not in self.named and not self.property_nodes(name)

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


def names_in_place(nodes: Iterable[Node]) -> frozenset[str]:
    names: set[str] = set()
    for node in in_place(nodes):
        names.update(node.properties, node.value("required") or ())
        for name, needed in node.dependent_required:
            names.update((name, *needed))
        names.update(name for name, _ in node.dependent_schemas)
    return frozenset(names)


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
