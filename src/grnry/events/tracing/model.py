"""Where an event can be, and which one is meant. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from grnry.deployments.service import Condition
from grnry.log.records import Partition, Record
from grnry.persisters.rows import unquoted


class Whereabouts(StrEnum):
    """Where an event is."""

    WAITING = "WAITING"
    """In the topic; its persister has not come to it yet."""
    STORED = "STORED"
    """A row of the event store."""
    DEAD_LETTER = "DEAD_LETTER"
    """It could not be stored."""
    PASSED = "PASSED"
    """In the topic, and its persister has made no row of it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are looked for: at least one of the ids is given."""

    correlation_id: str = ""
    event_id: str = ""

    def means(self, record: Record) -> bool:
        """By its headers; a record without them by its key."""
        headers = dict(record.headers() or ())
        correlation_id = _id("grnry-correlation-id", headers)
        if correlation_id is None:
            correlation_id = record.key()
        return (not self.correlation_id or correlation_id == self.correlation_id.encode()) and (
            not self.event_id or _id("grnry-event-id", headers) == self.event_id.encode()
        )


def _id(name: str, headers: Mapping[str, bytes | None]) -> bytes | None:
    value = headers.get(name)
    return None if value is None else unquoted(value)


@dataclass(frozen=True, slots=True)
class Found:
    """One place at which an event is."""

    where: Whereabouts
    correlation_id: str
    event_id: str
    partition: int
    offset: int
    time: int | None = None
    """Milliseconds since 1970: the event's own where it is stored, else the record's."""
    ahead: int | None = None
    """How many records of its partition its persister has to read before it."""
    in_topic: bool = True
    expires: int | None = None
    reason: str = ""
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known of an event."""

    topic: str
    persister: Condition
    lag: int
    """Records of the topic that the persister has not come to yet."""
    found: Sequence[Found]
    is_complete: bool
    """Whether the topic was searched to its end; a large one is given up after a while."""
    is_in_event_store: bool = True
    """Whether what is stored is in the platform's event store, where others find it."""


def found_in_topic(record: Record, where: Whereabouts, first: int) -> Found:
    """`first` is the offset at which the persister goes on."""
    headers = dict(record.headers() or ())
    time = record.timestamp()[1]
    return Found(
        where,
        _text(_id("grnry-correlation-id", headers) or record.key()),
        _text(_id("grnry-event-id", headers)),
        record.partition(),
        record.offset(),
        time if time >= 0 else None,
        record.offset() - first if where is Whereabouts.WAITING else None,
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def lag_of(next_offsets: Mapping[Partition, int], ends: Mapping[Partition, int]) -> int:
    return sum(max(0, end - next_offsets[partition]) for partition, end in ends.items())
