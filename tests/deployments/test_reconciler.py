"""The reconciler on a real database, with real workers."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from grnry.database.pool import Database
from grnry.database.transaction import Json
from grnry.deployments import processes as processes_module
from grnry.deployments import reconciler as module
from grnry.deployments import service
from grnry.deployments.child import start_ticks
from grnry.deployments.model import Observation, Resources, State
from grnry.deployments.processes import Processes
from grnry.deployments.reconciler import Reconciler
from grnry.deployments.service import Condition
from tests.conftest import wait_for
from tests.deployments.workers import entry

SAVED = sql.SQL("select saved from grnry.deployments where name = %(name)s")
SAVE_STATE = sql.SQL("update grnry.deployments set saved = %(saved)s")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


class World:
    """A reconciler that steps when asked, and users who wish."""

    def __init__(self, database: Database, url: str, logs: Path) -> None:
        self._database = database
        self._url = url
        self.processes = Processes(entry, logs)
        self.reconciler = Reconciler(url, self.processes)
        assert self.reconciler.connect()

    def poll(self) -> Mapping[str, Observation]:
        return self.processes.poll({})

    def wish(self, wish: Callable[..., None], name: str = "a") -> None:
        with self._database.transaction() as transaction:
            wish(transaction, name)

    def save(self, *words: str, name: str = "a", replicas: int = 1) -> None:
        with self._database.transaction() as transaction:
            service.save(transaction, name, words, {}, replicas, Resources(cpu_millis=400))

    def condition(self, name: str = "a") -> Condition | None:
        with self._database.transaction() as transaction:
            return service.condition(transaction, name)

    def save_state(self, saved: Any) -> None:
        with self._database.transaction() as transaction:
            transaction.run(SAVE_STATE, saved=Json(saved))

    def step(self) -> None:
        self.reconciler.notified()
        self.reconciler.step()

    def until(self, state: State, name: str = "a") -> Condition:
        def is_so() -> bool:
            self.step()
            found = self.condition(name)
            return found is not None and found.state is state

        wait_for(is_so, what=f"{state}, but it is {self.condition(name)}")
        found = self.condition(name)
        assert found
        return found

    def pid(self, name: str = "a") -> int:
        ((pid, _),) = self.poll()[name].saved["processes"]
        return int(pid)

    def saved(self, name: str = "a") -> Any:
        with self._database.transaction() as transaction:
            return transaction.value(SAVED, name=name)


@pytest.fixture
def world(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr("grnry.deployments.model.FIRST_BACK_OFF", 0.2)
    made = World(database, database_url, tmp_path)
    yield made
    monkeypatch.setattr(processes_module, "STOP_SECONDS", 0.0)
    made.processes.stop_all()
    made.reconciler.disconnect()


def test_what_is_wanted_runs_and_stops(world: World) -> None:
    world.save("run")
    assert world.condition() == Condition(State.STOPPED)
    world.step()
    assert world.poll() == {}
    world.wish(service.start)
    assert world.condition() == Condition(State.DEPLOYING)
    assert world.until(State.RUNNING) == Condition(State.RUNNING)
    world.wish(service.stop)
    assert world.condition() == Condition(State.STOPPING)
    assert world.until(State.STOPPED) == Condition(State.STOPPED)
    # It may have ended after the step had looked for whom to bury.
    world.step()
    assert world.poll() == {}


def test_a_wish_that_is_so_already_changes_nothing(world: World) -> None:
    world.save("run")
    world.wish(service.stop)
    assert world.condition() == Condition(State.STOPPED)
    world.wish(service.start)
    world.until(State.RUNNING)
    pid = world.pid()
    world.wish(service.start)
    world.step()
    assert (world.condition(), world.pid()) == (Condition(State.RUNNING), pid)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_wishes_that_cancel_each_other_out_leave_the_state_true(
    world: World, *, is_wanted: bool
) -> None:
    """Nothing is different for the reconciler, but the wishes changed what users read."""
    world.save("run")
    first, second = service.start, service.stop
    if is_wanted:
        world.wish(service.start)
        world.until(State.RUNNING)
        first, second = service.stop, service.start
    else:
        world.step()
    world.wish(first)
    world.wish(second)
    world.until(State.RUNNING if is_wanted else State.STOPPED)


def test_who_dies_has_failed_and_is_started_again(world: World) -> None:
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    pid = world.pid()
    os.kill(pid, signal.SIGKILL)
    failed = world.until(State.FAILED)
    assert failed == Condition(State.FAILED, "signal 9 ended it", retrying=True)
    assert world.until(State.RUNNING) == Condition(State.RUNNING)
    assert world.pid() != pid


def test_a_stop_forgets_the_failures(world: World) -> None:
    world.save("fail")
    world.wish(service.start)
    ended = "it ended with exit code 1: no such table"
    wait_for(lambda: world.until(State.FAILED).message == ended, what="it has ended")
    world.processes._running["a"].replicas[0].back_off.until += 1000
    world.wish(service.stop)
    assert world.until(State.STOPPED) == Condition(State.STOPPED)
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)


def test_what_was_given_up_is_tried_again_when_it_is_started(world: World) -> None:
    world.save("give-up")
    world.wish(service.start)
    given_up = Condition(State.FAILED, "offset 7 cannot be stored", retrying=False)
    wait_for(lambda: world.until(State.FAILED) == given_up, what="it is given up")
    world.save("run")
    assert world.condition() == Condition(
        State.FAILED, given_up.message, retrying=False, is_outdated=True
    )
    world.wish(service.start)
    assert world.condition() == Condition(State.DEPLOYING)
    assert world.until(State.RUNNING) == Condition(State.RUNNING)


def test_a_restart_is_another_process_of_what_is_saved_now(world: World) -> None:
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    pid = world.pid()
    world.save("run", "more", replicas=2)
    assert world.condition() == Condition(State.RUNNING, is_outdated=True)
    world.wish(service.restart)
    world.step()

    def is_replaced() -> bool:
        world.step()
        return world.condition() == Condition(State.RUNNING) and pid not in pids(world.saved())

    wait_for(is_replaced, what="it is replaced")
    assert len(pids(world.saved())) == 2


def pids(saved: Any) -> list[int]:
    return [pid for pid, _ in saved["processes"]] if saved else []


def test_a_stop_and_a_start_at_once_are_a_restart(world: World) -> None:
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    pid = world.pid()
    world.save("run", "more")
    world.wish(service.stop)
    world.wish(service.start)

    def is_replaced() -> bool:
        world.step()
        return world.condition() == Condition(State.RUNNING) and pid not in pids(world.saved())

    wait_for(is_replaced, what="it is replaced")


def test_what_was_started_is_saved_and_nothing_is_when_it_is_stopped(world: World) -> None:
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    assert pids(world.saved()) == [world.pid()]
    world.wish(service.stop)
    world.until(State.STOPPED)
    assert world.saved() == {}


def test_what_an_earlier_one_has_left_is_ended_before_it_is_started(world: World) -> None:
    """As if the kernel had not ended it with its reconciler."""
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as left:
        boot = world.saved()["boot"]
        world.reconciler.disconnect()
        world.processes.stop_all()
        saved = {"boot": boot, "processes": [[left.pid, start_ticks(left.pid)]]}
        world.save_state(saved)
        assert world.reconciler.connect()
        world.reconciler.step()
        left_over = Condition(State.DEPLOYING, "what was left over is ended")
        assert (world.poll(), world.condition()) == ({}, left_over)
        assert left.wait(20) == -signal.SIGKILL
    world.until(State.RUNNING)
    assert pids(world.saved()) == [world.pid()]


def test_what_is_deleted_stops(world: World) -> None:
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    world.wish(service.delete)
    assert world.condition() is None

    def is_gone() -> bool:
        world.step()
        return not world.poll()

    wait_for(is_gone, what="nothing runs")


def test_a_changed_command_is_outdated_until_the_next_start(world: World) -> None:
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    world.save("run", "more")
    assert world.condition() == Condition(State.RUNNING, is_outdated=True)
    world.wish(service.stop)
    world.until(State.STOPPED)
    world.wish(service.start)
    assert world.until(State.RUNNING) == Condition(State.RUNNING)


def test_only_one_reconciles_and_another_takes_over(
    world: World, database_url: str, tmp_path: Path
) -> None:
    second = Reconciler(database_url, Processes(entry, tmp_path))
    assert not second.connect()
    assert second.is_led_by_another
    world.reconciler.disconnect()
    wait_for(second.connect, what="the other one reconciles")
    second.disconnect()


def test_a_state_that_nobody_observes_is_not_told_as_if_somebody_did(world: World) -> None:
    world.save("run")
    world.wish(service.start)
    world.until(State.RUNNING)
    world.reconciler.disconnect()

    def is_unobserved() -> bool:
        found = world.condition()
        return found == Condition(State.FAILED, "nobody watches it at the moment", retrying=True)

    wait_for(is_unobserved, what="it is not observed")
    wait_for(world.reconciler.connect, what="it is connected again")
    assert world.until(State.RUNNING) == Condition(State.RUNNING)


def test_a_wish_that_comes_while_it_is_at_work_is_acted_on_at_once(world: World) -> None:
    """Its connection takes the word in with the answer to a statement, so nothing is to be read."""
    world.save("run")
    world.reconciler.step()
    world.wish(service.start)
    assert world.reconciler._connection
    world.reconciler._connection.execute("select 1")
    world.reconciler.step()
    assert list(world.poll()) == ["a"]


def test_it_looks_again_without_being_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    world.save("run")
    world.reconciler.step()
    assert "a" in world.reconciler._wanted
