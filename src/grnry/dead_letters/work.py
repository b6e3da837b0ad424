"""The keeper's deployment: `grnry run dead-letters`, one for the whole platform."""

import time
from collections.abc import Mapping, Sequence

from grnry.database.pool import Database
from grnry.dead_letters.copies import Copier
from grnry.dead_letters.counts import sum_up
from grnry.dead_letters.retention import Retention
from grnry.deployments.worker import run_worker
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.settings import Settings
from grnry.sinks import upkeep
from grnry.sinks.upkeep import TRY_AGAIN_SECONDS, Upkeep

DEPLOYMENT = "grnry-dead-letters"
COMMAND = ("dead-letters",)
COPY_SECONDS = 5.0
KEEP_SECONDS = 3600.0
DAY_MS = 86_400_000


def ensure_keeper(database: Database) -> None:
    upkeep.ensure(database, DEPLOYMENT, COMMAND)


class KeeperWork(Upkeep):
    """Sums up counts, copies what has no copy yet, and once an hour sees to what is old."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, DEPLOYMENT)
        self._copier: Copier | None = None
        self._retention: Retention | None = None

    def run(self) -> None:
        database, days = self.database(), self._settings.dead_letter_days
        cluster = Cluster.of(self._settings)
        producer = Producer(cluster, DEPLOYMENT)
        self._copier = Copier(database, Admin(cluster), producer, days * DAY_MS, self._stopping)
        self._retention = Retention(database, days, self._stopping)
        self._status.consuming(yes=True)
        keep_at, pause = 0.0, 0.0
        while not self._stopping.wait(pause):
            is_due = time.monotonic() >= keep_at
            done = not is_due or self.does("retention", self._retention.keep)
            keep_at = time.monotonic() + KEEP_SECONDS if is_due and done else keep_at
            done &= self.does("counts", lambda: sum_up(database, self._stopping))
            done &= self.does("copies", self._copier.copy)
            pause = COPY_SECONDS if done else TRY_AGAIN_SECONDS
        producer.close()
        database.close()

    def metrics(self) -> str:
        copied = self._copier.copied if self._copier else 0
        warned = self._retention.warned if self._retention else 0
        dropped = self._retention.dropped if self._retention else 0
        return (
            "# TYPE grnry_dead_letters_copied_total counter\n"
            f"grnry_dead_letters_copied_total {copied}\n"
            "# TYPE grnry_dead_letters_expiring_total counter\n"
            f"grnry_dead_letters_expiring_total {warned}\n"
            "# TYPE grnry_dead_letters_dropped_total counter\n"
            f"grnry_dead_letters_dropped_total {dropped}\n"
        )


def run_keeper(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """`grnry run dead-letters`."""
    why = "Dead letters are dropped by the keeper, which the role of workers may not do."
    settings = upkeep.settings_of(COMMAND, words, environment, why)
    return run_worker(KeeperWork(settings), environment)
