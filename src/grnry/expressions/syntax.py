"""The syntax tree of an expression: what the parser makes and the compiler reads.

Chains are flat: `a + b - c` is one `Operation` and `a.b[0].c` one `Path`, so that the tree is
never deeper than the brackets of the text.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Node:
    at: int


@dataclass(frozen=True, slots=True)
class Constant(Node):
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A bare name: a variable of the event, or a property of the element within brackets."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """`#this` or `#root`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, `#name(…)`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    elements: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    symbol: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Operation(Node):
    """Operands of one precedence, joined from the left."""

    first: Node
    rest: tuple[tuple[str, int, Node], ...]


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Elvis(Node):
    value: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Step(Node):
    """One link of a path; `safe` is `?.`, which gives null on null."""

    safe: bool


@dataclass(frozen=True, slots=True)
class Property(Step):
    name: str


@dataclass(frozen=True, slots=True)
class Method(Step):
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Index(Step):
    index: Node


@dataclass(frozen=True, slots=True)
class Selection(Step):
    which: Literal["all", "first", "last"]
    criterion: Node


@dataclass(frozen=True, slots=True)
class Projection(Step):
    body: Node


@dataclass(frozen=True, slots=True)
class Path(Node):
    start: Node
    steps: tuple[Step, ...]


# What is dearer than an operator or a constant.
WEIGHTS: dict[type[Node], int] = {Call: 6, Method: 3}


def weight(part: Any) -> int:
    """How many steps the evaluation of a tree is worth: one for most of its nodes."""
    if isinstance(part, tuple):
        return sum(weight(element) for element in part)
    if not isinstance(part, Node):
        return 0
    return WEIGHTS.get(type(part), 1) + sum(
        weight(getattr(part, field.name)) for field in fields(part)
    )
