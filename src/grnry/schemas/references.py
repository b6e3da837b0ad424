"""Where each `$ref` of a schema points, and how far a schema expands when they are followed."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from grnry.schemas.bounds import MAX_DEPTH, MAX_EXPANSIONS
from grnry.schemas.drafts import Draft, Place, children, is_schema
from grnry.schemas.errors import SchemaError, SchemaProblem, path_of

IN_PLACE = frozenset(
    ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies", "dependentSchemas")
)
CONTAINERS = frozenset(("definitions", "$defs"))


class References:
    """The references of a document: `targets` by place, or `problems`."""

    def __init__(self, document: dict[str, Any], draft: Draft, places: dict[Place, Any]) -> None:
        self._places = places
        self._own = document.get(draft.id_keyword)
        self._anchors = dict(_anchors(places, draft))
        self.targets: dict[Place, Place] = {}
        self.problems: list[SchemaProblem] = []
        for place, raw in places.items():
            if isinstance(raw, dict) and isinstance(raw.get("$ref"), str):
                self._follow(place, raw["$ref"])

    def _follow(self, place: Place, reference: str) -> None:
        target = self._target(reference)
        if isinstance(target, str):
            self.problems.append(SchemaProblem(path_of((*place, "$ref")), target))
        else:
            self.targets[place] = target

    def _target(self, reference: str) -> Place | str:
        """The place that is referred to, or why there is none."""
        base, _, fragment = reference.partition("#")
        if base and base != str(self._own or "").partition("#")[0]:
            return (
                f"refers to '{reference}', another document; "
                "only references within the schema ('#/…') are followed"
            )
        fragment = unquote(fragment)
        if not fragment.startswith("/"):
            anchored = self._anchors.get(fragment) if fragment else ()
            return f"refers to '{reference}', which is not there" if anchored is None else anchored
        steps = fragment[1:].split("/")
        place = tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)
        if place not in self._places:
            return f"refers to '{reference}', where no schema is"
        return place


def _anchors(places: dict[Place, Any], draft: Draft) -> Iterator[tuple[str, Place]]:
    keyword = "$anchor" if draft.number >= 19 else draft.id_keyword
    for place, raw in places.items():
        name = raw.get(keyword) if isinstance(raw, dict) else None
        if isinstance(name, str) and (draft.number >= 19 or name.startswith("#")):
            yield name.removeprefix("#"), place


def check_expansion(places: dict[Place, Any], draft: Draft, targets: dict[Place, Place]) -> bool:
    """Whether the schema is recursive; SchemaError where following it would never end."""

    def everywhere(place: Place) -> list[Place]:
        return list(_next(places, draft, targets, place))

    def in_place(place: Place) -> list[Place]:
        steps = _next(places, draft, targets, place)
        return [step for step in steps if _stays(place, step, targets)]

    standing = _walk(places, in_place)
    if standing.cycles:
        reason = "refers to itself without a property or an item in between"
        raise SchemaError(SchemaProblem(path_of(place), reason) for place in standing.cycles)
    if standing.height > MAX_DEPTH:
        reason = f"has references that lead on to others more than {MAX_DEPTH} times"
        raise SchemaError.of("#", reason)
    walked = _walk([()], everywhere)
    if walked.size > MAX_EXPANSIONS:
        reason = f"expands into more than {MAX_EXPANSIONS:,} schemas when references are followed"
        raise SchemaError.of("#", reason)
    return bool(walked.cycles)


def _next(
    places: dict[Place, Any], draft: Draft, targets: dict[Place, Place], place: Place
) -> Iterator[Place]:
    """The schemas that a schema applies, within it or by reference."""
    raw = places[place]
    if not isinstance(raw, dict):
        return
    if place in targets:
        yield targets[place]
        if draft.number < 19:
            return
    for step, child in children(raw, draft):
        if is_schema(child) and step[0] not in CONTAINERS:
            yield place + step


def _stays(place: Place, step: Place, targets: dict[Place, Place]) -> bool:
    return targets.get(place) == step or step[len(place)] in IN_PLACE


class _walk:  # noqa: N801 - reads as the verb it is
    """A walk in depth: which places close a cycle, how far it goes, and how much it unfolds to."""

    def __init__(self, starts: Iterable[Place], following: Callable[[Place], list[Place]]) -> None:
        self.cycles: dict[Place, None] = {}
        self.size = 0
        self._sizes: dict[Place, int] = {}
        self._heights: dict[Place, int] = {}
        self._following = following
        for start in starts:
            self._from(start)

    def _from(self, start: Place) -> None:
        opened: dict[Place, list[Place]] = {}
        stack = [start]
        while stack:
            place = stack[-1]
            if place in self._sizes:
                stack.pop()
            elif place not in opened:
                opened[place] = self._following(place)
                for step in opened[place]:
                    if step in opened and step not in self._sizes:
                        self.cycles[step] = None
                    else:
                        stack.append(step)
            else:
                steps = opened[place]
                size = 1 + sum(self._sizes.get(step, 0) for step in steps)
                self._sizes[place] = min(size, MAX_EXPANSIONS + 1)
                self._heights[place] = 1 + max((self._heights.get(s, 0) for s in steps), default=0)
                stack.pop()
        self.size = max(self.size, self._sizes[start])

    @property
    def height(self) -> int:
        return max(self._heights.values())
