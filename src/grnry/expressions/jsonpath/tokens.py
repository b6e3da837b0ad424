"""What a JSON path is made of."""

from dataclasses import dataclass
from typing import Any

from grnry.expressions.budget import State
from grnry.expressions.errors import Fault


@dataclass(frozen=True, slots=True)
class Properties:
    """`.name` or `['name', 'other']`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Indexes:
    """`[0]` or `[0, -1]`."""

    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """`[1:3]`; Jayway counts a negative end from the list's end in `[:-1]` only."""

    start: int | None
    end: int | None

    def indexes(self, length: int) -> range:
        if self.start is None:
            end = self.end or 0
            return range(min(length, end + length if end < 0 else end))
        if self.end is None:
            start = self.start + length if self.start < 0 else self.start
            return range(max(0, start), length)
        return range(max(self.start, -length), min(length, self.end))


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`.*` or `[*]`."""


@dataclass(frozen=True, slots=True)
class Scan:
    """`..`."""


class NoVerdictFault(Fault):
    """A condition has nothing to compare; the element is not taken."""


class Predicate:
    """A condition on an element of a document."""

    def holds(self, element: Any, root: Any, state: State) -> bool:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?(…)]`."""

    predicate: Predicate

    def accepts(self, element: Any, root: Any, state: State) -> bool:
        try:
            return self.predicate.holds(element, root, state)
        except NoVerdictFault:
            return False


@dataclass(frozen=True, slots=True)
class Function:
    """`.name(…)`; an argument is a path or a JSON value."""

    name: str
    arguments: tuple["Path | JsonValue", ...]


@dataclass(frozen=True, slots=True)
class JsonValue:
    value: Any


Token = Properties | Indexes | Slice | Wildcard | Scan | Filter | Function


@dataclass(frozen=True, slots=True)
class Path:
    """A path from the document (`$`) or, in a filter, from the element (`@`)."""

    from_root: bool
    tokens: tuple[Token, ...]

    @property
    def is_definite(self) -> bool:
        """Whether the path gives one value rather than a list."""
        last = len(self.tokens) - 1
        return all(is_definite(token, at == last) for at, token in enumerate(self.tokens))


def is_definite(token: Token, is_last: bool) -> bool:
    if isinstance(token, Properties):
        return len(token.names) == 1 or is_last
    if isinstance(token, Indexes):
        return len(token.indexes) == 1
    return isinstance(token, Function)
