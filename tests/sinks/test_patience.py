"""What a writer waits for, and what it does not wait for once it is told to stop."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from grnry.database.leases import Leases
from grnry.persisters.event_store import EventStore
from grnry.sinks.batch import Batch
from grnry.sinks.pace import Pace
from grnry.sinks.patience import Patience, Stopped
from grnry.sinks.relay import Relay
from grnry.sinks.status import Status
from grnry.sinks.writer import Writer
from tests.conftest import wait_for
from tests.sinks.records import TOPIC, event

DEPLOYMENT = "grnry-p-pg-calls"
Owner = psycopg.Connection[tuple[object, ...]]

LOCK_SECONDS = 5.0
"""As long as a statement waits for a lock by itself."""

SLOW = """
create function slow() returns trigger language plpgsql as
  $$begin perform pg_sleep(1.5); return null; end$$;
create trigger slow after insert on public.eventstore execute function slow();
"""


class Storing:
    """A batch of one event, stored with patience in a thread."""

    def __init__(self, url: str) -> None:
        self.stop = threading.Event()
        self.status = Status()
        self.was_stopped = False
        self._writer = Writer(url, DEPLOYMENT, Leases(DEPLOYMENT, "me"), EventStore("calls"))
        self._writer.take([(TOPIC, 0)])
        self._patience = Patience(Relay(self._writer), self.status, Pace(), self.stop)
        self._thread = threading.Thread(target=self._store)

    def start(self) -> None:
        self._thread.start()

    def _store(self) -> None:
        batch = Batch.of([event(0)], EventStore("calls"))
        try:
            self._patience.persist(lambda: self._writer.write(batch))
        except Stopped:
            self.was_stopped = True

    def end(self) -> float:
        """How long a stop takes."""
        began = time.monotonic()
        self.stop.set()
        self._patience.await_end(self._thread)
        return time.monotonic() - began

    def close(self) -> None:
        self.stop.set()
        with suppress(RuntimeError):  # it was never started
            self._thread.join()
        self._writer.disconnect()


@pytest.fixture
def storing(worker_database_url: str) -> Iterator[Storing]:
    made = Storing(worker_database_url)
    yield made
    made.close()


@pytest.fixture
def owner(database_url: str) -> Iterator[Owner]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def waits_for(kind: str, url: str) -> bool:
    """Only its own role may see what a session waits for."""
    with psycopg.connect(url) as worker:
        found = worker.execute(
            "select from pg_stat_activity where application_name = %s and wait_event_type = %s"
            " and datname = current_database()",
            [DEPLOYMENT, kind],
        )
        return found.fetchone() is not None


def stored(owner: Owner) -> int:
    return len(owner.execute("select from public.eventstore").fetchall())


def test_a_stop_breaks_off_what_waits_for_a_lock(
    storing: Storing, owner: Owner, worker_database_url: str
) -> None:
    with owner.transaction():
        owner.execute("lock table public.eventstore in access exclusive mode")
        storing.start()
        wait_for(lambda: waits_for("Lock", worker_database_url), what="it waits for the lock")
        assert storing.end() < LOCK_SECONDS - 1
    assert storing.was_stopped
    assert stored(owner) == 0


def test_a_stop_ends_the_pause_between_two_tries(storing: Storing, owner: Owner) -> None:
    owner.execute("alter table public.eventstore rename to elsewhere")
    storing.start()
    wait_for(lambda: storing.status.report().state == "FAILED", what="no row fits")
    assert storing.end() < LOCK_SECONDS
    assert storing.was_stopped


def test_a_stop_waits_for_what_only_takes_long(
    storing: Storing, owner: Owner, worker_database_url: str
) -> None:
    owner.execute(SLOW)
    storing.start()
    wait_for(lambda: waits_for("Timeout", worker_database_url), what="it is storing")
    storing.end()
    assert not storing.was_stopped
    assert stored(owner) == 1
