"""What can be wrong with a schema.

SchemaError
└── (one SchemaProblem for each thing that is wrong, with its place)
"""

from collections.abc import Iterable
from dataclasses import dataclass

MOST_PROBLEMS = 50
"""No answer names more than this; the rest is of the same kind."""


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One thing that is wrong. `path` is a JSON pointer into the schema, `#` its root."""

    path: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"{self.path}: {self.reason}"


class SchemaError(Exception):
    """The document can not be the schema of a live segment."""

    def __init__(self, problems: Iterable[SchemaProblem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))[:MOST_PROBLEMS]
        super().__init__("; ".join(problem.sentence for problem in self.problems))

    @classmethod
    def of(cls, path: str, reason: str) -> "SchemaError":
        return cls([SchemaProblem(path, reason)])


def path_of(steps: Iterable[str | int]) -> str:
    """The steps into a document as a JSON pointer: `#/properties/a~1b`."""
    escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    return "/".join(["#", *escaped])
