"""What a comparison finds, and the words for it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from grnry.schemas.known import Known
from grnry.schemas.nodes import KINDS, NUMERIC, Node

LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Found:
    """A break: the steps from where the comparison began, and what is no longer so."""

    steps: tuple[str, ...]
    reason: str


Founds = tuple[Found, ...]
Compare = Callable[[Known, Node], Founds]


def below(steps: tuple[str, ...], found: Iterable[Found]) -> Iterator[Found]:
    return (Found(steps + item.steps, item.reason) for item in found)


def shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def described_kinds(kinds: frozenset[str]) -> str:
    """The types in JSON Schema's own words; `fraction` alone is a number that is no integer."""
    if kinds == KINDS:
        return "any value"
    names = set(kinds)
    if names >= NUMERIC:
        names = (names - NUMERIC) | {"number"}
    elif "fraction" in names:
        names = (names - {"fraction"}) | {"numbers that are no integers"}
    return ", ".join(sorted(names))
