"""Workers as real forks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grnry.deployments import processes as module
from grnry.deployments.child import start_ticks
from grnry.deployments.model import Observation, Resources, Seen, State
from grnry.deployments.processes import MB, Processes
from tests.conftest import wait_for
from tests.deployments.workers import deployment, entry

# The tests' process may have threads of clients; the forks here touch nothing of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

STOPPED_AT_ITS_FORK = """
import os, signal
from grnry.deployments.child import fork
from grnry.deployments.model import Deployment
signal.signal(signal.SIGTERM, lambda *_: None)
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
wanted = Deployment("a", (), {}, is_wanted=True)
child = fork(wanted, 0, lambda *_: 0, os.open(os.devnull, os.O_WRONLY), 0.0)
print(os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]))
"""


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr("grnry.deployments.model.FIRST_BACK_OFF", 0.05)
    made = Processes(entry, tmp_path / "logs")
    yield made
    monkeypatch.setattr(module, "STOP_SECONDS", 0.0)
    made.stop_all()
    assert made.poll({}) == {}


def seen(processes: Processes, name: str = "a") -> Seen:
    return processes.poll({})[name].seen


def until(processes: Processes, state: State, name: str = "a") -> Seen:
    last: list[Seen] = []

    def is_so() -> bool:
        last.append(seen(processes, name))
        return last[-1].state is state

    wait_for(is_so, what=f"{name} is {state}")
    return last[-1]


def observed(processes: Processes, name: str = "a") -> Observation:
    return processes.poll({})[name]


def until_gone(processes: Processes, name: str = "a") -> None:
    wait_for(lambda: name not in processes.poll({}), what=f"nothing is left of {name}")


def pids_of(processes: Processes, name: str = "a") -> list[int]:
    return [pid for pid, _ in observed(processes, name).saved["processes"]]


def restarts(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr("grnry.deployments.model.FIRST_BACK_OFF", seconds)


def test_a_worker_deploys_until_it_says_that_it_runs(processes: Processes) -> None:
    processes.start(deployment("run", MESSAGE="hello"))
    assert seen(processes).state in (State.DEPLOYING, State.RUNNING)
    assert until(processes, State.RUNNING) == Seen(State.RUNNING, "hello")
    found = observed(processes)
    assert (found.generation, found.run, found.is_stopping) == (7, 3, False)
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
def test_how_it_ended_is_told(
    processes: Processes, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts(monkeypatch, 1000)
    processes.start(deployment(*words))
    wait_for(lambda: seen(processes).message == message, what=message)
    assert seen(processes) == Seen(State.FAILED, message, retrying=True)
    assert processes.filenos() == []
    assert 900 < processes.due_in() <= 1000
    processes.stop("a")
    until_gone(processes)


def test_who_dies_is_started_again_after_pauses_that_double(processes: Processes) -> None:
    processes.start(deployment("run"))
    replica = processes._running["a"].replicas[0]
    pauses = []
    for _ in range(3):
        until(processes, State.RUNNING)
        (pid,) = pids_of(processes)
        os.kill(pid, signal.SIGKILL)
        failed = until(processes, State.FAILED)
        assert failed == Seen(State.FAILED, "signal 9 ended it", retrying=True)
        pauses.append(replica.back_off.pause)
    assert pauses == [0.05, 0.1, 0.2]
    until(processes, State.RUNNING)
    assert pids_of(processes) != [pid]


def test_who_gives_up_is_left_as_it_is(processes: Processes) -> None:
    processes.start(deployment("give-up"))
    wait_for(lambda: processes.poll({}) and not processes.filenos(), what="it has ended")
    assert seen(processes) == Seen(State.FAILED, "offset 7 cannot be stored", retrying=False)
    assert processes.due_in() == 60
    processes._running["a"].replicas[0].back_off.until = 0.0  # as if its pause were over
    processes.tend()
    assert processes.filenos() == []
    processes.stop("a")
    until_gone(processes)


def test_one_is_stopped_and_the_others_go_on(processes: Processes) -> None:
    processes.start(deployment("run"))
    processes.start(deployment("run", name="b"))
    until(processes, State.RUNNING)
    until(processes, State.RUNNING, "b")
    processes.stop("a")
    assert processes._running["a"].is_stopping  # not by a look, which may find it gone already
    until_gone(processes)
    assert seen(processes, "b").state is State.RUNNING


def test_what_runs_is_not_started_twice_and_what_does_not_is_stopped(processes: Processes) -> None:
    processes.start(deployment("run"))
    before = pids_of(processes)
    processes.start(deployment("run"))
    assert pids_of(processes) == before
    processes.stop("nothing")


def test_who_does_not_listen_is_killed_in_the_end(processes: Processes) -> None:
    processes.start(deployment("stubborn"))
    until(processes, State.RUNNING)
    processes.stop("a")
    assert observed(processes).is_stopping
    processes._running["a"].kill_at = 1e-9  # as if the time had passed
    until_gone(processes)


def test_replicas_each_know_their_number(processes: Processes) -> None:
    processes.start(deployment("replica", replicas=3))
    until(processes, State.RUNNING)
    children = [replica.child for replica in processes._running["a"].replicas]
    wait_for(lambda: seen(processes).state is State.RUNNING, what="all run")
    assert [child.said.message for child in children if child] == ["0", "1", "2"]
    assert len(set(pids_of(processes))) == 3


def test_one_bad_replica_is_named_and_alone_is_tried_again(processes: Processes) -> None:
    processes.start(deployment("first-only", replicas=2))
    failed = until(processes, State.FAILED)
    assert failed == Seen(State.FAILED, "replica 1: it ended with exit code 3", retrying=True)
    first = processes._running["a"].replicas[0].child
    assert first is not None
    until(processes, State.DEPLOYING)  # the second one again
    assert processes._running["a"].replicas[0].child is first


def test_who_takes_too_much_memory_is_ended_alone(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts(monkeypatch, 1000)
    # The tests' own process is large, and its fork shares all of it with it.
    processes.start(deployment("grow", resources=Resources(memory_bytes=400 * MB)))
    processes.start(deployment("run", name="b"))
    failed = until(processes, State.FAILED)
    assert "MiB of memory, more than its limit of 400 MiB" in failed.message
    assert failed.retrying
    assert until(processes, State.RUNNING, "b") == Seen(State.RUNNING)


def test_who_wants_too_much_memory_at_once_does_not_get_it(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts(monkeypatch, 1000)
    limit = Resources(memory_bytes=64 * MB)
    processes.start(deployment("grow-at-once", "100000", resources=limit))
    assert until(processes, State.FAILED).message == "it ended with exit code 1"
    assert "MemoryError" in (tmp_path / "logs" / "a.log").read_text()


def limit(processes: Processes, resources: Resources, name: str = "a") -> None:
    """From now on, so that a slow start of the test's own is not what is seen."""
    running = processes._running[name]
    running.deployment = replace(running.deployment, resources=resources)


