"""What the database knows of an event: its row, its dead letter, how far its persister is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Reading
from grnry.events.tracing.model import Found, Wanted, Whereabouts
from grnry.persisters.rows import unquoted

MOST = 100


@dataclass(frozen=True, slots=True)
class Source:
    """What a deployment reads."""

    deployment: str
    topic: str
    topic_id: str | None
    """Which topic of that name it is now."""


def next_offsets(reading: Reading, source: Source) -> dict[int, int]:
    rows = reading.rows(_queries().next_offsets, **asdict(source))
    return {row["partition"]: row["next_offset"] for row in rows}


def stored(
    reading: Reading, table: tuple[str, str], event_type: str, wanted: Wanted
) -> list[Found]:
    """The newest rows of these ids."""
    asked = ((_queries().of_entity, wanted.correlation_id), (_queries().of_event, wanted.event_id))
    conditions = sql.SQL(" ").join(condition for condition, value in asked if value)
    rows = reading.planned_anew(
        _queries().composed("stored", table=sql.Identifier(*table), conditions=conditions),
        event_type=event_type,
        correlation_id=wanted.correlation_id,
        event_id=wanted.event_id,
        limit=MOST,
    )
    return [_stored(row) for row in rows]


def _stored(row: Mapping[str, Any]) -> Found:
    return Found(
        Whereabouts.STORED,
        row["correlation_id"],
        row["event_id"],
        row["partition_id"],
        row["partition_offset"],
        row["created"],
        expires=row["expires"],
    )


def dead_letters(reading: Reading, source: Source, wanted: Wanted) -> list[Found]:
    """The newest dead letters of these ids."""
    rows = reading.planned_anew(
        _queries().dead_letters,
        **asdict(source),
        correlation_ids=_as_sent(wanted.correlation_id),
        event_ids=_as_sent(wanted.event_id),
        limit=MOST,
    )
    return [_dead(row) for row in rows]


def _as_sent(text: str) -> list[bytes] | None:
    return [text.encode(), msgspec.json.encode(text)] if text else None


def _dead(row: Mapping[str, Any]) -> Found:
    headers = dict(zip(row["header_names"], row["header_values"], strict=True))

    def header(name: str, otherwise: bytes | None = None) -> str:
        value = headers.get(name) or otherwise or b""
        return unquoted(value).decode(errors="replace")

    return Found(
        Whereabouts.DEAD_LETTER,
        header("grnry-correlation-id", row["key"]),
        header("grnry-event-id"),
        row["partition"],
        row["record_offset"],
        row["record_time"],
        in_topic=row["may_be_in_topic"],
        reason=row["reason"],
        failed_at=row["failed_at"],
    )


def _queries() -> Queries:
    return load("grnry.events.tracing")
