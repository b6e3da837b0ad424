"""Whether all values valid under one schema are valid under another, and where they are not.

The new schema is a list of demands. Each of them has to follow from what is known of the earlier
one's values; a demand that does not is a break. Where alternatives are known (`anyOf`, `oneOf`,
`if`), the demand has to follow in each case. What can not be decided counts as a break.
"""

from collections.abc import Iterator

from grnry.schemas import arrays, numbers, objects, strings
from grnry.schemas.apart import apart
from grnry.schemas.bounds import MAX_COMPARISON_DEPTH, MAX_COMPARISON_STEPS
from grnry.schemas.demands import Found, Founds, below, described_kinds, shown
from grnry.schemas.known import Known
from grnry.schemas.nodes import Node, kinds_of

UNDECIDED = "it can not be decided, so it counts as a break"


class TooComplex(Exception):  # noqa: N818
    """The comparison took more steps than it may."""


class Comparison:
    """One comparison of two schemas, with its budget and what it found out already."""

    def __init__(self) -> None:
        self._left = MAX_COMPARISON_STEPS
        self._done: dict[object, Founds] = {}
        self._running: dict[object, int] = {}
        self._reaches = [0]

    def breaks(self, known: Known, node: Node) -> Founds:
        """What valid values may violate; empty where all of them are valid under the node."""
        if node.raw is True or node.raw == {} or known.impossible:
            return ()
        if any(member.same_as(node) for member in known.flat):
            return ()
        key = (known.key, node)
        if key in self._done:
            return self._done[key]
        depth = len(self._running)
        if key in self._running:
            # A value is finite: what holds one level deeper holds here.
            self._reaches[-1] = min(self._reaches[-1], self._running[key])
            return ()
        self._spend(depth, 1 + len(known.flat))
        self._running[key] = depth
        self._reaches.append(depth)
        try:
            found = self._by_cases(known, node)
        finally:
            del self._running[key]
            reached = self._reaches.pop()
            self._reaches[-1] = min(self._reaches[-1], reached)
        if reached >= depth:
            # What leans on a comparison that still runs is not kept, as that one may yet fail.
            self._done[key] = found
        return found

    def _spend(self, depth: int, steps: int) -> None:
        self._left -= steps
        if self._left < 0 or depth > MAX_COMPARISON_DEPTH:
            raise TooComplex

    def _by_cases(self, known: Known, node: Node) -> Founds:
        found = tuple(self._unmet(known, node))
        if not found:
            return ()
        cases = known.cases()
        if not cases:
            return found
        return tuple(dict.fromkeys(item for case in cases for item in self.breaks(case, node)))

    def _unmet(self, known: Known, node: Node) -> Iterator[Found]:
        if node.is_false:
            yield Found((), "accepts nothing any more")
            return
        if known.values is not None:
            yield from self._unmet_values(known, node)
            return
        yield from _unmet_kinds(known, node)
        yield from numbers.unmet(known, node)
        yield from strings.unmet(known, node)
        yield from objects.unmet(known, node, self.breaks)
        yield from arrays.unmet(known, node, self.breaks)
        if node.ref is not None:
            yield from self.breaks(known, node.ref)
        for at, member in enumerate(node.all_of):
            yield from below(("allOf", str(at)), self.breaks(known, member))
        yield from self._unmet_any(known, node)
        yield from self._unmet_one(known, node)
        yield from self._unmet_not(known, node)
        yield from self._unmet_condition(known, node)

    def _unmet_values(self, known: Known, node: Node) -> Iterator[Found]:
        place = () if node.listed is None else ("const" if "const" in node.keywords else "enum",)
        for value in known.values or ():
            if not node.accepts(value):
                yield Found(place, f"no longer accepts {shown(value)}")

    def _unmet_any(self, known: Known, node: Node) -> Iterator[Found]:
        if node.any_of:
            found = [self.breaks(known, branch) for branch in node.any_of]
            if all(found):
                yield from _closest(known, "anyOf", node.any_of, found)

    def _unmet_one(self, known: Known, node: Node) -> Iterator[Found]:
        if not node.one_of:
            return
        found = [self.breaks(known, branch) for branch in node.one_of]
        fitting = [at for at, items in enumerate(found) if not items]
        if not fitting:
            yield from _closest(known, "oneOf", node.one_of, found)
            return
        beside: list[int] = []
        for at in fitting:
            beside = [
                other
                for other, branch in enumerate(node.one_of)
                if other != at and not self._never(known, branch)
            ]
            if not beside:
                return
        for other in beside:
            reason = (
                f"may accept what 'oneOf/{fitting[-1]}' accepts too, "
                f"and 'oneOf' lets only one of them match: {UNDECIDED}"
            )
            yield Found(("oneOf", str(other)), reason)

    def _never(self, known: Known, node: Node) -> bool:
        """Whether no known value is valid under the node."""
        other = Known([node])
        if apart(known, other):
            return True
        negated = [member.negated for member in known.flat if member.negated is not None]
        refused = (*known.negatives, *negated)
        return any(not self.breaks(other, premise) for premise in refused)

    def _unmet_not(self, known: Known, node: Node) -> Iterator[Found]:
        if node.negated is not None and not self._never(known, node.negated):
            reason = f"may refuse what was valid before: {UNDECIDED}"
            yield Found(("not",), reason)

    def _unmet_condition(self, known: Known, node: Node) -> Iterator[Found]:
        if node.condition is None:
            return
        if node.then is not None:
            yield from below(("then",), self.breaks(known.beside([node.condition]), node.then))
        if node.otherwise is not None:
            otherwise = known.beside((), [node.condition])
            yield from below(("else",), self.breaks(otherwise, node.otherwise))


def _unmet_kinds(known: Known, node: Node) -> Iterator[Found]:
    types = node.value("type")
    lost = known.kinds - kinds_of(types) if types is not None else frozenset()
    if lost:
        yield Found(("type",), f"no longer allows {described_kinds(lost)}")
    if node.listed is not None:
        keyword = "const" if "const" in node.keywords else "enum"
        yield Found((keyword,), "lists the values that are allowed, and others were")


def _closest(
    known: Known, keyword: str, branches: tuple[Node, ...], found: list[Founds]
) -> Iterator[Found]:
    """What the alternative lacks that comes closest."""

    def distance(at: int) -> tuple[int, int]:
        return len(known.kinds - branches[at].kinds), len(found[at])

    at = min(range(len(branches)), key=distance)
    if known.kinds & branches[at].kinds:
        yield from below((keyword, str(at)), found[at])
    else:
        allowed = described_kinds(known.kinds)
        yield Found((keyword,), f"has no alternative that allows {allowed} any more")
