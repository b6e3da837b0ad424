"""How a household ends: in order, with nothing left, whatever stands still, and soon."""

import http.client
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from grnry.household.folder import start_of
from tests.conftest import wait_for
from tests.running import COMMAND, Granary, every_process

# What stands still is not waited for, only woken; each wait for it would be ten seconds.
SOON = 9.0


@pytest.mark.parametrize("name", ["postgres", "broker", "api", "reconciler"])
def test_a_process_that_stands_still_does_not_hold_up_the_end(stopped: Granary, name: str) -> None:
    stopped.start()
    os.kill(stopped.pid(name), signal.SIGSTOP)
    began = time.monotonic()
    assert stopped.stop() == 0
    assert time.monotonic() - began < SOON
    assert "it is killed" not in stopped.journal()


def test_neither_does_a_worker_nor_a_backend(stopped: Granary) -> None:
    stopped.start()
    stopped.do("event-type", "create", "calls", "--correlation-id", "payload.user")
    stopped.do("persister", "start", "calls")
    workers = stopped.worker_pids(stopped.pid("reconciler"))
    connection = stopped.platform()
    backend = connection.info.backend_pid
    for pid in (*workers, backend):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert stopped.stop() == 0
    assert time.monotonic() - began < SOON
    assert workers
    assert not any(start_of(worker) for worker in workers)
    assert start_of(backend) is None
    connection.close()


def unfinished_request(granary: Granary) -> http.client.HTTPConnection:
    """One that the API waits for when it is asked to end, as half of its body is missing."""
    token = granary.do("token").strip()
    host = granary.said["api"].removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.putrequest("POST", "/projects/global/event-types")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"{")
    return connection


def test_what_is_waited_for_is_said_and_a_second_signal_hurries(stopped: Granary) -> None:
    stopped.start()
    connection = unfinished_request(stopped)
    stopped.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Waiting for api (process" in stopped.journal(), what="it says what it awaits")
    stopped.process.send_signal(signal.SIGINT)
    assert stopped.wait() == 0
    # It has neither waited until the API gave the request up, nor until it lost patience with it.
    assert "Finished server process" not in (stopped.data / "logs" / "api.log").read_text()
    assert "it is killed" not in stopped.journal()
    connection.close()


def test_a_first_start_may_be_stopped_at_once(stopped: Granary) -> None:
    words = [*COMMAND, "up", "--data", str(stopped.data), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr
        wait_for((stopped.data / "postgres").exists, what="the database is being made")
        first.send_signal(signal.SIGINT)
        said = first.stderr.read()
    assert first.returncode == 0
    assert "Stopped after" in said
    assert "None" not in said
    assert every_process(stopped.data) == {}
    stopped.start()
    assert stopped.said["password"]


def test_the_command_says_what_it_waits_for(stopped: Granary) -> None:
    stopped.start()
    connection = unfinished_request(stopped)
    done = stopped.grnry("stop", "--json")
    assert done.returncode == 0
    assert '"stopped": true' in done.stdout
    assert "Waiting for postgres, broker, api to end" in done.stderr
    assert stopped.wait() == 0
    connection.close()


def test_what_a_killed_supervisor_left_standing_still_is_ended_by_the_next_start(
    stopped: Granary,
) -> None:
    stopped.start()
    connection = stopped.platform()
    backend, broker = connection.info.backend_pid, stopped.pid("broker")
    for pid in (backend, broker):
        os.kill(pid, signal.SIGSTOP)
    stopped.process.kill()
    stopped.wait()
    # PostgreSQL is shutting down still, as its backend does not end, and the broker has not heard.
    assert start_of(broker) is not None
    began = time.monotonic()
    stopped.start()
    assert time.monotonic() - began < SOON
    assert start_of(broker) is None
    assert start_of(backend) is None
    assert "Waiting for what an earlier run has left" in stopped.journal()
    connection.close()


@pytest.mark.parametrize("name", ["postgres", "broker", "api", "reconciler"])
def test_a_killed_process_is_told_and_back(granary: Granary, name: str) -> None:
    said = len(granary.journal())
    granary.kill(name)
    wait_for(
        lambda: f"{name} is ready again" in granary.journal()[said:], what="the return is told"
    )
    assert f"{name} was ended by SIGKILL; it is started again." in granary.journal()[said:]
    shown = granary.processes()[name]
    assert shown["restarts"] >= 1
    assert shown["state"] == "ready"


def test_stale_sockets_and_pid_files_are_no_obstacle(stopped: Granary) -> None:
    stopped.start()
    stopped.process.kill()
    stopped.wait()
    wait_for(lambda: not every_process(stopped.data), what="all have ended")
    (stopped.data / "run" / "reconciler.sock").unlink(missing_ok=True)
    (stopped.data / "run" / "reconciler.sock").write_text("")
    cluster = stopped.data / "postgres" / "cluster"
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n0\n1\n\n\n\nready\n")
    for socket in Path(stopped.data / "run").glob(".s.PGSQL*"):
        socket.unlink()
    stopped.start()
    assert all(process["restarts"] == 0 for process in stopped.processes().values())
