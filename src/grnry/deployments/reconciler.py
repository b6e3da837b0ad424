"""The reconciler: compares what is wanted with what is seen, acts, and notes what is seen.

Reads: grnry.deployments.
Writes: the state columns of grnry.deployments.

One at a time: the one whose session is noted in grnry.leaders, as long as that session lasts.
"""

import logging
import time
from collections.abc import Mapping

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from grnry.database.connection import connect
from grnry.database.queries import load
from grnry.deployments.deployer import Deployer
from grnry.deployments.model import (
    Action,
    Deployment,
    Noted,
    Observation,
    Seen,
    State,
    next_action,
    to_note,
)

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 5.0


class Reconciler:
    """One step after another; whoever drives it decides how long to wait between them."""

    def __init__(self, url: str, deployer: Deployer) -> None:
        self._url = url
        self._deployer = deployer
        self._queries = load("grnry.deployments")
        self._connection: psycopg.Connection[DictRow] | None = None
        self._wanted: dict[str, Deployment] = {}
        self._noted: dict[str, Noted] = {}
        self._refreshed = 0.0
        self.is_leader = False
        self.is_led_by_another = False

    def connect(self) -> bool:
        """Connect and become the one who reconciles; false while another is."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, "grnry-reconciler")
            self.is_leader = False
        if not self.is_leader and self._is_made():
            self.is_leader = self._lead(self._connection)
            self.is_led_by_another = not self.is_leader
            if self.is_leader:
                self._connection.execute(self._queries.listen)
                self._refreshed = 0.0
        return self.is_leader

    def _lead(self, connection: psycopg.Connection[DictRow]) -> bool:
        led = connection.execute(self._queries.is_led).fetchone()
        if led is None or led["by_another"]:
            return False
        connection.execute(self._queries.be_candidate)
        with connection.transaction():
            connection.execute(self._queries.lock_leader)
            return connection.execute(self._queries.lead).fetchone() is not None

    def _is_made(self) -> bool:
        """Whether the API has made the schema; until then there is nothing to look at."""
        assert self._connection is not None
        row = self._connection.execute(self._queries.is_made).fetchone()
        return bool(row and row["is_made"])

    def disconnect(self) -> None:
        """After an error: what runs goes on running; what is wanted is read again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self.is_leader = False

    def fileno(self) -> int | None:
        """What becomes readable when somebody wants something."""
        return None if self._connection is None else self._connection.fileno()

    def notified(self) -> bool:
        """Whether a wish was told, also in between the answers to our own statements."""
        if self._connection is not None:
            for _ in self._connection.notifies(timeout=0):
                self._refreshed = 0.0
        return self._refreshed == 0.0

    @property
    def wanted(self) -> frozenset[str]:
        """The names of all deployments, as they were read last."""
        return frozenset(self._wanted)

    def step(self) -> float:
        """Compare and act; answers in how many seconds to look again at the latest."""
        now = time.monotonic()
        self.notified()
        if now - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = now  # before it is read, as a wish may be made meanwhile
            self._read_wanted()
        observed = self._poll()
        names = self._wanted.keys() | observed.keys()
        acted = [name for name in names if self._act(name, observed.get(name))]
        self._note(self._poll() if acted else observed)
        # What was stopped may be gone already, and be wanted anew.
        return 0.0 if self.notified() or acted else REFRESH_SECONDS

    def _poll(self) -> Mapping[str, Observation]:
        return self._deployer.poll({name: noted.saved for name, noted in self._noted.items()})

    def _read_wanted(self) -> None:
        assert self._connection is not None
        rows = self._connection.execute(self._queries.wanted).fetchall()
        self._wanted = {row["name"]: Deployment.from_row(row) for row in rows}
        # As it stands there, and not as we left it: a wish changes the state as well.
        self._noted = {row["name"]: Noted.from_row(row) for row in rows}

    def _act(self, name: str, observed: Observation | None) -> bool:
        """Do what has to be done; false where that is nothing."""
        wanted = self._wanted.get(name)
        match next_action(wanted, observed):
            case Action.START:
                assert wanted is not None
                logger.info("Starting %s.", name)
                self._deployer.start(wanted)
            case Action.STOP:
                logger.info("Stopping %s.", name)
                self._deployer.stop(name)
            case Action.NOTHING:
                return False
        return True

    def _note(self, observed: Mapping[str, Observation]) -> None:
        changed = {}
        for name, wanted in sorted(self._wanted.items()):
            noted = to_note(wanted, observed.get(name))
            if noted != self._noted.get(name):
                self._tell_failure(name, noted.seen)
                changed[name] = noted
        if changed:
            self._write(changed)
            self._noted |= changed

    def _tell_failure(self, name: str, seen: Seen) -> None:
        before = self._noted.get(name)
        if seen.state is State.FAILED and (before is None or before.seen != seen):
            logger.warning("%s has failed: %s", name, seen.message)

    def _write(self, changed: Mapping[str, Noted]) -> None:
        """All at once, as twenty that start together would else be twenty commits."""
        assert self._connection is not None
        rows = [_row(self._wanted[name], noted) for name, noted in changed.items()]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(self._queries.observe, rows)


def _row(wanted: Deployment, noted: Noted) -> dict[str, object]:
    return {
        "name": wanted.name,
        "state": noted.seen.state,
        "message": noted.seen.message.replace("\0", "\ufffd"),
        "retrying": noted.seen.retrying,
        "generation": noted.generation,
        "run": noted.run,
        "saved": Jsonb(dict(noted.saved)),
        "wanted_run": wanted.run,
        "desired": "running" if wanted.is_wanted else "stopped",
    }
