"""Events as they are read, and what is asked of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grnry.events.reading.times import LATEST


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the event store. Its message is JSON as text, where it was asked for."""

    event_type: str
    correlation_id: str
    event_id: str
    created: int
    version: int | None
    harvester: str
    message: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Event":
        return cls(
            row["event_type"],
            row["correlation_id"],
            row["event_id"],
            row["created"],
            row["event_type_version"],
            row["event_harvester"],
            row.get("text"),
        )


@dataclass(frozen=True, slots=True)
class Readable:
    """The event types of which a caller may read all events, and those of which some."""

    whole_types: tuple[str, ...]
    streams: frozenset[tuple[str, str]] = frozenset()

    def only(self, event_type: str) -> "Readable":
        """Of this one type alone."""
        whole = tuple(name for name in self.whole_types if name == event_type)
        return Readable(whole, frozenset(one for one in self.streams if one[0] == event_type))

    @property
    def types(self) -> list[str]:
        return sorted({*self.whole_types, *(event_type for event_type, _ in self.streams)})


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list: a time from its first moment up to and without its last, and a page."""

    since: int = 0
    until: int = LATEST
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    events: Sequence[Event]
    has_next: bool
    total: int | None = None
