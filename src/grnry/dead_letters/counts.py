"""How many dead letters there are: what each statement has added is summed up, now and then."""

import contextlib
import threading

from grnry.database.pool import Database
from grnry.dead_letters import store
from grnry.sinks import places

AT_ONCE = 5000


def sum_up(database: Database, stopping: threading.Event) -> None:
    """All that was added since the last time, in other databases as well."""
    _sum_up(database, None, stopping)
    with database.reading() as reading:
        others = places.elsewhere(reading)
    for place in others:
        # One that is away is summed up the next time, as nothing but speed comes of it.
        with contextlib.suppress(places.NotThere):
            _sum_up(database, place, stopping)


def _sum_up(database: Database, place: places.Place | None, stopping: threading.Event) -> None:
    summed = AT_ONCE
    while summed == AT_ONCE and not stopping.is_set():
        with places.opened(database, place) as transaction:
            summed = store.sum_up(transaction, AT_ONCE) if transaction is not None else 0
