"""A running Granary, started and used the way its users do."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.conftest import free_port, wait_for

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "grnry"]


class Granary:
    """`grnry up` on a data folder."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.environment = {**os.environ, **settings}
        self.process: subprocess.Popen[str]
        self.said: dict[str, Any] = {}
        self.password = ""

    def avoid_known_ports(self) -> None:
        """Leave the ports that the README prints to the test that runs it."""
        if not (self.data / "ports.json").exists():
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            ports = {name: free_port() for name in ("kafka", "database", "metrics")}
            (self.data / "ports.json").write_text(json.dumps(ports))

    def start(self) -> "Granary":
        self.avoid_known_ports()
        up = ["up", "--data", str(self.data), "--port", "0", "--json"]
        self.process = subprocess.Popen(
            [*COMMAND, *up],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr
            raise AssertionError(f"grnry up said nothing: {self.process.stderr.read()}")
        self.said = json.loads(line)
        self.password = self.said.get("password", self.password)
        return self

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Until it has ended, by itself or by a signal."""
        code = self.process.wait(60)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return code

    def grnry(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words],
            env={**self.environment, "GRNRY_DATA": str(self.data)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def do(self, *words: str) -> str:
        """A command that has to succeed; answers what it printed."""
        done = self.grnry(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def processes(self) -> dict[str, dict[str, Any]]:
        found = json.loads(self.do("status", "--json"))
        return {process["name"]: process for process in found["processes"]}

    def pid(self, name: str) -> int:
        return int(self.processes()[name]["pid"])

    def kill(self, name: str) -> None:
        """`kill -9` one of the processes, and wait until another is ready in its place."""
        before = self.noted(name)["pid"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self._is_back(name, before), what=f"{name} is back")

    def _is_back(self, name: str, before: int) -> bool:
        process = self.noted(name)
        return process["pid"] not in (0, before) and bool(process["ready"])

    def note(self) -> dict[str, Any]:
        """What the supervisor notes; read from its file, as asking the command line takes long."""
        found: dict[str, Any] = json.loads((self.data / "running.json").read_text())
        return found

    def noted(self, name: str) -> dict[str, Any]:
        return next(each for each in self.note()["processes"] if each["name"] == name)

    def states(self) -> dict[str, str]:
        return {process["name"]: process["state"] for process in self.note()["processes"]}

    def journal(self) -> str:
        """What the supervisor has said."""
        return (self.data / "logs" / "supervisor.log").read_text()

    def platform(self) -> "psycopg.Connection[dict[str, Any]]":
        """A connection as the platform's role, for looking at everything."""
        return psycopg.connect(self.platform_url, autocommit=True, row_factory=dict_row)

    @property
    def platform_url(self) -> str:
        secrets = json.loads((self.data / "secrets.json").read_text())
        ports = json.loads((self.data / "ports.json").read_text())
        return (
            f"postgresql://grnry:{secrets['platform_password']}@127.0.0.1:{ports['database']}/grnry"
        )

    def worker_pids(self, reconciler: int) -> list[int]:
        """The workers: forks of the reconciler."""
        children = Path(f"/proc/{reconciler}/task/{reconciler}/children").read_text().split()
        return [int(pid) for pid in children]


def every_process(data: Path) -> dict[int, str]:
    """All processes that have the data folder in their command line, or were forked from such."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(data) in words and int(entry.name) != os.getpid():
            found[int(entry.name)] = words.replace("\0", " ")
    return found


def seconds(run: Callable[[], object]) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began
