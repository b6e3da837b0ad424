"""Dead letters as values: which are meant, and what is shown of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class LetterState(StrEnum):
    """What has become of a dead letter."""

    FAILED = "failed"
    """It could not be stored, and waits for somebody."""
    QUEUED = "queued"
    """Its deployment is to store it once more."""
    REPLAYED = "replayed"
    """It is stored."""
    SUPERSEDED = "superseded"
    """It is left out, as something newer is stored."""


OPEN = (LetterState.FAILED, LetterState.QUEUED)
ALL = "all"
SHOWN_BYTES = 4096
"""How much of a payload a list shows."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Some of a deployment's dead letters."""

    states: tuple[LetterState, ...] = tuple(LetterState)
    reason: str | None = None
    partition: int | None = None
    offset: int | None = None

    def values(self) -> dict[str, Any]:
        return {
            "states": [state.value for state in self.states],
            "reason": self.reason,
            "partition": self.partition,
            "record_offset": self.offset,
        }


@dataclass(frozen=True, slots=True)
class Source:
    """A deployment that may have dead letters, and how many of each state."""

    deployment: str
    event_type: str
    counts: Mapping[str, int]
    expiring: int = 0
    """How many of the open ones are dropped soon; it was said in the log."""
    oldest: datetime | None = None
    message: str = ""
    """Why they cannot be counted, where they are kept in a database that does not answer."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some of them failed."""

    reason: str
    sqlstate: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter."""

    topic: str
    partition: int
    offset: int
    record_time: datetime | None
    key: bytes | None
    payload: bytes | None
    size: int | None
    """Bytes of the payload, of which a list has the first only."""
    headers: tuple[tuple[str, bytes | None], ...]
    reason: str
    sqlstate: str | None
    first_reason: str
    state: LetterState
    attempts: int
    is_edited: bool
    failed_at: datetime
    requested_at: datetime | None
    requested_by: str | None
    settled_at: datetime | None
    is_of_former_topic: bool
    """Whether its topic was deleted since and made again: its offset is one of before."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Letter":
        names, values = row["header_names"], row["header_values"]
        given = {field: row[field] for field in cls.__slots__ if field in row}
        return cls(
            **{
                **given,
                "offset": row["record_offset"],
                "state": LetterState(row["state"]),
                "headers": tuple(zip(names, values, strict=True)),
            }
        )
