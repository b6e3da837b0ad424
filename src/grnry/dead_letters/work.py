"""The keeper's deployment: `grnry run dead-letters`, one for the whole platform."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from grnry.database.pool import Database
from grnry.dead_letters.copies import Copier
from grnry.dead_letters.counts import sum_up
from grnry.dead_letters.retention import Retention
from grnry.deployments import service as deployments
from grnry.deployments.worker import run_worker
from grnry.errors import ServiceAway, StartError
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.settings import Settings
from grnry.sinks.status import Report, Status

logger = logging.getLogger(__name__)

DEPLOYMENT = "grnry-dead-letters"
COMMAND = ("dead-letters",)
ANSWER_SECONDS = 60.0
TRY_AGAIN_SECONDS = 5.0
COPY_SECONDS = 5.0
KEEP_SECONDS = 3600.0
DAY_MS = 86_400_000


def ensure_keeper(database: Database) -> None:
    """It runs from the first start on."""
    with database.transaction() as transaction:
        deployments.save(transaction, DEPLOYMENT, COMMAND, {})
        deployments.start(transaction, DEPLOYMENT)


class KeeperWork:
    """Sums up counts, copies what has no copy yet, and once an hour sees to what is old."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._status = Status()
        self._stopping = threading.Event()
        self._copier: Copier | None = None
        self._retention: Retention | None = None

    @property
    def changed(self) -> threading.Event:
        return self._status.changed

    def run(self) -> None:
        url, days = self._settings.database_url, self._settings.dead_letter_days
        database = Database(url, size=1, application=DEPLOYMENT, answer_seconds=ANSWER_SECONDS)
        cluster = Cluster.of(self._settings)
        producer = Producer(cluster, DEPLOYMENT)
        database.open()
        self._copier = Copier(database, Admin(cluster), producer, days * DAY_MS, self._stopping)
        self._retention = Retention(database, days, self._stopping)
        self._status.consuming(yes=True)
        keep_at, pause = 0.0, 0.0
        while not self._stopping.wait(pause):
            is_due = time.monotonic() >= keep_at
            done = not is_due or self._do("retention", self._retention.keep)
            keep_at = time.monotonic() + KEEP_SECONDS if is_due and done else keep_at
            done &= self._do("counts", lambda: sum_up(database, self._stopping))
            done &= self._do("copies", self._copier.copy)
            pause = COPY_SECONDS if done else TRY_AGAIN_SECONDS
        producer.close()
        database.close()

    def _do(self, what: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except ServiceAway as error:
            logger.warning("Trying again in %g s: %s", TRY_AGAIN_SECONDS, error.message)
            self._status.trouble(what, error.message)
            return False
        self._status.clear(what)
        return True

    def stop(self) -> None:
        self._stopping.set()

    def report(self) -> Report:
        return self._status.report()

    def is_stuck(self) -> str:
        """Never: what it waits for has a deadline."""
        return ""

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
    if words:
        raise StartError("`grnry run dead-letters` takes no further words.")
    settings = Settings.from_environment(environment)
    if not settings.database_url:
        raise StartError(
            "GRNRY_DATABASE_URL is not set. Dead letters are dropped by the keeper, which the role"
            " of workers may not do."
        )
    return run_worker(KeeperWork(settings), environment)
