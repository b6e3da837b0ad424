"""`grnry persister …` against a running Granary."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from grnry.cli.persister_logs import new_lines
from tests.conftest import wait_for
from tests.running import COMMAND, Granary


@pytest.fixture(scope="module")
def name(granary: Granary) -> Iterator[str]:
    granary.do("event-type", "create", "watched", "--correlation-id", "payload.user")
    yield "watched"
    granary.do("event-type", "delete", "watched")


def fails(granary: Granary, *words: str) -> str:
    done = granary.grnry(*words)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_its_life(granary: Granary, name: str) -> None:
    assert "is STOPPED" in granary.do("persister", "state", name)
    assert "is RUNNING" in granary.do("persister", "start", name)
    changed = granary.do("persister", "set", name, "EVENTSTORE.batchSize=77", "--unset", "x")
    assert f"In effect after: grnry persister restart {name}" in changed
    assert "RUNNING (outdated)" in granary.do("persister", "state", name)
    shown = granary.do("persister", "show", name)
    assert "EVENTSTORE.batchSize" in shown
    assert "eventstore.batchSize " not in shown
    assert "kubernetes.limits.memory" in shown
    assert "is RUNNING" in granary.do("persister", "restart", name)
    assert "outdated" not in granary.do("persister", "state", name)
    assert "is STOPPED" in granary.do("persister", "stop", name)
    granary.do("persister", "set", name, "--unset", "eventstore.batchsize")
    found = json.loads(granary.do("persister", "show", name, "--json"))
    assert found["appConfig"]["eventstore.batchSize"] == "5000"


def test_a_file_is_what_is_set(granary: Granary, name: str, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text('{"appConfig": {"eventstore.batchTimeout": "50"}}')
    made = json.loads(granary.do("persister", "set", name, "-f", str(file), "--json"))
    assert made["appConfig"]["eventstore.batchTimeout"] == "50"
    assert made["appConfig"]["eventstore.batchSize"] == "5000"
    file.write_text("[]")
    assert "must hold one object of fields" in fails(
        granary, "persister", "set", name, "-f", str(file)
    )
    file.write_text("{")
    assert "is neither YAML nor JSON" in fails(granary, "persister", "set", name, "-f", str(file))


def test_what_is_wrong_is_said(granary: Granary, name: str) -> None:
    said = fails(granary, "persister", "set", name, "eventstore.batchSize=0")
    assert "'appConfig.eventstore.batchSize' must be a number from 1 to 100000" in said
    assert "sets nothing" in fails(granary, "persister", "set", name, "eventstore.batchSize")


def test_what_does_not_go_on_is_not_waited_for(granary: Granary, name: str) -> None:
    url = "spring.datasource.url=jdbc:postgresql://elsewhere/x"
    granary.do("persister", "set", name, url)
    said = fails(granary, "persister", "start", name)
    assert "the database x on elsewhere:5432" in said
    assert "It does not go on by itself." in said
    granary.do("persister", "stop", name)
    granary.do("persister", "set", name, "--unset", "spring.datasource.url")


def test_a_list_says_how_far_each_is(granary: Granary, name: str) -> None:
    granary.do("persister", "stop", name)
    granary.do("send", name, '[{"user": "1"}, {"user": "2"}]')
    header, *lines = granary.do("persister", "list").splitlines()
    assert header.split() == ["EVENT_TYPE", "STATUS", "LAG", "DEAD_LETTERS", "MESSAGE"]
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    assert line.split()[1:] == ["STOPPED", "2", "0"]
    found = json.loads(granary.do("persister", "list", "--json"))
    mine = next(each for each in found if each["eventTypeName"] == name)
    assert mine["progress"] == {"records": 0, "lag": 2, "deadLetters": 0}


def test_watching_tells_what_changes(granary: Granary, name: str, tmp_path: Path) -> None:
    granary.do("persister", "start", name)
    out = tmp_path / "out"
    with watching(granary, out, "persister", "state", name, "--watch", "--json"):
        wait_for(lambda: "rowsPerSecond" in out.read_text(), what="there is a rate")
        granary.do("send", name, '[{"user": "3"}, {"user": "4"}]')
        wait_for(
            lambda: any(each.get("rowsPerSecond") not in (None, 0) for each in whole_lines(out)),
            what="rows are seen",
        )
    assert {each["status"] for each in whole_lines(out)} == {"RUNNING"}


def test_watching_a_list_shows_each_of_them_again(
    granary: Granary, name: str, tmp_path: Path
) -> None:
    granary.do("event-type", "create", "watched2", "--correlation-id", "payload.user")
    out = tmp_path / "out"
    with watching(granary, out, "persister", "list", "--watch"):
        wait_for(lambda: out.read_text().count("\nwatched2 ") > 2, 60, "all are shown anew")
    text = out.read_text()
    assert text.count(f"\n{name} ") >= text.count("\nwatched2 ") - 1
    assert text.count("EVENT_TYPE") == 1
    granary.do("event-type", "delete", "watched2")


def test_a_live_segments_persister_is_restarted(granary: Granary, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"id": {"type": "string"}}}')
    words = ["event-type", "create", "restarted", "--type", "live_segment", "--schema", str(schema)]
    granary.do(*words)
    runs = "select run from grnry.deployments where name = 'grnry-p-live-segment-restarted'"
    with granary.platform() as platform:
        before = platform.execute(runs).fetchone()
        assert "is RUNNING" in granary.do("persister", "restart", "restarted")
        after = platform.execute(runs).fetchone()
    assert before is not None
    assert after is not None
    assert after["run"] == before["run"] + 1
    granary.do("event-type", "delete", "restarted")


def test_a_log_is_followed_over_a_restart(granary: Granary, name: str, tmp_path: Path) -> None:
    granary.do("persister", "start", name)
    before = len(granary.do("persister", "logs", name, "-n", "500").splitlines())
    assert len(granary.do("persister", "logs", name, "-n", "1").splitlines()) == 1
    out = tmp_path / "out"
    with watching(granary, out, "persister", "logs", name, "-f", "-n", "500"):
        wait_for(lambda: len(out.read_text().splitlines()) >= before, what="it has begun")
        granary.do("persister", "restart", name)
        wait_for(lambda: len(out.read_text().splitlines()) > before, what="a line is added")
    lines = out.read_text().splitlines()
    assert len(lines) == len(set(lines))


class watching:  # noqa: N801 - reads as what it does
    """A command that goes on until Ctrl-C, and ends well by it."""

    def __init__(self, granary: Granary, out: Path, *words: str) -> None:
        environment = {**granary.environment, "GRNRY_DATA": str(granary.data)}
        environment |= {"PYTHONUNBUFFERED": "1"}
        with out.open("w") as file:
            self._process = subprocess.Popen([*COMMAND, *words], env=environment, stdout=file)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        os.kill(self._process.pid, signal.SIGINT)
        assert self._process.wait(20) == 0


def whole_lines(out: Path) -> list[dict[str, object]]:
    text = out.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


@pytest.mark.parametrize(
    ("known", "found", "added", "is_whole"),
    [
        ([], [], [], True),
        ([], ["1"], ["1"], True),
        (["1", "2"], ["1", "2"], [], True),
        (["1", "2"], ["1", "2", "3"], ["3"], True),
        (["1", "2"], ["2", "3"], ["3"], True),
        (["1", "2"], ["3", "4"], ["3", "4"], False),
        (["1"], [], [], False),
        (["a", "b", "a"], ["b", "a", "b"], ["b"], True),
    ],
)
def test_new_lines(known: list[str], found: list[str], added: list[str], is_whole: bool) -> None:
    assert new_lines(known, found) == (added, is_whole)
