"""What has expired, and how far the reaper is, in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Transaction

Place = tuple[int, str, str]
"""An event's time and ids, in the order in which they are gone through."""

START: Place = (-(2**63), "", "")


@dataclass(frozen=True, slots=True)
class Kept:
    """An event type and how long its events are kept."""

    name: str
    topic: str
    ttl: str


@dataclass(frozen=True, slots=True)
class Expired:
    """An event that is too old."""

    correlation_id: str
    event_id: str
    created: int
    version: int | None
    harvester: str

    @property
    def place(self) -> Place:
        return (self.created, self.correlation_id, self.event_id)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reaper is in one event type."""

    reached: Place | None
    again_at: datetime
    again_reached: Place | None
    again_until: Place | None


def event_types(transaction: Transaction) -> list[Kept]:
    rows = transaction.rows(_queries().event_types)
    return [Kept(row["name"], row["topic"], row["ttl"]) for row in rows]


def former(transaction: Transaction) -> list[Kept]:
    """Event types that were deleted, and whose data was not."""
    rows = transaction.rows(_queries().former)
    return [Kept(row["name"], row["topic"], row["ttl"]) for row in rows]


def progress(
    transaction: Transaction, event_type: str, kept_in: str, again_at: datetime
) -> Progress | None:
    """Begins with a new type, or in a new table; nothing of one that is gone."""
    values = {"event_type": event_type, "kept_in": kept_in}
    row = transaction.row(_queries().progress, **values)
    if row is None:
        transaction.run(_queries().begin, **values, again_at=again_at)
        row = transaction.row(_queries().progress, **values)
    if row is None:
        return None
    return Progress(
        _place(row["reached"]),
        row["again_at"],
        _place(row["again_reached"]),
        _place(row["again_until"]),
    )


def expired(
    transaction: Transaction,
    rows: sql.Composable,
    event_type: str,
    after: Place,
    before: int,
    limit: int,
) -> list[Expired]:
    created, correlation_id, event_id = after
    found = transaction.planned_anew(
        _queries().composed("expired", rows=rows),
        event_type=event_type,
        created=created,
        correlation_id=correlation_id,
        event_id=event_id,
        before=before,
        limit=limit,
    )
    return [_expired(row) for row in found]


def _expired(row: Mapping[str, Any]) -> Expired:
    return Expired(
        row["correlation_id"],
        row["event_id"],
        row["created"],
        row["event_type_version"],
        row["event_harvester"],
    )


def reach(
    transaction: Transaction,
    event_type: str,
    kept_in: str,
    before: Place | None,
    after: Place | None,
) -> bool:
    """Move on; false where somebody else has."""
    values = {"event_type": event_type, "kept_in": kept_in}
    way = {"from": _json(before), "to": _json(after)}
    return transaction.run(_queries().reach, **values, **way) == 1


def reach_again(
    transaction: Transaction,
    event_type: str,
    kept_in: str,
    before: Place | None,
    after: Place | None,
) -> bool:
    values = {"event_type": event_type, "kept_in": kept_in}
    way = {"from": _json(before), "to": _json(after)}
    return transaction.run(_queries().reach_again, **values, **way) == 1


def end_round(transaction: Transaction, event_type: str, kept_in: str, again_at: datetime) -> None:
    values = {"event_type": event_type, "kept_in": kept_in}
    transaction.run(_queries().end_round, **values, again_at=again_at)


def end(
    transaction: Transaction,
    rows: sql.Composable,
    event_type: str,
    told: Sequence[Expired],
    grace: str,
) -> None:
    """Give events their end, as their type's persister does it."""
    ids = {
        "correlation_ids": [one.correlation_id for one in told],
        "event_ids": [one.event_id for one in told],
    }
    statement = load("grnry.persisters", "event_store.sql").composed("expire_events", rows=rows)
    transaction.run(statement, event_type=event_type, grace=grace, **ids)


def delete_of_former(
    transaction: Transaction, event_type: str, before: int, limit: int
) -> tuple[int, float]:
    values = {"event_type": event_type, "before": before, "limit": limit}
    return _done(transaction.planned_anew(_queries().delete_of_former, **values))


def delete(
    transaction: Transaction, rows: sql.Composable, now: int, limit: int
) -> tuple[int, float]:
    """Take away what is past its end; how many rows it were, and the seconds that it took."""
    statement = _queries().composed("delete", rows=rows)
    return _done(transaction.planned_anew(statement, now=now, limit=limit))


def _done(found: Sequence[Mapping[str, Any]]) -> tuple[int, float]:
    (row,) = found
    return row["rows"], row["seconds"]


def _place(value: Any) -> Place | None:
    return None if value is None else (value[0], value[1], value[2])


def _json(place: Place | None) -> Json | None:
    return None if place is None else Json(list(place))


def _queries() -> Queries:
    return load("grnry.events.expiry")
