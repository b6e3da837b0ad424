"""The reaper's deployment: `grnry run reaper`, one for the whole platform."""

from collections.abc import Mapping, Sequence

from grnry.database.address import place_of
from grnry.database.pool import Database
from grnry.deployments.worker import run_worker
from grnry.events.expiry.reaper import Reaper
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.settings import Settings
from grnry.sinks import upkeep
from grnry.sinks.upkeep import TRY_AGAIN_SECONDS, Upkeep

DEPLOYMENT = "grnry-reaper"
COMMAND = ("reaper",)


def ensure_reaper(database: Database) -> None:
    upkeep.ensure(database, DEPLOYMENT, COMMAND)


class ReaperWork(Upkeep):
    """Reaps at once and then every so often."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, DEPLOYMENT)
        self._reaper: Reaper | None = None

    def run(self) -> None:
        database = self.database()
        producer = Producer(Cluster.of(self._settings), DEPLOYMENT)
        own = place_of(self._settings.worker_database_url or self._settings.database_url)
        self._reaper = Reaper(database, producer, own, self._stopping)
        self._status.consuming(yes=True)
        pause = 0.0
        while not self._stopping.wait(pause):
            done = self.does("expiry", self._reaper.reap)
            pause = float(self._settings.expiry_seconds) if done else TRY_AGAIN_SECONDS
        producer.close()
        database.close()

    def metrics(self) -> str:
        counted = self._reaper.counted if self._reaper else None
        return (
            "# TYPE grnry_expired_events_total counter\n"
            f"grnry_expired_events_total {counted.told if counted else 0}\n"
            "# TYPE grnry_deleted_events_total counter\n"
            f"grnry_deleted_events_total {counted.deleted if counted else 0}\n"
        )


def run_reaper(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """`grnry run reaper`."""
    why = "The reaper deletes rows, which the role of workers may not do."
    settings = upkeep.settings_of(COMMAND, words, environment, why)
    return run_worker(ReaperWork(settings), environment)
