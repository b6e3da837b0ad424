"""The keeping of dead letters as a part of the platform's upkeep."""

import time

from grnry.dead_letters.copies import Copier
from grnry.dead_letters.counts import sum_up
from grnry.dead_letters.retention import Retention
from grnry.log.admin import Admin
from grnry.sinks.upkeep import TRY_AGAIN_SECONDS, Tools

COPY_SECONDS = 5.0
KEEP_SECONDS = 3600.0
DAY_MS = 86_400_000


class Keeping:
    """Sums up counts, copies what has no copy yet, and once an hour sees to what is old."""

    def __init__(self, tools: Tools) -> None:
        self._does, self._stopping = tools.does, tools.stopping
        self._database = tools.database
        days = tools.settings.dead_letter_days
        admin = Admin(tools.cluster)
        self._copier = Copier(tools.database, admin, tools.producer, days * DAY_MS, tools.stopping)
        self._retention = Retention(tools.database, days, tools.stopping)
        self._keep_at = 0.0

    def step(self) -> float:
        is_due = time.monotonic() >= self._keep_at
        done = not is_due or self._does("retention", self._retention.keep)
        if is_due and done:
            self._keep_at = time.monotonic() + KEEP_SECONDS
        done &= self._does("counts", lambda: sum_up(self._database, self._stopping))
        done &= self._does("copies", self._copier.copy)
        return COPY_SECONDS if done else TRY_AGAIN_SECONDS

    def metrics(self) -> str:
        return (
            "# TYPE grnry_dead_letters_copied_total counter\n"
            f"grnry_dead_letters_copied_total {self._copier.copied}\n"
            "# TYPE grnry_dead_letters_expiring_total counter\n"
            f"grnry_dead_letters_expiring_total {self._retention.warned}\n"
            "# TYPE grnry_dead_letters_dropped_total counter\n"
            f"grnry_dead_letters_dropped_total {self._retention.dropped}\n"
        )
