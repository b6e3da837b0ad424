"""The reaper's deployment: `grnry run reaper`, one for the whole platform."""

import logging
import threading
from collections.abc import Mapping, Sequence

from grnry.database.pool import Database
from grnry.deployments import service as deployments
from grnry.deployments.worker import run_worker
from grnry.errors import ServiceAway, StartError
from grnry.events.expiry.reaper import Reaper
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.settings import Settings
from grnry.sinks.status import Report, Status

logger = logging.getLogger(__name__)

DEPLOYMENT = "grnry-reaper"
COMMAND = ("reaper",)
ANSWER_SECONDS = 60.0
TRY_AGAIN_SECONDS = 5.0


def ensure_reaper(database: Database) -> None:
    """It runs from the first start on."""
    with database.transaction() as transaction:
        deployments.save(transaction, DEPLOYMENT, COMMAND, {})
        deployments.start(transaction, DEPLOYMENT)


class ReaperWork:
    """Reaps at once and then every so often."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._status = Status()
        self._stopping = threading.Event()
        self._reaper: Reaper | None = None

    @property
    def changed(self) -> threading.Event:
        return self._status.changed

    def run(self) -> None:
        url = self._settings.database_url
        database = Database(url, size=1, application=DEPLOYMENT, answer_seconds=ANSWER_SECONDS)
        producer = Producer(Cluster.of(self._settings), DEPLOYMENT)
        self._reaper = Reaper(database.open(), producer, self._stopping)
        self._status.consuming(yes=True)
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = self._reap(self._reaper)
        producer.close()
        database.close()

    def _reap(self, reaper: Reaper) -> float:
        """Answers in how many seconds to do so again."""
        try:
            reaper.reap()
        except ServiceAway as error:
            logger.warning("Trying again in %g s: %s", TRY_AGAIN_SECONDS, error.message)
            self._status.trouble("expiry", error.message)
            return TRY_AGAIN_SECONDS
        self._status.clear("expiry")
        return float(self._settings.expiry_seconds)

    def stop(self) -> None:
        self._stopping.set()

    def report(self) -> Report:
        return self._status.report()

    def is_stuck(self) -> str:
        """Never: what it waits for has a deadline."""
        return ""

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
    if words:
        raise StartError("`grnry run reaper` takes no further words.")
    settings = Settings.from_environment(environment)
    if not settings.database_url:
        raise StartError(
            "GRNRY_DATABASE_URL is not set. The reaper deletes rows, which the role of workers may"
            " not do."
        )
    return run_worker(ReaperWork(settings), environment)
