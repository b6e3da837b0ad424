"""A database that goes away and comes back, behind a door that the test opens and closes."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from starlette.testclient import TestClient

from grnry.database.connection import CONNECT_SECONDS
from grnry.database.pool import Database
from grnry.http.app import create_app
from grnry.http.routing import Router
from grnry.identity.access import SIGNED_IN
from grnry.identity.tokens import TokenVerifier
from grnry.settings import Settings
from tests.identity.signing import EXPECTED, RSA, FixedKeys, claims, sign


class Door:
    """A TCP port before a Unix socket; closed, it refuses and cuts what went through it."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                outer, _ = listener.accept()
                inner = socket.socket(socket.AF_UNIX)
                inner.connect(self._target)
                self._pairs.append((outer, inner))
                threading.Thread(target=relay, args=(outer, inner), daemon=True).start()

    def open(self) -> None:
        self._listener = self._listen(self.port)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()


def relay(one: socket.socket, two: socket.socket) -> None:
    with one, two, selectors.DefaultSelector() as selector, suppress(OSError):
        selector.register(one, selectors.EVENT_READ, two)
        selector.register(two, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    one.shutdown(socket.SHUT_RDWR)
                    two.shutdown(socket.SHUT_RDWR)
                    return
                key.data.sendall(data)


@pytest.fixture
def door(database_url: str) -> Iterator[Door]:
    parts = conninfo_to_dict(database_url)
    door = Door(Path(str(parts["host"])) / f".s.PGSQL.{parts['port']}")
    yield door
    door.close()


@pytest.fixture
def behind(door: Door, database_url: str) -> Iterator[Database]:
    database = Database(make_conninfo(database_url, host="127.0.0.1", port=door.port)).open()
    yield database
    database.close()


@pytest.fixture
def client(behind: Database) -> Iterator[TestClient]:
    router = Router(permission=SIGNED_IN)

    @router.get("/one")
    def one() -> int:
        with behind.transaction() as transaction:
            value: int = transaction.value(sql.SQL("select 1"))
            return value

    app = create_app(
        settings=Settings(),
        authenticator=TokenVerifier(FixedKeys(RSA), EXPECTED),
        routers=[router],
        checks={"database": behind.check},
    )
    headers = {"Authorization": f"Bearer {sign(claims())}"}
    with TestClient(app, headers=headers) as client:
        yield client


def test_away_is_told_at_once_and_the_first_request_afterwards_works(
    client: TestClient, door: Door
) -> None:
    assert client.get("/one").json() == 1
    for _ in range(3):
        door.close()
        began = time.monotonic()
        for _ in range(5):
            answer = client.get("/one")
            assert answer.status_code == 503
            assert answer.json()["type"] == "service_unavailable"
            assert answer.headers["retry-after"] == "1"
        assert client.get("/health/ready").status_code == 503
        assert time.monotonic() - began < CONNECT_SECONDS * 2, "six times, none of which waited"
        door.open()
        assert client.get("/one").json() == 1
        assert client.get("/health/ready").status_code == 200


def test_a_host_that_answers_nothing_is_away_before_a_connection_would_be() -> None:
    # A listener whose queue is full swallows connections, as a host that is off does.
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        port = silent.getsockname()[1]
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        database = Database(f"postgresql://nobody@127.0.0.1:{port}/none").open()
        app = create_app(
            settings=Settings(),
            authenticator=TokenVerifier(FixedKeys(RSA), EXPECTED),
            checks={"database": database.check},
        )
        began = time.monotonic()
        assert TestClient(app).get("/health/ready").status_code == 503
        assert time.monotonic() - began < CONNECT_SECONDS


def test_connections_are_used_again_and_bounded(database_url: str) -> None:
    database = Database(database_url, size=2).open()
    pids = sql.SQL("select pg_backend_pid()")
    try:
        with database.transaction() as transaction:
            first = transaction.value(pids)
        with database.transaction() as transaction:
            assert transaction.value(pids) == first
            with database.transaction() as another:
                assert another.value(pids) != first
    finally:
        database.close()
