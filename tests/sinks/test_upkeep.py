"""The platform's upkeep: chores that do not wait for each other, on a real database."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from grnry.database.pool import Database
from grnry.database.sql import SQL
from grnry.deployments import service as deployments
from grnry.errors import ServiceAway, StartError
from grnry.settings import Settings
from grnry.sinks import upkeep
from grnry.sinks.upkeep import DEPLOYMENT, FORMER, Chore, Tools, Upkeep
from tests.conftest import free_port, wait_for

NEVER = 3600.0


class Asking:
    """A chore that asks the database, and waits as long as it is told to."""

    def __init__(self, tools: Tools, pause: float) -> None:
        self.tools, self.pause, self.steps = tools, pause, 0

    def step(self) -> float:
        self.tools.does("asking", self.tools.database.check)
        self.steps += 1
        return self.pause

    def metrics(self) -> str:
        return f"steps {self.steps}\n"


class Blocked(Asking):
    """One that is busy until it is told to stop."""

    def step(self) -> float:
        self.steps += 1
        self.tools.stopping.wait(60)
        return NEVER


class Broken(Asking):
    def step(self) -> float:
        raise LookupError("a chore that ends by an error")


class Away(Asking):
    """One whose help is away the first time."""

    def step(self) -> float:
        self.tools.does("asking", self.ask)
        return 0.01

    def ask(self) -> None:
        self.steps += 1
        if self.steps == 1:
            raise ServiceAway("it does not answer at the moment")


class Running:
    """An upkeep in a thread of the test."""

    def __init__(self, url: str) -> None:
        self.settings = Settings(database_url=url, kafka_bootstrap=f"127.0.0.1:{free_port()}")
        self.made: list[Asking] = []
        self.error: BaseException | None = None

    def start(self, *kinds: Callable[[Tools], Asking]) -> None:
        def maker(kind: Callable[[Tools], Asking]) -> Callable[[Tools], Chore]:
            def make(tools: Tools) -> Chore:
                self.made.append(kind(tools))
                return self.made[-1]

            return make

        self.work = Upkeep(self.settings, [maker(kind) for kind in kinds])
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.work.run()
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self.work.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def running(database_url: str) -> Iterator[Running]:
    made = Running(database_url)
    yield made
    made.stop()


def sessions(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity"
            " where application_name = %s and datname = current_database()",
            [DEPLOYMENT],
        ).fetchone()
    return int(row[0]) if row else 0


def test_a_chore_that_takes_long_keeps_no_other_waiting(running: Running) -> None:
    running.start(lambda tools: Blocked(tools, NEVER), lambda tools: Asking(tools, 0.01))
    wait_for(lambda: len(running.made) == 2, what="both are made")
    blocked, other = running.made
    wait_for(lambda: blocked.steps == 1 and other.steps > 5, what="the other goes on")
    assert running.work.report().state == "RUNNING"
    assert "steps 1\n" in running.work.metrics()
    running.stop()
    assert running.error is None
    assert blocked.steps == 1


def test_who_waits_for_long_keeps_no_session(running: Running, database_url: str) -> None:
    running.start(lambda tools: Asking(tools, NEVER), lambda tools: Asking(tools, 0.5))
    wait_for(lambda: len(running.made) == 2, what="both are made")
    seldom, often = running.made
    wait_for(lambda: seldom.steps == 1 and often.steps > 1, what="both have asked")
    wait_for(lambda: sessions(database_url) == 1, what="the one that waits has hung up")
    running.stop()
    wait_for(lambda: sessions(database_url) == 0, what="none is left")


def test_a_chore_that_ends_by_an_error_ends_all(running: Running) -> None:
    running.start(lambda tools: Asking(tools, 0.01), lambda tools: Broken(tools, NEVER))
    running.thread.join(20)
    assert isinstance(running.error, LookupError)


def test_what_is_away_is_told_until_it_is_back(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    running.start(lambda tools: Away(tools, NEVER))
    wait_for(lambda: running.made and running.made[0].steps > 2, what="it is tried again")
    assert "Trying again in 5 s: it does not answer at the moment" in caplog.text
    wait_for(lambda: running.work.report().state == "RUNNING", what="it is back")


def test_it_takes_the_place_of_what_did_the_same(database: Database) -> None:
    with database.transaction() as transaction:
        for name in FORMER:
            deployments.save(transaction, name, (name.removeprefix("grnry-"),), {})
            deployments.start(transaction, name)
    upkeep.ensure(database)
    first = wanted(database)
    assert [row["name"] for row in first] == [DEPLOYMENT]
    assert (first[0]["command"], first[0]["desired"]) == (["upkeep"], "running")
    upkeep.ensure(database)
    assert wanted(database) == first


def wanted(database: Database) -> list[dict[str, Any]]:
    with database.reading() as reading:
        return reading.rows(SQL("select name, command, desired, run from grnry.deployments"))


@pytest.mark.parametrize(
    ("settings", "words", "said"),
    [
        (Settings(), (), "GRNRY_DATABASE_URL is not set"),
        (Settings(database_url="postgresql://"), ("reaper",), "takes no further words"),
    ],
)
def test_it_wants_the_platforms_login(
    settings: Settings, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(StartError, match=said):
        upkeep.expect_login(settings, words)
