"""A project as a value: what it is called, who made it, who its members are. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grnry.errors import BadInput, Problem
from grnry.projects.names import LONGEST_DISPLAY

LONGEST_DESCRIPTION = 10_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What a user says about a project."""

    display_name: str
    description: str = ""

    def check(self) -> None:
        if problems := list(self._problems()):
            raise BadInput(problems)

    def _problems(self) -> Iterator[Problem]:
        if not self.display_name.strip():
            yield Problem("displayName", "must not be empty")
        if len(self.display_name) > LONGEST_DISPLAY:
            yield Problem("displayName", f"must have at most {LONGEST_DISPLAY} characters")
        if len(self.description) > LONGEST_DESCRIPTION:
            yield Problem("description", f"must have at most {LONGEST_DESCRIPTION} characters")


@dataclass(frozen=True, slots=True)
class Project:
    """Who shares event types, a database schema, and roles."""

    name: str
    display_name: str
    description: str
    created_at: datetime
    created_by: Mapping[str, str]
    modified_at: datetime
    modified_by: Mapping[str, str]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Project":
        return cls(**row)


@dataclass(frozen=True, slots=True)
class Member:
    """A user with roles in a project."""

    id: str
    username: str
    name: str
    email: str
    roles: tuple[str, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Member":
        return cls(**{**row, "roles": tuple(row["roles"])})
