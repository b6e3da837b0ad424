"""The reconciler's process, killed at any moment while wishes are made: what is wanted runs."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grnry.database.pool import Database
from grnry.deployments import service
from grnry.deployments.child import start_ticks
from grnry.deployments.model import State
from tests.conftest import wait_for
from tests.deployments import reconciling

ROUNDS = int(os.environ.get("GRNRY_TEST_ROUNDS", "1")) * 4
NAMES = [f"d{number}" for number in range(6)]


class World:
    """Deployments of two replicas each, and whoever reconciles them."""

    def __init__(self, database: Database, url: str, folder: Path) -> None:
        self._database = database
        self._url = url
        self._folder = folder
        self.reconcilers: list[subprocess.Popen[bytes]] = []
        self.wanted: set[str] = set()
        with database.transaction() as transaction:
            for name in NAMES:
                service.save(transaction, name, ["any"], {}, replicas=2)

    def reconcile(self) -> None:
        words = [sys.executable, "-m", reconciling.__name__, self._url, str(self._folder)]
        path = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])}
        log = (self._folder / "reconciler.log").open("ab")
        with log:
            self.reconcilers.append(subprocess.Popen(words, env=path, stderr=log))

    def kill(self, number: int = -1) -> None:
        process = self.reconcilers.pop(number)
        process.kill()
        process.wait()

    def wish(self, wish: Callable[..., None], name: str) -> None:
        with self._database.transaction() as transaction:
            wish(transaction, name)
        if wish is service.stop:
            self.wanted.discard(name)
        else:
            self.wanted.add(name)

    def states(self) -> dict[str, State]:
        with self._database.transaction() as transaction:
            found = service.conditions(transaction, NAMES)
        return {name: condition.state for name, condition in found.items()}

    def expected(self) -> dict[str, State]:
        return {n: State.RUNNING if n in self.wanted else State.STOPPED for n in NAMES}

    def alive(self) -> list[str]:
        """The replicas that run, as often as they do."""
        lines = (self._folder / "pids").read_text().splitlines()
        started = [line.split() for line in lines]
        return sorted(name for name, pid in started if start_ticks(int(pid)))

    def settle(self) -> None:
        """Until what is told is what is wanted, and what runs is that as well."""
        replicas = sorted(f"{name}-{number}" for name in self.wanted for number in range(2))

        def is_so() -> bool:
            return self.states() == self.expected() and self.alive() == replicas

        wait_for(is_so, 40, f"{self.expected()} is so")

    def until_changed(self, before: int, by: int) -> None:
        """Until so many more or fewer replicas run, or all is as it is wanted."""

        def is_changed() -> bool:
            changed = abs(len(self.alive()) - before)
            return changed >= by or self.states() == self.expected()

        wait_for(is_changed, what="it is at work")

    def doubles(self) -> list[Path]:
        return list(self._folder.glob("*.twice"))

    def stop(self) -> None:
        for process in self.reconcilers:
            process.send_signal(signal.SIGTERM)
        for process in self.reconcilers:
            assert process.wait(40) == 0
        self.reconcilers.clear()


@pytest.fixture
def world(database: Database, database_url: str, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "pids").touch()
    made = World(database, database_url, tmp_path)
    yield made
    for _ in list(made.reconcilers):
        made.kill()


def test_what_is_wanted_runs_once_whenever_the_reconciler_is_killed(world: World) -> None:
    dice = random.Random(3)
    for _ in range(ROUNDS):
        world.reconcile()
        before = len(world.alive())
        for name in dice.sample(NAMES, 4):
            world.wish(dice.choice([service.start, service.stop, service.restart]), name)
        # At a moment of its start or of its work, or when it is done.
        world.until_changed(before, dice.randrange(8))
        world.kill()
        wait_for(lambda: not world.alive(), what="nothing is left over")
    world.reconcile()
    world.settle()
    world.stop()
    assert world.alive() == []
    assert world.doubles() == []


def test_another_takes_over_and_who_comes_back_does_nothing(world: World) -> None:
    for name in NAMES[:3]:
        world.wish(service.start, name)
    world.reconcile()
    world.settle()
    world.reconcile()
    world.wish(service.restart, NAMES[0])
    world.settle()
    world.kill(0)
    world.settle()
    assert world.doubles() == []
    world.stop()
    assert world.alive() == []


def test_who_has_lost_its_session_and_the_lead_stops_what_it_runs(
    world: World, database: Database, tmp_path: Path
) -> None:
    """A frozen one whose connection the server has ended; its workers go on without it."""
    for name in NAMES[:2]:
        world.wish(service.start, name)
    world.reconcile()
    world.settle()
    frozen = world.reconcilers[0]
    frozen.send_signal(signal.SIGSTOP)
    world.wish(service.stop, NAMES[1])
    end_session(database)
    world.reconcile()
    wait_for(lambda: world.states()[NAMES[0]] is State.RUNNING, 40, "the other one reconciles")
    world.settle()
    frozen.send_signal(signal.SIGCONT)
    log = tmp_path / "reconciler.log"
    wait_for(lambda: "Another reconciler has taken over" in log.read_text(), 40, "it has noticed")
    world.settle()
    assert world.doubles() == []
    world.stop()
    assert world.alive() == []


def end_session(database: Database) -> None:
    with database.transaction() as transaction:
        transaction.connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'grnry-reconciler' and datname = current_database()"
        )
