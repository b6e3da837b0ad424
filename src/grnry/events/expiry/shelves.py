"""The tables in which events of a type are kept, for what the reaper does there."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from grnry.database import sql
from grnry.persisters.configuration import EVENT_STORE
from grnry.sinks.places import Open

PLATFORM_ROWS = sql.Identifier(*EVENT_STORE)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A table with events."""

    name: str
    """How it is called in what is known of it; the platform's table has no name."""

    rows: sql.Composable
    begin: Open
    has_time: Callable[[], bool]
    """Whether to go on there."""

    grace: str = ""
    """How long what has expired stays, where its persister does not say so itself."""


def time_until(stopping: threading.Event, seconds: float) -> Callable[[], bool]:
    """Some seconds from now, unless all is stopped before."""
    until = time.monotonic() + seconds
    return lambda: not stopping.is_set() and time.monotonic() < until
