"""The how-to about brokers that run elsewhere, run as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import free_port, wait_for
from tests.running import ROOT

PAGE = ROOT / "docs/how-to/outside-kafka.md"


class Reader:
    """Somebody who types the page's commands, one block after the other, into one shell."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._folder = folder
        command = folder / "grnry"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m grnry "$@"\n')
        command.chmod(0o755)
        environment = {**os.environ, "GRNRY_DATA": str(folder / "data")}
        with (folder / "said").open("w") as errors:
            self.shell = subprocess.Popen(
                ["bash", "-e"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=folder,
                env=environment,
            )

    def type(self, block: str) -> str:
        """What the block prints; fails where one of its commands does."""
        block = block.replace("log.example.org", "localhost").replace("9093", str(self._port))
        block = block.replace("up --detach", "up --detach --port 0")
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"{block}\necho; echo done\n")
        self.shell.stdin.flush()
        said: list[str] = []
        for line in self.shell.stdout:
            if line == "done\n":
                return "".join(said)
            said.append(line)
        raise AssertionError("".join(said) + (self._folder / "said").read_text())

    def wait_for_broker(self) -> None:
        wait_for(lambda: "listening on" in (self._folder / "said").read_text())

    def leave(self) -> None:
        assert self.shell.stdin is not None
        if self.shell.poll() is None:
            self.shell.stdin.write("./grnry stop >/dev/null || true; kill %1; wait\n")
        self.shell.communicate(timeout=60)


@pytest.mark.timeout(300)
def test_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    certificate, broker, settings, hello, granary = blocks
    reader = Reader(tmp_path)
    try:
        reader.type(certificate)
        reader.type(broker)
        reader.wait_for_broker()
        reader.type(settings)
        assert '"value": "{\\"from\\": \\"elsewhere\\"}"' in reader.type(hello)
        said = reader.type(granary)
        assert "Sent 1 event." in said
        assert "grnry_data_in_calls" in said
        query = "select count(*) from global.eventstore_calls"
        wait_for(lambda: "\n1\n" in reader.type(f'./grnry sql "{query}"'), 60)
        status = reader.type("./grnry status --json")
        assert '"broker"' not in status
    finally:
        reader.leave()
