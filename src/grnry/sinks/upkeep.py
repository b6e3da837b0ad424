"""The platform's own upkeep: one worker that sees to all deployments' rows, again and again.

It runs as a deployment from the platform's first start on, with the platform's login: it may do
what workers may not. What it does are chores of rooms, each in a thread of its own, so that one
that takes long keeps no other waiting.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from grnry.database.pool import Database
from grnry.deployments import service as deployments
from grnry.deployments.memory import keep_little
from grnry.errors import ServiceAway, StartError
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.settings import Settings
from grnry.sinks.status import Report, Status

logger = logging.getLogger(__name__)

DEPLOYMENT = "grnry-upkeep"
COMMAND = ("upkeep",)
FORMER = ("grnry-reaper", "grnry-dead-letters")
"""Deployments that did the same each for itself."""

ANSWER_SECONDS = 60.0
TRY_AGAIN_SECONDS = 5.0
SESSION_SECONDS = 60.0
"""Who has nothing to do for so long keeps no session with the database."""


def ensure(database: Database) -> None:
    """It runs from the first start on."""
    with database.transaction() as transaction:
        for name in FORMER:
            deployments.delete(transaction, name)
        deployments.save(transaction, DEPLOYMENT, COMMAND, {})
        deployments.start(transaction, DEPLOYMENT)


def expect_login(settings: Settings, words: Sequence[str]) -> None:
    """Raises StartError where the platform's is not given."""
    if words:
        raise StartError(f"`grnry run {' '.join(COMMAND)}` takes no further words.")
    if not settings.database_url:
        raise StartError(
            "GRNRY_DATABASE_URL is not set. The upkeep deletes rows, which the role of workers may"
            " not do."
        )


@dataclass(frozen=True, slots=True)
class Tools:
    """What a chore works with."""

    settings: Settings
    database: Database
    cluster: Cluster
    producer: Producer
    stopping: threading.Event
    """It ends what it does as soon as it can."""

    does: Callable[[str, Callable[[], None]], bool]
    """Do something, by its name: whether it is done; else something is away, which is told."""


class Chore(Protocol):
    """One of the things to do."""

    def step(self) -> float:
        """Do what is due; answers in how many seconds something is due again."""
        ...

    def metrics(self) -> str: ...


class Upkeep:
    """Does chores until it is told to stop."""

    def __init__(self, settings: Settings, makers: Sequence[Callable[[Tools], Chore]]) -> None:
        self._settings = settings
        self._makers = makers
        self._chores: list[Chore] = []
        self._status = Status()
        self._stopping = threading.Event()
        self._crash: BaseException | None = None

    @property
    def changed(self) -> threading.Event:
        return self._status.changed

    def run(self) -> None:
        """Blocks until `stop`; raises what ended a chore."""
        keep_little()
        cluster = Cluster.of(self._settings)
        producer = Producer(cluster, DEPLOYMENT)
        threads = []
        for make in self._makers:
            database = self._database()
            stopping, does = self._stopping, self._does
            chore = make(Tools(self._settings, database, cluster, producer, stopping, does))
            self._chores.append(chore)
            threads.append(threading.Thread(target=self._guarded, args=(chore, database)))
        for thread in threads:
            thread.start()
        self._status.consuming(yes=True)
        for thread in threads:
            thread.join()
        producer.close()
        if self._crash is not None:
            raise self._crash

    def _database(self) -> Database:
        """The platform's; of each chore its own, so that none waits for another's transaction."""
        return Database(
            self._settings.database_url,
            size=1,
            application=DEPLOYMENT,
            answer_seconds=ANSWER_SECONDS,
        )

    def _guarded(self, chore: Chore, database: Database) -> None:
        try:
            self._do(chore, database)
        except BaseException as error:
            self._crash = self._crash or error
            self._stopping.set()
        finally:
            database.close()

    def _do(self, chore: Chore, database: Database) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            database.open()
            pause = chore.step()
            if pause >= SESSION_SECONDS:
                database.close()

    def _does(self, what: str, work: Callable[[], None]) -> bool:
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
        return "".join(chore.metrics() for chore in self._chores)
