"""Dead letters in the database."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from grnry.database.queries import Queries, load
from grnry.database.sql import Composed
from grnry.database.transaction import Reading, Row, Transaction
from grnry.dead_letters.model import OPEN, Letter, LetterState, Reason, Selection, Source

MOST_REASONS = 50


def sources(reading: Reading, project: str) -> list[Source]:
    """The deployments of a project that have any."""
    rows = reading.rows(_queries().sources, project=project)
    groups = groupby(rows, lambda row: (row["deployment"], row["event_type"]))
    return [_source(*names, list(of_it)) for names, of_it in groups]


def event_type_of(reading: Reading, project: str, deployment: str) -> str | None:
    """What a deployment stores; none where the project has no such deployment."""
    row = reading.row(_queries().find, project=project, deployment=deployment)
    return None if row is None else str(row["event_type"])


def tally(
    reading: Reading, deployment: str, event_type: str, states: Sequence[LetterState]
) -> tuple[Source, list[Reason]]:
    """How many there are, and the most frequent reasons of those in some states."""
    values = {"deployment": deployment, "states": [state.value for state in states]}
    rows = reading.rows(_queries().tally, **values, limit=MOST_REASONS)
    reasons = [
        Reason(row["reason"], row["sqlstate"], row["count"]) for row in rows if not row["state"]
    ]
    return _source(deployment, event_type, [row for row in rows if row["state"]]), reasons


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
    values = {"deployment": deployment, **selection.values()}
    return int(reading.planned_anew(_some("count"), **values)[0]["count"])


def letters(
    reading: Reading,
    deployment: str,
    selection: Selection,
    *,
    limit: int,
    skipped: int = 0,
    shown_bytes: int = 2**30,
) -> list[Letter]:
    """In the order in which they failed."""
    rows = reading.planned_anew(
        _some("letters"),
        deployment=deployment,
        **selection.values(),
        limit=limit,
        skipped=skipped,
        bytes=shown_bytes,
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


def not_copied(transaction: Transaction, after: int, limit: int, most_bytes: int) -> list[Row]:
    """The next ones behind an id whose copies are not written yet; at least one."""
    return transaction.rows(_queries().not_copied, after=after, limit=limit, bytes=most_bytes)


def copied(transaction: Transaction, ids: Sequence[int]) -> None:
    transaction.run(_queries().copied, ids=list(ids))


def warn(
    transaction: Transaction, before: datetime, now: datetime, limit: int
) -> list[tuple[str, str]]:
    """Mark those that failed before; the deployment and state of each."""
    rows = transaction.rows(_queries().warn, before=before, now=now, limit=limit)
    return [(row["deployment"], row["state"]) for row in rows]


def expire(
    transaction: Transaction, before: datetime, warned: datetime, limit: int
) -> list[tuple[str, str]]:
    """Drop those that failed before and were warned of by then."""
    rows = transaction.rows(_queries().expire, before=before, warned=warned, limit=limit)
    return [(row["deployment"], row["state"]) for row in rows]


def _some(name: str) -> Composed:
    return _queries().composed(name, condition=_queries().condition)


def _queries() -> Queries:
    return load("grnry.dead_letters")
