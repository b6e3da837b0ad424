"""The errors that callers are told about.

    GranaryError
    ├── BadInput            what was given is wrong; says everything that is
    │   └── (one Problem for each thing that is wrong)
    ├── AuthenticationFailed
    ├── NotAccessible       the caller's roles do not reach it
    ├── NotFound
    ├── AlreadyExists
    ├── InUse
    ├── PreconditionFailed  what is stored is not what the caller took it for
    ├── TooManyRequests     the caller has to wait
    ├── ServiceAway         the database or the log does not answer; try again
    └── StartError          a process cannot start; one sentence with what to do

The floor translates foreign exceptions into these; HTTP and the command line render them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


class GranaryError(Exception):
    """Something that a caller can be told."""

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else (self.__doc__ or "").strip()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what was given."""

    name: str
    reason: str
    kind: str = "Parameter"

    @property
    def sentence(self) -> str:
        return f"{self.kind} '{self.name}' {self.reason}."


class BadInput(GranaryError):  # noqa: N818 - errors are named for what happened
    """What was given is wrong."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.sentence for problem in self.problems))

    @classmethod
    def of(cls, name: str, reason: str, kind: str = "Parameter") -> "BadInput":
        return cls([Problem(name, reason, kind)])


class AuthenticationFailed(GranaryError):  # noqa: N818
    """Authentication failed."""


class NotAccessible(GranaryError):  # noqa: N818
    """Access forbidden due to missing roles."""


class NotFound(GranaryError):  # noqa: N818
    """Not found."""


class AlreadyExists(GranaryError):  # noqa: N818
    """Already exists."""


class InUse(GranaryError):  # noqa: N818
    """Still in use."""

    def __init__(
        self, message: str = "Still in use.", users: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.users = dict(users or {})
        """The paths of who uses it, by kind: `{"belts": ["/belts/11"]}`."""
        super().__init__(message)

    def sentence(self, users: Mapping[str, Sequence[str]]) -> str:
        """The message, with links to who uses it in place of their paths."""
        named = [f"{kind}: [{', '.join(links)}]" for kind, links in users.items() if links]
        if not named:
            return self.message
        return f"{self.message.rstrip('.')}, it is still being referenced by {'; '.join(named)}."


class PreconditionFailed(GranaryError):  # noqa: N818
    """It was changed in the meantime."""


class TooManyRequests(GranaryError):  # noqa: N818
    """Too many requests."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ServiceAway(GranaryError):  # noqa: N818
    """A service does not answer at the moment. Try again."""


CANNOT_START = 78
"""The exit code of a process that says why it cannot start; starting it again is no use."""


class StartError(GranaryError):
    """It cannot start."""
