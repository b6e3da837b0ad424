"""What the README prints is run as it stands."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_for
from tests.running import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
PORTS = (8080, 9092)
IN_CI = os.environ.get("CI") == "true"


def missing() -> list[str]:
    """What this machine lacks for running it."""
    tools = [tool for tool in ("curl", "psql", "kcat") if not shutil.which(tool)]
    return tools + [f"port {port}" for port in PORTS if not is_free(port)]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of both terminals."""
    return {**os.environ, "GRNRY_DATA": str(tmp_path / "data")}


@pytest.fixture
def up(shell: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """What runs in the first terminal."""
    said = tmp_path / "up.log"
    with said.open("w") as log:
        process = subprocess.Popen(BLOCKS[0].split(), cwd=ROOT, env=shell, stdout=log, stderr=log)
    try:
        wait_for(
            lambda: "Granary is ready" in said.read_text() or process.poll() is not None, seconds=60
        )
        assert "Granary is ready" in said.read_text(), said.read_text()
        yield process
    finally:
        process.terminate()
        process.wait(60)


def run(
    block: str, environment: dict[str, str], *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert not check or done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done


def test_it_has_the_blocks_that_are_run_here() -> None:
    assert len(BLOCKS) == 4
    assert BLOCKS[0] == "./grnry up\n"
    assert len(README.splitlines()) < 120
    # From the first command to a row that SQL shows.
    assert len((BLOCKS[0] + BLOCKS[1]).splitlines()) < 10


@pytest.mark.skipif(bool(missing()) and not IN_CI, reason=f"needs {', '.join(missing())}")
def test_the_first_event_goes_its_way(shell: dict[str, str], up: subprocess.Popen[bytes]) -> None:
    run(BLOCKS[1], shell)
    question = BLOCKS[1].splitlines()[-1]
    (expected,) = re.findall(r"```\n(CORRELATION_ID.*?)```", README, re.DOTALL)
    wait_for(lambda: run(question, shell).stdout == expected, what="the first event is a row")
    run(BLOCKS[2], shell)
    wait_for(lambda: rows(shell) == 3, what="the events of curl are rows")
    run(BLOCKS[3], shell)
    wait_for(lambda: rows(shell) == 4, what="the event of kcat is a row")
    run("./grnry stop", shell)
    assert up.wait(30) == 0


def rows(environment: dict[str, str]) -> int:
    printed = run(
        './grnry sql --json "select 1 as event from global.eventstore_calls"', environment
    ).stdout
    return printed.count("{")
