"""Deleting what is stored of an event type, or was left by deleted ones of its name."""

from collections.abc import Callable

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.errors import NotFound, ServiceAway
from grnry.event_types import relations, store
from grnry.event_types.checks import still_read
from grnry.event_types.kinds import LIVE_SEGMENT

PURGE_ROWS = 10_000


def purge(
    database: Database, project: str, name: str, *, finish_deletions: Callable[[], None]
) -> int:
    """Delete all that is stored under the name; answers how much there was."""
    with database.transaction() as transaction:
        found = store.versions(transaction, name, project)
        own = {found[-1].draft.type} if found else set()
        kinds = own | set(store.former_types(transaction, name, project))
    if not kinds:
        raise NotFound(f"Event Type '{name}' not found.")
    if not own:
        finish_deletions()
        _expect_deleted(database, name)
    return sum(_purge(database, project, name, kind, drop=kind not in own) for kind in kinds)


def _expect_deleted(database: Database, name: str) -> None:
    """Until its row has gone its persister may write, and what it left would be anybody's."""
    with database.transaction() as transaction:
        if store.is_deleting(transaction, name):
            raise ServiceAway(f"Event Type '{name}' is being deleted. Try again.")


def _purge(database: Database, project: str, name: str, kind: str, *, drop: bool) -> int:
    purged = 0
    while True:
        with database.transaction() as transaction:
            gone = relations.purge(transaction, kind, name, PURGE_ROWS)
            purged += gone
            if gone == PURGE_ROWS:
                continue
            if kind == LIVE_SEGMENT:
                if drop:
                    expect_that_nobody_reads(transaction, kind, name, project)
                purged += relations.purge_table(transaction, name, project, drop=drop)
            if drop:
                store.forget_former(transaction, name, kind)
            return purged


def expect_that_nobody_reads(transaction: Transaction, kind: str, name: str, project: str) -> None:
    if found := relations.built_on(transaction, kind, name, project):
        raise still_read(kind, name, project, ", ".join(found))
