"""Commands as a person and a program use them, against a running Granary."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from grnry.cli.main import app
from tests.running import COMMAND, Granary

HELP_SECONDS = 0.4
HEAVY = {"confluent_kafka", "fastapi", "httpx2", "kio", "psycopg", "uvicorn"}


def every_command(command: Any, name: str = "") -> Iterator[str]:
    yield name.strip()
    for word, below in getattr(command, "commands", {}).items():
        yield from every_command(below, f"{name} {word}")


COMMANDS = [*every_command(get_command(app))]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_without_what_only_its_work_needs(command: str) -> None:
    python, *rest = COMMAND
    words = [python, "-X", "importtime", *rest, *command.split(), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Usage: grnry" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert imported & HEAVY == set()
    assert not [line for line in done.stderr.splitlines() if not line.startswith("import time:")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["send", "nope", "{}"], "'nope' not found"),
        (["send", "odd", "{bad"], "is not JSON"),
        (["send", "odd", "-f", "/nonexistent/file"], "No such file or directory"),
        (["send", "odd", "-f", "/"], "Is a directory"),
        (["event-type", "show", "nope"], "'nope' not found"),
        (["event-type", "create", "a b", "--correlation-id", "payload.a"], "'name' must be"),
        (["persister", "start", "nope"], "'nope' not found"),
        (["sql", ""], "Give a statement"),
        (["sql", "selec"], "syntax error"),
        (["sql", "select '\udcff'"], "not UTF-8"),
        (["sql", "copy (select 1) to stdout"], "COPY from or to a client needs psql"),
        (["sql", "select 1", "--project", "nope"], "no credentials of a project 'nope'"),
        (["project", "show", "nope"], "missing roles. `grnry whoami` shows those you have."),
        (["project", "create", "pg"], "leads to the name 'pg', which is reserved"),
        (["project", "members", "add", "global", "nobody", "--role", "viewer"], "no user 'nobody'"),
        (["user", "show", "nobody"], "There is no user 'nobody'"),
        (["status", "--data", "/nonexistent"], "No Granary runs on the data folder /nonexistent"),
    ],
)
def test_an_error_is_said_on_stderr_only(granary: Granary, words: list[str], said: str) -> None:
    if words[:2] == ["send", "odd"]:
        granary.grnry("event-type", "create", "odd", "--correlation-id", "payload.user")
    done = granary.grnry(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_events_are_read_from_stdin_and_those_refused_are_told(granary: Granary) -> None:
    granary.do("event-type", "create", "stdin", "--correlation-id", "payload.user")
    assert granary.grnry("send", "stdin", stdin='{"user": 1}').stdout == "Sent 1 event.\n"
    done = granary.grnry("send", "stdin", '[{"user": 1}, {}]', "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["accepted"] == 1
    assert "event 1: " in done.stderr


def test_every_value_has_a_form_in_json(granary: Granary) -> None:
    statement = (
        "select 'NaN'::float8 a, '-infinity'::float4 b, 'infinity'::timestamp c, 1, 2,"
        " array[date '2024-02-29'] d, '\\x00ff'::bytea e, '[1]'::jsonb f, 1.50::numeric g, null h"
    )
    (row,) = json.loads(granary.do("sql", "--json", statement))
    assert row == {
        "a": "NaN",
        "b": "-Infinity",
        "c": "infinity",
        "?column?": 1,
        "?column?_2": 2,
        "d": ["2024-02-29"],
        "e": "00ff",
        "f": [1],
        "g": "1.50",
        "h": None,
    }
    assert json.loads(granary.do("sql", "--json", "select 1 where false")) == []
    assert granary.do("sql", "select 1; select 2 as b") == "B\n2\n(1 row)\n"


def test_json_is_shown_as_it_is_stored(granary: Granary) -> None:
    number = "123456789012345678901234567890.50"
    deep = "[" * 5000 + "]" * 5000
    statement = f"select '{{\"n\": {number}}}'::jsonb n, '{deep}'::jsonb, '[1,\n 2]'::json"
    assert f'{{"n": {number}}}  {deep}  [1,  2]' in granary.do("sql", statement)
    assert f'"n": {{"n": {number}}}, "jsonb": {deep}, "json": [1,  2]}}' in granary.do(
        "sql", "--json", statement
    )


def test_the_address_is_for_psql_and_what_is_set_for_psql_is_not_for_us(granary: Granary) -> None:
    assert granary.do("sql", "--url").startswith("postgresql://grnry_project_global:")
    env = {**os.environ, "GRNRY_DATA": str(granary.data)}
    odd = {"PGSSLMODE": "require", "PGSERVICE": "none", "PGCLIENTENCODING": "latin1"}
    words = [*COMMAND, "sql", "select 'ö'"]
    done = subprocess.run(words, env={**env, **odd}, capture_output=True, text=True, check=False)
    assert "ö" in done.stdout, done.stderr


@pytest.mark.parametrize("rows", [1, 100_000])
def test_a_reader_that_goes_and_a_full_disk_make_no_stack_trace(
    granary: Granary, rows: int
) -> None:
    env = {**os.environ, "GRNRY_DATA": str(granary.data)}
    words = [*COMMAND, "sql", f"select generate_series(1, {rows})"]
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(words, env=env, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (1, b"")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, env=env, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"The output cannot be written: no space is left.\n"


def test_what_lies_in_the_working_directory_is_not_imported(
    granary: Granary, tmp_path: Path
) -> None:
    for name in ("json", "queue", "typer"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('from the wrong folder')")
    launcher = Path(__file__).parent.parent.parent / "grnry"
    env = {**os.environ, "GRNRY_DATA": str(granary.data)}
    done = subprocess.run(
        [launcher, "status", "--json"], cwd=tmp_path, env=env, capture_output=True, check=False
    )
    assert json.loads(done.stdout)["api"] == granary.said["api"]


def cpu_seconds(*words: str) -> float:
    """Of the CPU, as others may want it as well."""
    before = os.times()
    subprocess.run(words, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user - before.children_user
    return spent + after.children_system - before.children_system


def test_help_comes_soon() -> None:
    assert not {command for command in COMMANDS[::8] if is_slow(command)}


def is_slow(command: str) -> bool:
    """On a machine that is slow at the moment, at most thrice what its libraries take there."""
    for _ in range(5):
        bare = cpu_seconds(sys.executable, "-c", "import typer.rich_utils, rich.markdown")
        if cpu_seconds(*help_of(command)) <= max(HELP_SECONDS, 3 * bare):
            return False
    return True


def help_of(command: str) -> list[str]:
    return [*COMMAND, *command.split(), "--help"]
