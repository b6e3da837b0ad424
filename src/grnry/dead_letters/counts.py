"""How many dead letters there are: what each statement has added is summed up, now and then."""

import threading

from grnry.database.pool import Database
from grnry.dead_letters import store

AT_ONCE = 5000


def sum_up(database: Database, stopping: threading.Event) -> None:
    """All that was added since the last time."""
    summed = AT_ONCE
    while summed == AT_ONCE and not stopping.is_set():
        with database.transaction() as transaction:
            summed = store.sum_up(transaction, AT_ONCE)
