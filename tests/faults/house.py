"""A Granary with proxies before its database and its log, and all that can be done to it."""

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from grnry.household.folder import start_of
from tests.conftest import free_port, wait_for
from tests.event_types.calling import Caller
from tests.faults.disk import NoDiskError, SmallDisk
from tests.faults.history import History
from tests.faults.link import Link
from tests.faults.logs import LOOPBACK, Log, log_of
from tests.running import Granary, every_process

BEHIND = "127.0.0.2"
"""Where the database listens; its clients are told the address of the proxy, as always."""

_EXTRA = """\
listen_addresses = '{address}'
max_wal_size = 128MB
min_wal_size = 32MB
max_connections = 100
reserved_connections = 20
"""


class House:
    """The product, started as users start it."""

    def __init__(self, folder: Path, log: str, history: History) -> None:
        self.history = history
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        ports = {name: free_port() for name in ("kafka", "database", "metrics")}
        (self.data / "ports.json").write_text(json.dumps(ports))
        self.disk: SmallDisk | None = None
        self.why_no_disk = ""
        try:
            self.disk = SmallDisk(self.data / "postgres")
        except NoDiskError as reason:
            self.why_no_disk = f"no disk of its own can be mounted: {reason}"
            history.say(f"the disk is never full, as {self.why_no_disk}")
        (self.data / "postgres").mkdir(mode=0o700, exist_ok=True)
        (self.data / "postgres" / "extra.conf").write_text(_EXTRA.format(address=BEHIND))
        self._port = ports["database"]
        # The household looks for a free port, so the proxy listens when that is done.
        address, behind = (LOOPBACK, self._port), (BEHIND, self._port)
        self.database_link = Link(address, behind, is_database=True, is_open=False)
        self.log: Log | None = log_of(log, folder / "log")
        settings = {"GRNRY_MIN_FREE_MB": "1"}
        if self.log is not None:
            settings["GRNRY_KAFKA_BOOTSTRAP"] = f"{LOOPBACK}:{self.log.link.address[1]}"
        self.granary = Granary(self.data, **settings)
        self.caller: Caller

    def start(self) -> None:
        self.granary.start()
        assert self.granary.said["database"].endswith(f":{self._port}/grnry"), self.granary.said
        self.database_link.open()
        self.caller = Caller(self.granary)

    @property
    def bootstrap(self) -> str:
        return str(self.granary.said["kafka"])

    @property
    def links(self) -> list[Link]:
        return [self.database_link, *([self.log.link] if self.log else [])]

    def connect(self, *, autocommit: bool = True) -> "psycopg.Connection[dict[str, Any]]":
        """As the platform's role, not by the proxy."""
        secrets = json.loads((self.data / "secrets.json").read_text())
        return psycopg.connect(
            host=BEHIND,
            port=self._port,
            user="grnry",
            password=secrets["platform_password"],
            dbname="grnry",
            autocommit=autocommit,
            connect_timeout=5,
            row_factory=dict_row,
        )

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return connection.execute(statement.encode(), values or None).fetchall()

    # Processes

    def pid(self, name: str) -> int:
        """Of one of the household's; 0 while there is none."""
        return int(self.granary.noted(name)["pid"])

    def workers(self, deployment: str) -> list[int]:
        """Those that hold partitions, by what they have written into their leases."""
        found = self.rows(
            "select distinct split_part(owner, '/', 2)::int as pid from grnry.leases"
            " where deployment = %s and owner is not null order by 1",
            [deployment],
        )
        return [row["pid"] for row in found if start_of(row["pid"]) is not None]

    def leases(self, deployment: str) -> dict[int, int]:
        """The next offset of each partition of which something is stored."""
        found = self.rows(
            "select partition, next_offset from grnry.leases where deployment = %s"
            " and next_offset is not null",
            [deployment],
        )
        return {row["partition"]: row["next_offset"] for row in found}

    def kill(self, name: str) -> None:
        """`kill -9`; the supervisor starts another."""
        os.kill(self.pid(name), signal.SIGKILL)

    def kill_supervisor(self) -> None:
        os.kill(self.granary.process.pid, signal.SIGKILL)
        self.granary.wait()
        self.caller.close()
        self.database_link.shut()
        wait_for(lambda: not every_process(self.data), 60, "no process of it is left")

    def stop(self) -> None:
        """All of it, in whatever state it is."""
        with contextlib.suppress(Exception):
            self.caller.close()
        process = getattr(self.granary, "process", None)
        if process is not None and process.poll() is None:
            self.granary.stop()
        for pid in every_process(self.data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for link in self.links:
            link.close()
        if self.log is not None:
            self.log.kill()
        if self.disk is not None:
            self.disk.close()
