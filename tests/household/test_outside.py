"""A database and a log that `grnry up` is given: used, shown, checked at start, never started."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grnry.errors import StartError
from grnry.household.outside import Outside, as_role, without_login
from grnry.settings import Settings
from tests.conftest import PASSWORD, Postgres, free_port, wait_for
from tests.running import COMMAND, Granary


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[str]:
    """A second broker, which is none of the household's."""
    address = f"127.0.0.1:{free_port()}"
    words = [*COMMAND, "broker", "--data", str(tmp_path / "outside-log"), "--listen", address]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    host, port = address.split(":")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    wait_for(listens, what="the broker listens")
    yield address
    assert process.poll() is None, "the household must not end what is not its own"
    process.terminate()
    assert process.wait(20) == 0


def outside_granary(stopped: Granary, **environment: str) -> Granary:
    stopped.environment |= {f"GRNRY_{name}": value for name, value in environment.items()}
    return stopped


def an_event_becomes_a_row(granary: Granary) -> None:
    granary.do("event-type", "create", "calls", "--correlation-id", "payload.user")
    granary.do("persister", "start", "calls")
    granary.do("send", "calls", '{"user": "u1"}')
    wait_for(lambda: rows(granary) == [{"correlation_id": "u1"}], what="the event is a row")


def rows(granary: Granary) -> object:
    statement = "select correlation_id from global.eventstore_calls"
    return json.loads(granary.do("sql", "--json", statement))


def test_both_are_used_and_the_rest_is_healed(
    stopped: Granary, database_url: str, worker_database_url: str, kafka: str
) -> None:
    granary = outside_granary(
        stopped,
        DATABASE_URL=database_url,
        WORKER_DATABASE_URL=worker_database_url,
        KAFKA_BOOTSTRAP=kafka,
    )
    granary.start()
    assert granary.said["outside"] == ["database", "kafka"]
    assert granary.said["kafka"] == kafka
    assert PASSWORD not in json.dumps({**granary.said, "password": ""})
    assert [*granary.processes()] == ["supervisor", "api", "reconciler"]
    assert not (granary.data / "postgres").exists()
    an_event_becomes_a_row(granary)
    granary.kill("api")
    granary.kill("reconciler")
    wait_for(lambda: "RUNNING" in granary.do("persister", "state", "calls"), what="it runs again")
    assert "(from outside)" in granary.do("status")
    assert "PROBLEM" not in granary.do("doctor")  # it warns of what has just been killed
    del granary.environment["GRNRY_DATABASE_URL"], granary.environment["GRNRY_WORKER_DATABASE_URL"]
    assert "its address is not known here" in granary.do("doctor")
    assert granary.stop() == 0


def test_the_database_alone_needs_one_address(
    stopped: Granary, database_url: str, postgres: Postgres
) -> None:
    """The workers' password is one of the data folder: here that of a server others use as well."""
    stopped.start()
    stopped.stop()
    file = stopped.data / "secrets.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps({**known, "worker_password": PASSWORD}))
    granary = outside_granary(stopped, DATABASE_URL=database_url).start()
    assert granary.said["outside"] == ["database"]
    assert granary.said["password"], "a database of its own has an admin of its own"
    assert [*granary.processes()] == ["supervisor", "broker", "api", "reconciler"]
    an_event_becomes_a_row(granary)
    granary.stop()
    assert "password" not in granary.start().said
    granary.stop()
    # Without the address, the embedded one is there as it was.
    del granary.environment["GRNRY_DATABASE_URL"]
    file.write_text(json.dumps(known))
    assert "outside" not in granary.start().said
    assert json.loads(granary.do("event-type", "list", "--json")) == []
    assert "1" in granary.do("sql", "select 1")


def test_an_admin_who_has_logged_in_keeps_the_password_whatever_the_folder(
    stopped: Granary, database_url: str, worker_database_url: str, tmp_path: Path
) -> None:
    urls = {"DATABASE_URL": database_url, "WORKER_DATABASE_URL": worker_database_url}
    granary = outside_granary(stopped, **urls).start()
    log_in(granary)
    granary.stop()
    other = outside_granary(Granary(tmp_path / "other"), **urls).start()
    assert "password" not in other.said
    assert other.stop() == 0