def test_who_is_not_ready_in_time_has_failed(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts(monkeypatch, 1000)
    processes.start(deployment("deploy"))
    wait_for(lambda: seen(processes).message, what="it says what it waits for")
    assert seen(processes).state is State.DEPLOYING
    limit(processes, Resources(ready_seconds=0.1))
    failed = until(processes, State.FAILED)
    expected = "it was not ready within 0.1 s: the topic is not there"
    assert failed == Seen(State.FAILED, expected, retrying=True)


def test_who_says_nothing_any_more_is_replaced(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts(monkeypatch, 1000)
    processes.start(deployment("run"))
    until(processes, State.RUNNING)
    os.kill(pids_of(processes)[0], signal.SIGSTOP)
    limit(processes, Resources(silent_seconds=0.1))
    assert until(processes, State.FAILED).message == "it has said nothing for 0.1 s"


def test_who_was_frozen_itself_blames_nobody(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.start(deployment("run"))
    until(processes, State.RUNNING)
    child = processes._running["a"].replicas[0].child
    assert child is not None
    child.heard -= 1000
    processes._tended -= 1000
    processes._watched = 0.0
    processes.tend()
    assert seen(processes).state is State.RUNNING
    child.heard -= 1000
    assert until(processes, State.FAILED).message == "it has said nothing for 60 s"


def test_what_a_worker_has_started_ends_with_it(processes: Processes) -> None:
    processes.start(deployment("start-another"))
    other = int(until(processes, State.RUNNING).message)
    assert is_alive(other)
    os.kill(pids_of(processes)[0], signal.SIGKILL)
    until(processes, State.FAILED)
    wait_for(lambda: not is_alive(other), what="the other has ended")


def test_what_it_prints_is_in_its_log_for_its_owner_only(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start(deployment("print", "a line"))
    until(processes, State.FAILED)
    log = tmp_path / "logs" / "a.log"
    assert log.read_text().count("a line") >= 2
    assert log.stat().st_mode & 0o777 == 0o600


def test_its_weight_is_its_own(processes: Processes) -> None:
    processes.start(deployment("run", resources=Resources(cpu_millis=250)))
    until(processes, State.RUNNING)
    (pid,) = pids_of(processes)
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3


def test_what_another_has_left_behind_is_ended_before_anything_starts(
    processes: Processes,
) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as left:
        processes.start(deployment("run", name="b"))
        boot = observed(processes, "b").saved["boot"]
        saved = {"boot": boot, "processes": [[left.pid, start_ticks(left.pid)]]}
        found = processes.poll({"a": saved})["a"]
        assert (found.is_stopping, found.saved) == (True, saved)
        assert left.wait(20) == -signal.SIGKILL
    wait_for(lambda: "a" not in processes.poll({"a": saved}), what="nothing is left of it")


@pytest.mark.parametrize("is_another", ["boot", "process"])
def test_a_number_that_is_another_process_now_is_left_alone(
    processes: Processes, is_another: str
) -> None:
    processes.start(deployment("run", name="b"))
    boot = observed(processes, "b").saved["boot"] if is_another == "process" else "another"
    ticks = start_ticks(os.getpid()) or 0
    wrong = {"boot": boot, "processes": [[os.getpid(), ticks + (is_another == "process")]]}
    assert "a" not in processes.poll({"a": wrong})


_PARENT = """
import sys, time
from pathlib import Path
from tests.deployments.test_processes import pids_of, until, State
from tests.deployments.workers import deployment, entry
from grnry.deployments.processes import Processes
processes = Processes(entry, Path(sys.argv[1]))
for name in "ab":
    processes.start(deployment("stubborn", name=name, replicas=2))
    until(processes, State.RUNNING, name)
    print(*pids_of(processes, name), flush=True)
time.sleep(60)
"""


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _PARENT, str(tmp_path)]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=path) as parent:
        assert parent.stdout
        pids = [int(pid) for _ in "ab" for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 4
    wait_for(lambda: not any(is_alive(pid) for pid in pids), what="the workers are gone")


def is_alive(pid: int) -> bool:
    return start_ticks(pid) is not None


def test_a_stop_that_comes_before_a_worker_can_hear_it_is_not_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_AT_ITS_FORK],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == f"{-signal.SIGTERM}\n", done.stderr
