"""`grnry logs`, of a running Granary."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from grnry.household.log_files import FILE_BYTES
from tests.conftest import wait_for
from tests.running import COMMAND, Granary


class Following:
    """A command that goes on, and what it has said."""

    def __init__(self, granary: Granary, file: Path, *words: str) -> None:
        self._file = file
        environment = {**os.environ, "GRNRY_DATA": str(granary.data)}
        with file.open("w") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "logs", *words], env=environment, stdout=output, stderr=output
            )

    def said(self) -> str:
        return self._file.read_text()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@pytest.fixture
def following(granary: Granary, tmp_path: Path) -> Iterator[Following]:
    made = Following(granary, tmp_path / "said", "-f", "-n", "1", "--json")
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def say(granary: Granary, process: str, message: str) -> None:
    """What the process would write: it holds its file open for appending as well."""
    file = granary.data / "logs" / f"{process}.log"
    with file.open("a") as log:
        log.write(f"2999-01-01 00:00:00.000  INFO [{process},,,] 1 --- [main] a.b : {message}\n")


def test_all_processes_are_shown_and_one_alone(granary: Granary) -> None:
    every = granary.do("logs", "-n", "-1")
    assert {line.split(" ")[0] for line in every.splitlines()} >= {"api", "postgres"}
    assert "database system is ready" in granary.do("logs", "postgres", "-n", "-1")
    entries = [json.loads(line) for line in granary.do("logs", "--json").splitlines()]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert len(granary.do("logs", "reconciler", "-n", "1", "--json").splitlines()) == 1
    assert granary.do("logs", "-n", "0") == ""


def test_an_unknown_process_and_a_folder_without_logs_are_told(
    granary: Granary, tmp_path: Path
) -> None:
    done = granary.grnry("logs", "nope")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no log of a process 'nope'; there are: api, " in done.stderr
    nothing = granary.grnry("logs", "--data", str(tmp_path))
    assert nothing.returncode == 1
    assert "There are no logs in" in nothing.stderr


def test_what_is_added_is_followed_over_the_cut_and_ctrl_c_is_a_good_end(
    granary: Granary, following: Following
) -> None:
    wait_for(lambda: following.said().count("\n") == 1, what="it follows")
    say(granary, "broker", "before the cut")
    wait_for(lambda: "before the cut" in following.said(), what="it is shown")
    file = granary.data / "logs" / "broker.log"
    with file.open("a") as log:
        log.write("".join(f"{'x' * 1023}\n" for _ in range(FILE_BYTES // 1024 + 1)))
    wait_for((granary.data / "logs" / "broker.log.1").exists, what="the file is put aside")
    say(granary, "broker", "after the cut")
    wait_for(lambda: "after the cut" in following.said(), what="it is followed")
    assert file.stat().st_size < 10_000
    assert following.said().count("before the cut") == 1
    assert following.end() == 0
    assert "Traceback" not in following.said()
    assert all(json.loads(line) for line in following.said().splitlines())


def test_control_characters_do_not_reach_the_terminal(granary: Granary) -> None:
    say(granary, "reconciler", "red \x1b[31m and \x07 bell")
    shown = granary.do("logs", "reconciler", "-n", "1")
    assert "red \\x1b[31m and \\x07 bell" in shown


def test_a_stopped_one_has_its_logs_still(granary: Granary, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "api.log").write_bytes((granary.data / "logs" / "api.log").read_bytes())
    assert "startup complete" in granary.do("logs", "--data", str(tmp_path), "-n", "-1")
