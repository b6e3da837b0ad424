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

from grnry.database.connection import connect
from grnry.database.queries import load
from grnry.deployments.deployer import Deployer
from grnry.deployments.model import (
    Action,
    BackOff,
    Deployment,
    Observation,
    Seen,
    next_action,
    what_is_seen,
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
        self._noted: dict[str, Seen] = {}
        self._back_offs: dict[str, BackOff] = {}
        self._deaths: dict[str, str] = {}
        self._refreshed = 0.0
        self.is_leader = False

    def connect(self) -> bool:
        """Connect and become the one who reconciles; false while another is."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, "grnry-reconciler")
            self.is_leader = False
        if not self.is_leader and self._is_made():
            self.is_leader = self._lead(self._connection)
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

    def notified(self) -> None:
        """Something arrived on the connection: look at what is wanted at the next step."""
        if self._connection is not None:
            for _ in self._connection.notifies(timeout=0):
                self._refreshed = 0.0

    def step(self) -> float:
        """Compare and act; answers in how many seconds to look again at the latest."""
        now = time.monotonic()
        if now - self._refreshed >= REFRESH_SECONDS:
            self._read_wanted()
            self._refreshed = now
        observed = self._deployer.poll()
        for name in self._wanted.keys() | observed.keys():
            self._act(name, observed.get(name), now)
        self._note(self._deployer.poll())
        waits = [b.until - now for n, b in self._back_offs.items() if b.until > now]
        return max(0.01, min([REFRESH_SECONDS, *waits]))

    def _read_wanted(self) -> None:
        assert self._connection is not None
        rows = self._connection.execute(self._queries.wanted).fetchall()
        self._wanted = {row["name"]: Deployment.from_row(row) for row in rows}
        # As it stands there, and not as we left it: a wish changes the state as well.
        self._noted = {row["name"]: Seen.from_row(row) for row in rows}
        for name in self._back_offs.keys() - {n for n, w in self._wanted.items() if w.is_wanted}:
            del self._back_offs[name]
            self._deaths.pop(name, None)

    def _act(self, name: str, observed: Observation | None, now: float) -> None:
        wanted = self._wanted.get(name)
        back_off = self._back_offs.get(name, BackOff())
        match next_action(wanted, observed, now, back_off.until):
            case Action.START:
                assert wanted is not None
                logger.info("Starting %s.", name)
                self._deployer.start(wanted)
                self._deaths.pop(name, None)
            case Action.STOP:
                logger.info("Stopping %s.", name)
                self._deployer.stop(name)
            case Action.FORGET:
                assert observed is not None
                self._deployer.forget(name)
                self._bury(name, observed, now)
                self._act(name, None, now)

    def _bury(self, name: str, observed: Observation, now: float) -> None:
        """A worker has ended: as it was told, or it is started again after a pause."""
        wanted = self._wanted.get(name)
        if observed.is_stopping or wanted is None or not wanted.is_wanted:
            self._back_offs.pop(name, None)
            self._deaths.pop(name, None)
            return
        logger.warning("%s ended: %s", name, observed.message)
        self._deaths[name] = observed.message
        self._back_offs.setdefault(name, BackOff()).died(now, observed.ran_seconds)

    def _note(self, observed: Mapping[str, Observation]) -> None:
        assert self._connection is not None
        for name, wanted in self._wanted.items():
            seen = what_is_seen(wanted, observed.get(name), self._deaths.get(name, ""))
            if seen != self._noted.get(name):
                self._connection.execute(
                    self._queries.observe,
                    {
                        "name": name,
                        "state": seen.state,
                        "message": seen.message,
                        "retrying": seen.retrying,
                        "generation": seen.generation,
                    },
                )
                self._noted[name] = seen
