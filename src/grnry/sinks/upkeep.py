"""The platform's own upkeep: what one worker does for all deployments, again and again.

It runs as a deployment from the platform's first start on, with the platform's login: it may do
what workers may not.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from grnry.database.pool import Database
from grnry.deployments import service as deployments
from grnry.errors import ServiceAway, StartError
from grnry.settings import Settings
from grnry.sinks.status import Report, Status

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 60.0
TRY_AGAIN_SECONDS = 5.0


def ensure(database: Database, deployment: str, command: tuple[str, ...]) -> None:
    """It runs from the first start on."""
    with database.transaction() as transaction:
        deployments.save(transaction, deployment, command, {})
        deployments.start(transaction, deployment)


def settings_of(
    command: tuple[str, ...], words: Sequence[str], environment: Mapping[str, str], why: str
) -> Settings:
    """Raises StartError where no login is given; `why` says for what workers' own will not do."""
    if words:
        raise StartError(f"`grnry run {' '.join(command)}` takes no further words.")
    settings = Settings.from_environment(environment)
    if not settings.database_url:
        raise StartError(f"GRNRY_DATABASE_URL is not set. {why}")
    return settings


class Upkeep:
    """What its kinds share: they add `run` and `metrics`."""

    def __init__(self, settings: Settings, deployment: str) -> None:
        self._settings = settings
        self._deployment = deployment
        self._status = Status()
        self._stopping = threading.Event()

    @property
    def changed(self) -> threading.Event:
        return self._status.changed

    def database(self) -> Database:
        """The platform's, open."""
        return Database(
            self._settings.database_url,
            size=1,
            application=self._deployment,
            answer_seconds=ANSWER_SECONDS,
        ).open()

    def does(self, what: str, work: Callable[[], None]) -> bool:
        """Whether it is done; else something is away, which is said, and it is tried again."""
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