def log_in(granary: Granary) -> None:
    import httpx2

    form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
    path = "/auth/realms/grnry/protocol/openid-connect/token"
    with httpx2.Client(trust_env=False) as client:
        answer = client.post(
            granary.said["api"] + path, data={**form, "password": granary.password}
        )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("variable", "address", "said"),
    [
        ("DATABASE_URL", "postgresql://u:secret@127.0.0.1:{free}/d", "GRNRY_DATABASE_URL does not"),
        ("DATABASE_URL", "postgresql://u:secret@127.0.0.1:{deaf}/d", "GRNRY_DATABASE_URL does not"),
        ("DATABASE_URL", "127.0.0.1:5432", "is not the address of a database"),
        ("DATABASE_URL", "postgresql://u:secret@127.0.0.1:x/d", "GRNRY_DATABASE_URL does not"),
        ("DATABASE_URL", "{server}/nope", 'database "nope" does not exist'),
        ("DATABASE_URL", "{server_with_wrong_password}/grnry", "password authentication failed"),
        ("WORKER_DATABASE_URL", "{server}/grnry", "without GRNRY_DATABASE_URL"),
        ("KAFKA_BOOTSTRAP", "127.0.0.1:{free}", "GRNRY_KAFKA_BOOTSTRAP"),
        ("KAFKA_BOOTSTRAP", "127.0.0.1:{deaf}", "GRNRY_KAFKA_BOOTSTRAP"),
        ("KAFKA_BOOTSTRAP", "nonsense", "GRNRY_KAFKA_BOOTSTRAP"),
    ],
)
def test_an_address_that_does_not_answer_is_one_sentence_and_soon(
    stopped: Granary, postgres: Postgres, variable: str, address: str, said: str
) -> None:
    server = postgres.url("x").removesuffix("/x")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()  # connections are made, and nobody ever answers
        value = address.format(
            free=free_port(),
            deaf=deaf.getsockname()[1],
            server=server,
            server_with_wrong_password=server.replace(PASSWORD, "secret"),
        )
        began = time.monotonic()
        done = subprocess.run(
            [*COMMAND, "up", "--data", str(stopped.data), "--port", "0"],
            env={**os.environ, f"GRNRY_{variable}": value},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "secret" not in done.stderr
    assert time.monotonic() - began < 20


def test_an_address_for_another_role_and_one_without_any() -> None:
    url = "postgresql://me:p%40ss@db.example:5433/grnry?sslmode=require&password=x&user=y"
    assert without_login(url) == "postgresql://db.example:5433/grnry?sslmode=require"
    made = as_role(url, "grnry_worker", "a/b@c")
    assert made == "postgresql://grnry_worker:a%2Fb%40c@db.example:5433/grnry?sslmode=require"
    socket_url = "postgres://me:x@%2Frun%2Fpg:5433/grnry"
    assert without_login(socket_url) == "postgresql://%2Frun%2Fpg:5433/grnry"
    several = "postgresql://me:x@one:1,two:2/grnry"
    assert without_login(several) == "postgresql://one:1,two:2/grnry"


def test_a_worker_address_that_is_no_address_is_named() -> None:
    with pytest.raises(StartError) as refused:
        Outside.of(Settings(database_url="postgresql://h/d", worker_database_url="host=h dbname=d"))
    assert "GRNRY_WORKER_DATABASE_URL is not the address" in refused.value.message


def test_one_that_goes_away_later_is_waited_for(
    stopped: Granary, database_url: str, worker_database_url: str, kafka: str
) -> None:
    """It is not ours to start; what is ours says so and goes on when it is back."""
    granary = outside_granary(
        stopped,
        DATABASE_URL=database_url,
        WORKER_DATABASE_URL=worker_database_url,
        KAFKA_BOOTSTRAP=kafka,
    ).start()
    listeners = [pid for pid in map(int, pids_of(f"--listen\0{kafka}")) if pid != os.getpid()]
    assert listeners
    for pid in listeners:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: granary.grnry("doctor").returncode == 1, what="the doctor sees it")
    finally:
        for pid in listeners:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: granary.grnry("doctor").returncode == 0, what="it is well again")
    assert granary.processes()["api"]["restarts"] == 0
    assert granary.stop() == 0


def pids_of(words: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if words in (entry / "cmdline").read_text():
                found.append(entry.name)
        except OSError:
            continue
    return found
