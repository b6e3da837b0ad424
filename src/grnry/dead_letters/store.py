"""Dead letters in the database."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from grnry.database.queries import Queries, load
from grnry.database.sql import SQL
from grnry.database.transaction import Reading, Row, Transaction
from grnry.dead_letters.model import (
    OPEN,
    SHOWN_BYTES,
    Letter,
    LetterState,
    Reason,
    Selection,
    Source,
)

MOST_REASONS = 50


def sources(reading: Reading, project: str) -> list[Source]:
    """The deployments of a project that have any."""
    rows = reading.rows(_queries().sources, project=project)
    groups = groupby(rows, lambda row: (row["deployment"], row["event_type"]))
    return [_source(*names, list(of_it)) for names, of_it in groups]


def deployments_of(reading: Reading, project: str) -> dict[str, str]:
    """What each deployment of a project stores, by its name."""
    rows = reading.rows(_queries().deployments, project=project)
    return {row["deployment"]: row["event_type"] for row in rows}


def event_type_of(reading: Reading, project: str, deployment: str) -> str | None:
    """What a deployment stores; none where the project has no such deployment."""
    row = reading.row(_queries().find, project=project, deployment=deployment)
    return None if row is None else str(row["event_type"])


def tally(
    reading: Reading, deployment: str, event_type: str, states: Sequence[LetterState]
) -> tuple[Source, list[Reason]]:
    """How many there are, and the most frequent reasons of those in some states."""
    rows = reading.rows(_queries().tally, deployment=deployment)
    named = {"deployment": deployment, "states": [state.value for state in states]}
    found = reading.planned_anew(_queries().reasons, **named, limit=MOST_REASONS)
    reasons = [Reason(row["reason"], row["sqlstate"], row["count"]) for row in found]
    return _source(deployment, event_type, rows), reasons


def _source(deployment: str, event_type: str, rows: Sequence[Row]) -> Source:
    found = {row["state"]: row for row in rows}
    waiting = [found[state.value] for state in OPEN if state.value in found]
    return Source(
        deployment,
        event_type,
        {each.value: found[each.value]["count"] if each in found else 0 for each in LetterState},
        sum(row["warned"] for row in waiting),
        min((row["oldest"] for row in waiting), default=None),
    )


def count(reading: Reading, deployment: str, selection: Selection) -> int:
    """How many failed for one reason."""
    values = {"deployment": deployment, **selection.values()}
    return int(reading.planned_anew(_queries().count, **values)[0]["count"])


def letter(reading: Reading, deployment: str, selection: Selection) -> Letter | None:
    """One of them, whole."""
    values = {"deployment": deployment, **selection.values(), "bytes": 2**30}
    found = reading.planned_anew(
        _queries().composed("letter", shown=_queries().shown, condition=_queries().condition),
        **values,
    )
    return Letter.from_row(found[0]) if found else None


def page(
    reading: Reading,
    deployment: str,
    selection: Selection,
    *,
    limit: int,
    skipped: int,
    total: int,
) -> list[Letter]:
    """Some of all that are in some states, of one reason or of any, in the order of their failing.

    Counted from the nearer end, so that the last page costs what the first one does.
    """
    limit = min(limit, total - skipped)
    if limit <= 0:
        return []
    behind = total - skipped - limit
    is_behind = behind < skipped
    statement = _queries().composed(
        "page",
        shown=_queries().shown,
        condition=_queries().of_reason if selection.reason else _queries().of_deployment,
        direction=SQL("desc" if is_behind else "asc"),
    )
    rows = reading.planned_anew(
        statement,
        deployment=deployment,
        **selection.values(),
        limit=limit,
        skipped=behind if is_behind else skipped,
        bytes=SHOWN_BYTES,
    )
    return [Letter.from_row(row) for row in rows]


def queue(
    transaction: Transaction, deployment: str, selection: Selection, by: str, *, forced: bool
) -> int:
    values = {"deployment": deployment, **selection.values(), "by": by, "forced": forced}
    return transaction.run(_some("queue"), **values)


def edit(
    transaction: Transaction, deployment: str, selection: Selection, payload: bytes | None
) -> int:
    values = {"deployment": deployment, **selection.values(), "payload": payload}
    return transaction.run(_some("edit"), **values)


def drop(transaction: Transaction, deployment: str, selection: Selection) -> int:
    return transaction.run(_some("drop"), deployment=deployment, **selection.values())


def kinds(transaction: Transaction) -> dict[str, tuple[str, str]]:
    """Of each deployment the kind of its persister, and what it stores."""
    rows = transaction.rows(_queries().kinds)
    return {row["deployment"]: (row["kind"], row["event_type"]) for row in rows}


def not_copied(
    transaction: Transaction, only: str | None, after: int, limit: int, most_bytes: int
) -> list[Row]:
    """The next ones behind an id whose copies are not written yet; at least one.

    `only`, here and below, is the deployment that is ours in a database which others use as well.
    """
    values = {"only": only, "after": after, "limit": limit, "bytes": most_bytes}
    return transaction.planned_anew(_queries().not_copied, **values)


def copied(transaction: Transaction, ids: Sequence[int]) -> None:
    transaction.run(_queries().copied, ids=list(ids))


def warn(
    transaction: Transaction, only: str | None, before: datetime, now: datetime, limit: int
) -> list[tuple[str, str]]:
    """Mark those that failed before; the deployment and state of each."""
    rows = transaction.rows(_queries().warn, only=only, before=before, now=now, limit=limit)
    return [(row["deployment"], row["state"]) for row in rows]


def expire(
    transaction: Transaction, only: str | None, before: datetime, warned: datetime, limit: int
) -> list[tuple[str, str]]:
    """Drop those that failed before and were warned of by then."""
    rows = transaction.rows(_queries().expire, only=only, before=before, warned=warned, limit=limit)
    return [(row["deployment"], row["state"]) for row in rows]


def sum_up(transaction: Transaction, limit: int) -> int:
    """Sum up what was counted since the last time; how many rows it were."""
    return int(transaction.value(_queries().sum_up, limit=limit))


def _some(name: str) -> SQL:
    return _queries().composed(name, condition=_queries().condition)


def _queries() -> Queries:
    return load("grnry.dead_letters")
