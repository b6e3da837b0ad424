"""`grnry up` as a process: what it says, and how it ends."""

import contextlib
import json
import os
import pty
import socket
import subprocess
import threading
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.conftest import wait_for
from tests.running import COMMAND, Granary, every_process


def up(granary: Granary, *more: str) -> subprocess.CompletedProcess[str]:
    words = [*COMMAND, "up", "--data", str(granary.data), *more]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def log_in(granary: Granary, password: str) -> int:
    form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
    path = "/auth/realms/grnry/protocol/openid-connect/token"
    with httpx2.Client(trust_env=False) as client:
        answer = client.post(granary.said["api"] + path, data={**form, "password": password})
    return answer.status_code


def test_a_password_is_said_until_a_start_has_come_to_its_end(stopped: Granary) -> None:
    first = subprocess.Popen(
        [*COMMAND, "up", "--data", str(stopped.data), "--port", "0"], stdout=subprocess.DEVNULL
    )
    wait_for((stopped.data / "postgres" / "made").exists, what="the first start is half way")
    first.kill()
    first.wait()
    stopped.start()
    assert {*stopped.said} == {"api", "data", "database", "kafka", "user", "password"}
    assert log_in(stopped, stopped.password) == 200
    assert stopped.stop() == 0
    stopped.start()
    assert "password" not in stopped.said
    assert log_in(stopped, stopped.password) == 200


def test_the_supervisor_carries_no_clients() -> None:
    """Each costs some megabytes for as long as the household lives."""
    clients = "{'psycopg', 'confluent_kafka', 'fastapi', 'joserfc'}"
    code = f"import sys, grnry.cli.main, grnry.household.up; print(*({clients} & {{*sys.modules}}))"
    done = subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_ctrl_c_at_a_terminal_stops_all_in_order(stopped: Granary) -> None:
    terminal, other = pty.openpty()
    words = [*COMMAND, "up", "--data", str(stopped.data), "--port", "0"]
    # A session of its own with the terminal, so that Ctrl-C is what a terminal makes of it.
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *words], stdin=other, stdout=other, stderr=other
    )
    os.close(other)
    said = b""
    while b"Ctrl-C stops everything." not in said:
        said += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    assert process.wait(30) == 0
    rest = everything_from(terminal)
    os.close(terminal)
    assert b"Stopping everything, in order." in rest
    assert b"Stopped after" in rest
    assert b"Traceback" not in said + rest
    assert every_process(stopped.data) == {}


def everything_from(terminal: int) -> bytes:
    """Until its other side is closed, which is an error here."""
    said = b""
    with contextlib.suppress(OSError):
        while more := os.read(terminal, 4096):
            said += more
    return said


def test_a_start_in_the_background_says_the_same_and_is_stopped_by_a_command(
    stopped: Granary,
) -> None:
    done = up(stopped, "--port", "0", "--detach", "--json")
    assert done.returncode == 0, done.stderr
    assert "password" in json.loads(done.stdout)
    refused = up(stopped, "--port", "0", "--detach")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "already at http://127.0.0.1:" in refused.stderr
    assert stopped.grnry("stop").stdout == "Stopped.\n"
    again = stopped.grnry("stop")
    assert again.returncode == 1
    assert "No Granary runs" in again.stderr


def test_what_cannot_be_is_one_sentence(stopped: Granary) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for more, said in (
            (["--port", port], "Address already in use"),
            (["--port", "70000"], "There is no port 70000"),
            (["--port", "0", "--host", "a..b"], "Cannot listen on a..b:0"),
        ):
            done = up(stopped, *more)
            assert (done.returncode, done.stdout) == (1, "")
            assert said in done.stderr
            assert done.stderr.count("\n") == 1


def test_a_port_that_another_took_meanwhile_is_left_to_it(stopped: Granary) -> None:
    stopped.avoid_known_ports()
    ports = json.loads((stopped.data / "ports.json").read_text())
    with socket.socket() as taken:

        def take() -> None:
            wait_for((stopped.data / "postgres").exists, what="the ports are chosen")
            taken.bind(("127.0.0.1", ports["database"]))
            taken.listen()

        taking = threading.Thread(target=take)
        taking.start()
        stopped.start()
        taking.join()
        assert f":{ports['database']}/" not in stopped.said["database"]
        assert "Another process took a port of ours." in stopped.journal()
        assert "1" in stopped.do("sql", "select 1")


def test_a_killed_postmaster_is_replaced_though_a_backend_goes_on_computing(
    stopped: Granary,
) -> None:
    stopped.start()
    connection = stopped.platform()
    backend = connection.info.backend_pid

    def compute() -> None:
        with pytest.raises(psycopg.Error):
            connection.execute("select count(*) from generate_series(1, 100000000000)")

    computing = threading.Thread(target=compute)
    computing.start()
    before = cpu_ticks(backend)
    wait_for(lambda: cpu_ticks(backend) > before + 20, what="the backend computes")
    stopped.kill("postgres")
    computing.join()
    connection.close()
    assert "1" in stopped.do("sql", "select 1")


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11])


def test_a_pid_file_that_names_another_process_is_no_obstacle(stopped: Granary) -> None:
    stopped.start()
    stopped.stop()
    cluster = stopped.data / "postgres" / "cluster"
    stale = f"{os.getpid()}\n{cluster}\n0\n1\n\n\n\nready\n"
    (cluster / "postmaster.pid").write_text(stale)
    stopped.start()
    assert stopped.processes()["postgres"]["restarts"] == 0
