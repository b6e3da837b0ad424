"""Servers that tests share: started once per session, given out as fresh copies per test."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from grnry.database.embedded import PLATFORM_ROLE, WORKER_ROLE, EmbeddedPostgres
from grnry.database.migrate import migrate
from grnry.database.pool import Database

if TYPE_CHECKING:
    from tests.event_types.calling import Caller
    from tests.running import Granary
    from tests.servers import OutsideServer

PASSWORD = "for-tests"

# How long an example takes says what else the machine does.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


_chance = random.SystemRandom()
# One for all processes that share the tests, as it is part of their names.
os.environ.setdefault("GRNRY_FAULT_SEED", str(_chance.randrange(1 << 32)))
_given_out: set[int] = set()


def free_port() -> int:
    """One for a server that is started in a moment.

    Not of those that the kernel gives to whoever asks for any, or connects to anything: one of them
    may be somebody's before the server has it.
    """
    while True:
        port = _chance.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            if port not in _given_out:
                probe.bind(("127.0.0.1", port))
                _given_out.add(port)
                return port


def wait_for(condition: Callable[[], object], seconds: float = 20, what: str = "") -> None:
    """Wait until the condition holds, and fail where it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.01)


class Postgres:
    """A running PostgreSQL whose platform role may make databases."""

    def __init__(self, folder: Path) -> None:
        (folder / "run").mkdir()
        self.server = EmbeddedPostgres(
            folder / "postgres", folder / "run", free_port(), PASSWORD, PASSWORD
        )
        self.server.make()
        cluster = str(self.server.cluster)
        self.server._run(
            "postgres", "--single", "-D", cluster, "postgres", text="alter role grnry createdb;\n"
        )
        self._log = (folder / "postgres.log").open("w")
        self.process = subprocess.Popen(self.server.command(), stderr=self._log)
        wait_for(self.server.is_ready, what="PostgreSQL is ready")
        self._numbers = itertools.count(1)
        self.version = 18
        self.run("create database template_migrated")
        with psycopg.connect(self.url("template_migrated"), autocommit=True) as connection:
            migrate(connection)

    def url(self, database: str, role: str = PLATFORM_ROLE) -> str:
        url = self.server.url(role, PASSWORD, socket=True)
        return url.rsplit("/", 1)[0] + f"/{database}"

    def run(self, statement: str, name: str = "") -> None:
        with psycopg.connect(self.url("grnry"), autocommit=True) as connection:
            connection.execute(
                sql.SQL(statement).format(sql.Identifier(name)) if name else sql.SQL(statement)
            )

    def make_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        self.run("create database {} template template_migrated", name)
        return name

    def make_empty_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        self.run("create database {}", name)
        return name

    def drop_database(self, name: str) -> None:
        def is_dropped() -> bool:
            # Another role's backend may be on its way out still, or a vacuum on its way through:
            # neither is ours to end, and both are gone in a moment.
            try:
                self.run("drop database {} with (force)", name)
            except psycopg.errors.InsufficientPrivilege:
                return False
            return True

        wait_for(is_dropped, what=f"{name} is dropped")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        self._log.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="grnry-test-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What asks for `server` runs on the embedded one, on Debian's, and on what else is there."""
    if "server" in metafunc.fixturenames:
        from tests.servers import name_of, programs_found

        found = programs_found()
        metafunc.parametrize(
            "server", found, indirect=True, scope="session", ids=[name_of(each) for each in found]
        )


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> "Iterator[Postgres | OutsideServer]":
    """A PostgreSQL that the platform runs on, of each kind and version that is here."""
    if request.param is None:
        yield request.getfixturevalue("postgres")
        return
    from tests.servers import outside_server

    with outside_server(request.param) as outside:
        yield outside


@pytest.fixture
def database_name(postgres: Postgres) -> Iterator[str]:
    """The name of a database of the newest version, of this test alone."""
    name = postgres.make_database()
    yield name
    postgres.drop_database(name)


@pytest.fixture
def database_url(postgres: Postgres, database_name: str) -> str:
    """Its address, as the role that owns the platform's schemas."""
    return postgres.url(database_name)


@pytest.fixture
def worker_database_url(postgres: Postgres, database_name: str) -> str:
    """Its address, as the role that workers write with."""
    return postgres.url(database_name, WORKER_ROLE)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    pool = Database(database_url).open()
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def granary() -> "Iterator[Granary]":
    """A whole one, that all tests share and leave running; GRNRY_TEST_BROKER=kafka says on what."""
    with running_granary(on_kafka=os.environ.get("GRNRY_TEST_BROKER") == "kafka") as shared:
        yield shared


@contextlib.contextmanager
def running_granary(*, on_kafka: bool) -> "Iterator[Granary]":
    """A whole one, on the embedded log or on Apache Kafka."""
    from tests.running import Granary

    folder = Path(tempfile.mkdtemp(prefix="grnry-whole-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        settings = {}
        if on_kafka:
            from tests.log.apache_kafka import ApacheKafka
            from tests.log.certificates import make

            kafka = ApacheKafka(folder / "kafka", make(folder / "certificates"))
            stack.callback(kafka.kill)
            settings["GRNRY_KAFKA_BOOTSTRAP"] = kafka.plain.bootstrap
        shared = Granary(folder / "data", **settings).start()
        stack.callback(shared.stop)
        yield shared


@pytest.fixture(scope="session")
def caller(granary: "Granary") -> "Iterator[Caller]":
    """Calls the shared Granary's API."""
    from tests.event_types.calling import Caller

    made = Caller(granary)
    yield made
    made.close()
