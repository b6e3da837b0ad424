"""What one caller may cost: sizes, counts and times, and how the excess is refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import Scope

from grnry.errors import Problem
from grnry.settings import Settings

READING = "grnry.reading"
REFUSED = "grnry.refused"
RETRY_SECONDS = 1


class Refused(HTTPException):
    """A request that is refused before anybody looks at what it asks for."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.problems = tuple(problems)
        super().__init__(status, message, headers)


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings of one connection."""

    url_bytes: int = 8192
    header_bytes: int = 32_768
    headers: int = 100
    connections: int = 2000
    keep_alive_requests: int = 10_000
    head_seconds: float = 10
    body_seconds: float = 20

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(
            url_bytes=settings.max_url_bytes,
            header_bytes=settings.max_header_bytes,
            headers=settings.max_headers,
            connections=settings.max_connections,
            keep_alive_requests=settings.max_keep_alive_requests,
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
        )

    def excess_of(self, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Refused | None:
        """What of a request's head is too much."""
        if len(url) > self.url_bytes:
            return Refused(414, f"The URL must not be longer than {self.url_bytes} bytes.")
        if len(headers) > self.headers:
            return Refused(431, f"There must not be more than {self.headers} headers.")
        if sum(len(name) + len(value) + 4 for name, value in headers) > self.header_bytes:
            return self.too_long_head()
        return None

    def too_long_head(self) -> Refused:
        return Refused(
            431, f"The headers must not be larger than {self.header_bytes} bytes together."
        )

    def too_slow(self, part: str) -> Refused:
        return Refused(408, f"The {part} of the request came too slowly.")


def malformed() -> Refused:
    problem = Problem("request", "is not valid HTTP", "Request")
    return Refused(400, "The request is not valid HTTP.", problems=[problem])


def too_many(what: str, most: int) -> Refused:
    return Refused(
        503,
        f"There are more than {most} {what} at once. Try again.",
        {"Retry-After": str(RETRY_SECONDS)},
    )


@dataclass(slots=True)
class Reading:
    """How far a request's body has come; the connection writes it, the app looks."""

    complete: bool = False
    failure: Refused | None = None


def reading_of(scope: Scope) -> Reading | None:
    found: Reading | None = scope.get(READING)
    return found
