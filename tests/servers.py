"""PostgreSQL servers of other majors than the embedded one, prepared as the docs tell a DBA to."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from grnry.database import unprivileged
from grnry.database.prepare import prepare_database
from grnry.database.roles import PLATFORM_ROLE, WORKER_ROLE
from tests.conftest import PASSWORD, free_port, wait_for

GUIDE = Path(__file__).parent.parent / "docs/how-to/outside-postgresql.md"
DEBIAN = Path("/usr/lib/postgresql")
MORE = "GRNRY_TEST_POSTGRES"
"""Folders with the programs of further servers, separated by colons."""

_CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 60
fsync = off
timezone = 'UTC'
"""
_ACCESS = """\
local all postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


def programs_found() -> list[Path | None]:
    """The embedded one (none), Debian's newest, and what the environment names."""
    debian = sorted(DEBIAN.glob("*/bin"))[-1:] or [DEBIAN / "missing"]
    more = [Path(path) for path in os.environ.get(MORE, "").split(":") if path]
    return [None, *debian, *more]


def name_of(programs: Path | None) -> str:
    if programs is None:
        return "embedded"
    try:
        said = subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
    except OSError:
        return "debian"
    return "postgresql-" + re.sub(r".* (\d+).*", r"\1", said.stdout.strip(), flags=re.DOTALL)


def guide() -> list[str]:
    """The statements of the guide, block by block."""
    blocks = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return [block.replace("change-me", PASSWORD) for block in blocks]


class OutsideServer:
    """A server that somebody else runs; its database was prepared by the guide's statements."""

    def __init__(self, programs: Path, folder: Path) -> None:
        if not (programs / "postgres").exists():
            if os.environ.get("CI"):
                pytest.fail(f"CI needs Debian's PostgreSQL: there is none in {programs}")
            pytest.skip("Debian's PostgreSQL is not installed: apt install postgresql")
        self._folder, self._programs, self.port = folder, programs, free_port()
        cluster = folder / "cluster"
        initdb = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            self._command("initdb", *initdb, "-D", str(cluster)), check=True, capture_output=True
        )
        (cluster / "postgresql.conf").write_text(
            _CONFIGURATION.format(port=self.port, folder=folder)
        )
        (cluster / "pg_hba.conf").write_text(_ACCESS)
        self._log = (folder / "postgres.log").open("w")
        self.start()
        self._numbers = itertools.count(1)
        self.version = self._major()
        self._follow_guide()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command("postgres", "-D", str(self._folder / "cluster")), stderr=self._log
        )
        wait_for(self._answers, what="the server answers")

    def crash(self) -> None:
        """It ends at once, without a word to anybody, and recovers at its next start."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    def _command(self, program: str, *arguments: str) -> list[str]:
        stub = [sys.executable, "-I", "-S", unprivileged.__file__, "9"]
        return [*stub, str(self._programs / program), *arguments]

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            self.superuser().close()
            return True
        return False

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        url = f"host={self._folder} port={self.port} user=postgres dbname={database}"
        return psycopg.connect(url, autocommit=True)

    def _major(self) -> int:
        with self.superuser() as connection:
            return connection.info.server_version // 10000

    def _follow_guide(self) -> None:
        server, inside, from_15, from_16, _ = guide()
        with self.superuser() as connection:
            for statement in server.strip().split(";\n"):
                connection.execute(statement.encode())
        with self.superuser(PLATFORM_ROLE) as connection:
            connection.execute(inside.encode())
            if self.version >= 15:
                connection.execute(from_15.encode())
            if self.version >= 16:
                connection.execute(from_16.encode())
        prepare_database(self.url(PLATFORM_ROLE), self.url(PLATFORM_ROLE, WORKER_ROLE))

    def url(self, database: str, role: str = PLATFORM_ROLE) -> str:
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, name: str = "") -> None:
        with self.superuser() as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    def make_database(self) -> str:
        """A copy of the prepared one, with the rights of the guide on it."""
        name = f"test_{next(self._numbers)}"
        self.run("create database {} template grnry owner grnry", name)
        self.run("revoke all on database {} from public", name)
        self.run("grant connect, temporary on database {} to grnry_worker", name)
        return name

    def make_empty_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        self.run("create database {} template template0 owner grnry", name)
        with self.superuser(name) as connection:
            connection.execute(guide()[1].encode())
        return name

    def drop_database(self, name: str) -> None:
        self.run("drop database {} with (force)", name)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        self._log.close()


@contextmanager
def outside_server(programs: Path) -> Iterator[OutsideServer]:
    """One in a folder of its own, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="grnry-test-"))
    made = OutsideServer(programs, folder)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)
