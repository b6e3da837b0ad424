"""Dead letters in the database."""

from collections.abc import Sequence
from datetime import datetime

from grnry.database.queries import Queries, load
from grnry.database.sql import Composed
from grnry.database.transaction import Row, Transaction
from grnry.dead_letters.model import Letter, LetterState, Reason, Selection, Source

MOST_REASONS = 50


def sources(transaction: Transaction, project: str) -> list[Source]:
    """The deployments of a project that have any."""
    rows = transaction.rows(_queries().sources, project=project, deployment=None)
    return [_source(row) for row in rows]


def source(transaction: Transaction, project: str, deployment: str) -> Source | None:
    """One deployment of a project, whether it has any or not."""
    row = transaction.row(_queries().sources, project=project, deployment=deployment)
    return None if row is None else _source(row)


def _source(row: Row) -> Source:
    counts = {state.value: int(row[state.value]) for state in LetterState}
    return Source(row["deployment"], row["event_type"], counts, row["expiring"], row["oldest"])


def reasons(
    transaction: Transaction, deployment: str, states: Sequence[LetterState]
) -> list[Reason]:
    """The most frequent ones."""
    values = {"deployment": deployment, "states": [state.value for state in states]}
    rows = transaction.rows(_queries().reasons, **values, limit=MOST_REASONS)
    return [Reason(row["reason"], row["sqlstate"], row["count"]) for row in rows]


def count(transaction: Transaction, deployment: str, selection: Selection) -> int:
    values = {"deployment": deployment, **selection.values()}
    return int(transaction.planned_anew(_some("count"), **values)[0]["count"])


def letters(
    transaction: Transaction,
    deployment: str,
    selection: Selection,
    *,
    limit: int,
    skipped: int = 0,
    shown_bytes: int = 2**30,
) -> list[Letter]:
    """In the order in which they failed."""
    rows = transaction.planned_anew(
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
