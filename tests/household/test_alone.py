"""The processes started by their own commands, with nothing but settings, as in containers."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.conftest import free_port, wait_for
from tests.running import COMMAND

NEEDS = {
    "api": ("GRNRY_DATABASE_URL", "GRNRY_KAFKA_BOOTSTRAP"),
    "reconciler": ("GRNRY_DATABASE_URL", "GRNRY_KAFKA_BOOTSTRAP"),
    "run": ("GRNRY_KAFKA_BOOTSTRAP", "GRNRY_PERSISTER"),
}


class Containers:
    """Processes that know of each other by their settings only."""

    def __init__(self, folder: Path, database_url: str, worker_url: str) -> None:
        self.folder = folder
        self.kafka, self.api = f"127.0.0.1:{free_port()}", free_port()
        self.metrics, self.health = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.settings = {
            "GRNRY_DATABASE_URL": database_url,
            "GRNRY_WORKER_DATABASE_URL": worker_url,
            "GRNRY_KAFKA_BOOTSTRAP": self.kafka,
            "GRNRY_ADMIN_PASSWORD": "containers",
            "GRNRY_DATA": str(folder / "data"),
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        own = {k: v for k, v in os.environ.items() if not k.startswith("GRNRY_")}
        with (self.folder / f"{words[0]}.said").open("ab") as said:
            process = subprocess.Popen(
                [*COMMAND, *words],
                env={**own, **self.settings, **(more or {})},
                cwd=self.folder,
                stdout=said,
                stderr=said,
            )
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def containers(tmp_path: Path, database_url: str, worker_database_url: str) -> Iterator[Containers]:
    made = Containers(tmp_path, database_url, worker_database_url)
    yield made
    made.end()


def answers(url: str) -> bool:
    try:
        with httpx2.Client(trust_env=False) as client:
            return client.get(url).status_code == 200
    except httpx2.TransportError:
        return False


def call(containers: Containers, method: str, path: str, body: object) -> None:
    base = f"http://127.0.0.1:{containers.api}"
    form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
    token_path = "/auth/realms/grnry/protocol/openid-connect/token"
    with httpx2.Client(base_url=base, trust_env=False) as client:
        token = client.post(token_path, data={**form, "password": "containers"}).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        answer = client.request(method, path, json=body, headers=headers)
    assert answer.is_success, answer.text


def test_an_event_goes_its_way_through_processes_that_were_started_alone(
    containers: Containers, database_url: str
) -> None:
    words = ["--data", "log", "--listen", containers.kafka, "--metrics", containers.metrics]
    broker = containers.start("broker", *words)
    reconciler = containers.start("reconciler", "--health", containers.health)
    api = containers.start("api", "--port", str(containers.api))
    for url in (
        f"http://{containers.metrics}/metrics",
        f"http://{containers.health}/health/ready",
        f"http://127.0.0.1:{containers.api}/health/ready",
    ):
        wait_for(partial(answers, url), seconds=40, what=url)
    event_types = "/projects/global/event-types"
    calls = {
        "name": "calls",
        "displayName": "calls",
        "type": "data_in",
        "correlationIdExpression": "payload.user",
        "eventIdExpression": "#randomUUID()",
        "timestampExpression": "#nowMillis()",
    }
    call(containers, "POST", event_types, calls)
    persister = f"{event_types}/calls/eventstores/pg/persister"
    call(containers, "POST", f"{persister}/state", {"action": "START"})
    call(containers, "POST", f"{event_types}/calls/events", [{"user": "u1"}])
    with psycopg.connect(database_url, autocommit=True) as connection:

        def row() -> object:
            return connection.execute("select correlation_id from public.eventstore").fetchone()

        wait_for(lambda: row() == ("u1",), what="the event is a row")
    assert not (containers.folder / "grnry_project_global.json").exists()
    for process in (api, reconciler, broker):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, process.args
    said = "".join(path.read_text() for path in containers.folder.glob("*.said"))
    assert "Traceback" not in said


def test_a_worker_alone_ends_cleanly(containers: Containers) -> None:
    containers.start("broker", "--data", "log", "--listen", containers.kafka)
    port = int(containers.kafka.rpartition(":")[2])
    wait_for(lambda: listens(port), what="the broker listens")
    assignment = {
        "event_type": "calls",
        "topic": "grnry_data_in_calls",
        "group": "g",
        "deployment": "persister-calls",
    }
    more = {"GRNRY_PERSISTER": json.dumps(assignment), "GRNRY_HEALTH": containers.health}
    worker = containers.start("run", "persister", "calls", more=more)
    wait_for(lambda: answers(f"http://{containers.health}/health/live"), what="the worker lives")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", [*NEEDS])
def test_each_says_in_its_help_and_its_refusal_what_it_needs(name: str, tmp_path: Path) -> None:
    own = {k: v for k, v in os.environ.items() if not k.startswith("GRNRY_")}
    words = ["persister", "calls"] if name == "run" else []
    shown = run(name, "--help", environment=own)
    refused = run(name, *words, environment=own, cwd=tmp_path)
    for setting in NEEDS[name]:
        assert setting in shown.stdout
    assert refused.returncode == 78
    assert NEEDS[name][0] in refused.stderr or NEEDS[name][1] in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["broker", "--listen", "nonsense"], "--listen must be HOST:PORT"),
        (["broker", "--listen", "127.0.0.1:0", "--metrics", "x"], "--metrics must be HOST:PORT"),
        (["broker", "--listen", "127.0.0.1:{taken}"], "can't listen on"),
        (["broker", "--fsync", "never"], "--fsync must be"),
        (["api", "--port", "{taken}"], "Address already in use"),
        (["reconciler", "--health", "nonsense"], "--health must be HOST:PORT"),
    ],
)
def test_a_wrong_word_is_one_sentence(words: list[str], said: str, tmp_path: Path) -> None:
    environment = {**os.environ, "GRNRY_DATABASE_URL": "postgresql://h/d"}
    environment |= {"GRNRY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given = [word.format(taken=taken.getsockname()[1]) for word in words]
        done = run(*given, environment=environment, cwd=tmp_path)
    assert done.returncode == 78
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def run(
    *words: str, environment: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
