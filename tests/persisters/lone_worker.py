"""A persister's worker started by its own command on a broker and a database, as in a container."""

import os
import signal
import subprocess
from pathlib import Path

from grnry.persisters.engine import Assignment
from tests.running import COMMAND


class LoneWorker:
    """May be stopped and started again."""

    def __init__(self, folder: Path, assignment: Assignment, **settings: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("GRNRY_")}
        self._environment = {**own, **settings, **assignment.to_environment()}
        self._words = [*COMMAND, "run", "persister", assignment.event_type]
        self._output = folder / "worker.said"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._words, env=self._environment, stdout=output, stderr=output
            )

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0, self.said
        self._process = None

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def said(self) -> str:
        return self._output.read_text()
