"""Records that are read from the log and written to it, and the log being away."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from grnry.errors import ServiceAway

LARGEST_RECORD = 8 * 2**20
"""Bytes of the largest record that the platform writes."""

LARGEST_BATCH = 2 * LARGEST_RECORD
"""Bytes of the largest batch that its topics take: with room for keys and headers."""

Headers = Sequence[tuple[str, bytes | None]]


class LogAway(ServiceAway):
    """The log does not answer at the moment. Try again."""


class Record(Protocol):
    """A record as the client hands it over; methods, as it makes values only when asked."""

    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> list[tuple[str, bytes | None]] | None: ...
    def timestamp(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written."""

    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=tuple)
