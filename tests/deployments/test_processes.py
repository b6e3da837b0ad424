"""Workers as real forks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grnry.deployments import processes as module
from grnry.deployments.model import Observation, State
from grnry.deployments.processes import Processes
from tests.conftest import wait_for
from tests.deployments.workers import deployment, entry

# The tests' process may have threads of clients; the forks here touch nothing of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    made = Processes(entry, tmp_path / "logs")
    yield made
    monkeypatch.setattr(module, "STOP_SECONDS", 0.0)
    made.stop_all()


def seen(processes: Processes, name: str = "a") -> Observation:
    return processes.poll()[name]


def until_dead(processes: Processes, name: str = "a") -> Observation:
    wait_for(lambda: not seen(processes, name).is_alive, what=f"{name} has ended")
    return seen(processes, name)


def until_running(processes: Processes, name: str = "a") -> Observation:
    wait_for(lambda: seen(processes, name).state is State.RUNNING, what=f"{name} runs")
    return seen(processes, name)


def pid_of(processes: Processes, name: str = "a") -> int:
    return processes._workers[name].pid


def test_a_worker_deploys_until_it_says_that_it_runs(processes: Processes) -> None:
    processes.start(deployment("run", MESSAGE="hello"))
    assert processes.poll()["a"].is_alive
    observed = until_running(processes)
    assert (observed.is_alive, observed.message, observed.generation) == (True, "hello", 7)
    assert len(processes.filenos()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("exit", "0"), "it ended with exit code 0"),
        (("exit", "5"), "it ended with exit code 5"),
        (("crash",), "it ended with exit code 1"),
        (("fail",), "it ended with exit code 1: no such table"),
    ],
)
def test_how_it_ended_is_told(processes: Processes, words: tuple[str, ...], message: str) -> None:
    processes.start(deployment(*words))
    observed = until_dead(processes)
    assert observed.message == message
    assert observed.ran_seconds < 20
    assert processes.filenos() == []
    processes.forget("a")
    assert processes.poll() == {}


def test_a_signal_that_ended_it_is_told(processes: Processes) -> None:
    processes.start(deployment("run"))
    until_running(processes)
    os.kill(pid_of(processes), signal.SIGKILL)
    assert until_dead(processes).message == "signal 9 ended it"


def test_one_is_stopped_and_the_others_go_on(processes: Processes) -> None:
    processes.start(deployment("run"))
    processes.start(deployment("run", name="b"))
    until_running(processes)
    until_running(processes, "b")
    processes.stop("a")
    assert seen(processes).is_stopping
    assert until_dead(processes).message == "signal 15 ended it"
    assert seen(processes, "b").is_alive


def test_who_does_not_listen_is_killed_in_the_end(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.start(deployment("stubborn"))
    until_running(processes)
    processes.stop("a")
    assert seen(processes).is_alive
    processes._workers["a"].kill_at = 1e-9  # as if the time had passed
    assert until_dead(processes).message == "signal 9 ended it"


def test_what_it_prints_is_in_its_log_for_its_owner_only(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start(deployment("print", "a line"))
    until_dead(processes)
    log = tmp_path / "logs" / "a.log"
    assert log.read_text().count("a line") == 2
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_long_log_is_begun_anew(processes: Processes, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    with log.open("wb") as file:
        file.truncate(module.LOG_BYTES + 1)
    processes.start(deployment("print", "new"))
    until_dead(processes)
    assert log.stat().st_size < 1000
    assert log.with_suffix(".log.1").stat().st_size > module.LOG_BYTES


_PARENT = """
import sys, time
from pathlib import Path
from tests.deployments.test_processes import pid_of, until_running
from tests.deployments.workers import deployment, entry
from grnry.deployments.processes import Processes
processes = Processes(entry, Path(sys.argv[1]))
for name in "ab":
    processes.start(deployment("stubborn", name=name))
    until_running(processes, name)
    print(pid_of(processes, name), flush=True)
time.sleep(60)
"""


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _PARENT, str(tmp_path)]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=path) as parent:
        assert parent.stdout
        pids = [int(parent.stdout.readline()) for _ in "ab"]
        parent.kill()
    wait_for(lambda: not any(is_alive(pid) for pid in pids), what="the workers are gone")


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False
