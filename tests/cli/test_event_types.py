"""`grnry event-type …` as people and programs use it."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.running import COMMAND, Granary

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["id"],
}


def described(granary: Granary, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(granary.do("event-type", "show", name, "--json"))
    return found


def test_from_a_file_to_an_export_and_back(granary: Granary, tmp_path: Path) -> None:
    file = tmp_path / "filed.yaml"
    file.write_text(
        "displayName: Filed\ndescription: from a file\ncorrelationIdExpression: payload.user\n"
        "eventIdExpression: payload.id\npartitionCount: 2\neventstoreTTL: P1D\n"
    )
    said = granary.do("event-type", "create", "filed", "-f", str(file), "--ttl", "P2D")
    assert "global.eventstore_filed" in said
    assert described(granary, "filed")["eventstoreTTL"] == "P2D"

    exported = granary.do("event-type", "export", "filed")
    granary.do("event-type", "delete", "filed")
    again = tmp_path / "again.yaml"
    again.write_text(exported)
    granary.do("event-type", "create", "-f", str(again))
    assert granary.do("event-type", "export", "filed") == exported
    as_json = tmp_path / "again.json"
    as_json.write_text(granary.do("event-type", "export", "filed", "--json"))
    granary.do("event-type", "delete", "filed")
    granary.do("event-type", "create", "-f", str(as_json))
    assert granary.do("event-type", "export", "filed") == exported
    granary.do("event-type", "delete", "filed")


def test_a_live_segment_with_its_schema(granary: Granary, tmp_path: Path) -> None:
    schema = tmp_path / "people.json"
    schema.write_text(json.dumps(SCHEMA))
    words = ("--type", "live_segment", "--schema", str(schema), "--partitions", "1")
    said = granary.do("event-type", "create", "people", *words)
    assert "global.grnry_live_sgmt_people" in said
    assert "age" in granary.do("event-type", "export", "people")
    wider = {**SCHEMA, "properties": {**SCHEMA["properties"], "at": {"type": "string"}}}  # type: ignore[dict-item]
    schema.write_text(json.dumps(wider))
    assert "version 2" in granary.do("event-type", "update", "people", "--schema", str(schema))
    assert "Nothing is different" in granary.do(
        "event-type", "update", "people", "--schema", str(schema)
    )
    (header, first, second) = granary.do("event-type", "versions", "people").splitlines()
    assert header.split() == ["VERSION", "MODIFIED_AT", "BY", "CHANGED"]
    assert (first.split()[0], second.split()[0], second.split()[-1]) == ("1", "2", "schema")
    granary.do("persister", "set", "people", "batchSize=10", "errorsTolerance=none")
    assert "sets nothing" in granary.grnry("persister", "set", "people", "batchSize").stderr
    granary.do("persister", "restart", "people")
    shown = json.loads(granary.do("persister", "show", "people", "--json"))
    assert (shown["batchSize"], shown["state"]["status"]) == ("10", "RUNNING")
    listed = json.loads(granary.do("persister", "list", "--json"))
    (mine,) = [each for each in listed if each["eventTypeName"] == "people"]
    assert mine["progress"] == {"records": 0, "lag": 0, "deadLetters": 0}
    assert granary.do("persister", "logs", "people")
    refused = granary.grnry("event-type", "delete", "people", "--purge")
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    granary.do("event-type", "delete", "people", "--purge", "--yes")
    assert granary.grnry("event-type", "purge", "people", "--yes").returncode == 1


def test_at_a_terminal_what_changes_is_shown_and_asked_about(granary: Granary) -> None:
    granary.do("event-type", "create", "asked", "--correlation-id", "payload.user")
    words = [*COMMAND, "event-type", "update", "asked", "--ttl", "P1D"]
    for answer, version in ((b"n\n", 1), (b"y\n", 2)):
        said = at_a_terminal(granary, words, answer)
        assert "- eventstoreTTL: P100Y" in said
        assert "+ eventstoreTTL: P1D" in said
        assert "Change event type 'asked'?" in said
        assert described(granary, "asked")["version"] == version
    granary.do("event-type", "delete", "asked")


def at_a_terminal(granary: Granary, words: list[str], answer: bytes) -> str:
    """What is said on both, with the answer typed."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "GRNRY_DATA": str(granary.data)}
    process = subprocess.Popen(
        words, env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    os.write(ours, answer)
    said, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return said.decode()


def test_only_what_is_asked_is_a_difference(granary: Granary, tmp_path: Path) -> None:
    granary.do("event-type", "create", "stale", "--correlation-id", "payload.user")
    shown = described(granary, "stale")
    granary.do("event-type", "update", "stale", "--ttl", "P1D")
    file = tmp_path / "stale.json"
    file.write_text(json.dumps({**shown, "eventstoreTTL": None, "description": "new"}))
    said = at_a_terminal(
        granary, [*COMMAND, "event-type", "update", "stale", "-f", str(file)], b"y\n"
    )
    assert [line for line in said.splitlines() if line[:1] in "+-"] == ["+ description: new"]
    granary.do("event-type", "delete", "stale")


def test_a_typo_in_a_file_is_told(granary: Granary, tmp_path: Path) -> None:
    file = tmp_path / "typo.yaml"
    file.write_text("correlationIdExpression: payload.user\ndescripton: a typo\n")
    done = granary.grnry("event-type", "create", "typo", "-f", str(file))
    assert (done.returncode, done.stderr) == (0, "These fields have no effect: descripton.\n")
    done = granary.grnry("event-type", "update", "typo", "--description", "none")
    assert (done.returncode, done.stderr) == (0, "")
    granary.do("event-type", "delete", "typo")


def test_columns_are_aligned_for_the_eye(granary: Granary) -> None:
    name = "日本 🍎 e\u0301"
    granary.do("event-type", "create", "wide", "--correlation-id", "1", "--display-name", name)
    head, row = granary.do("event-type", "list", "--search", name).splitlines()
    assert head.index("VERSION") - len("DISPLAY_NAME  ") == head.index("DISPLAY_NAME")
    # Each of three characters is two columns wide, and the accent none: one more than letters say.
    assert row.index("1 ") == head.index("VERSION") - 2
    granary.do("event-type", "delete", "wide")


def test_expressions_are_tried_out(granary: Granary) -> None:
    event = '{"user": "u1", "id": 7, "gone": true}'
    said = granary.do(
        "event-type", "evaluate", event, "--correlation-id", "payload.user + headers['x']",
        "--event-id", "payload.id", "--header", "x=-a", "--json",
    )  # fmt: skip
    assert json.loads(said) == {"correlationId": "u1-a", "eventId": "7"}
    granary.do("event-type", "create", "tried", "--correlation-id", "payload.user")
    said = granary.do(
        "event-type", "evaluate", event, "--event-type", "tried", "--deletion", "payload.gone"
    )
    assert said.splitlines()[0].split() == ["correlationId", "u1"]
    assert said.splitlines()[-1].split() == ["deletion", "true"]
    granary.do("event-type", "delete", "tried")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "{}", "--correlation-id", "payload.("], "is not a valid expression"),
        (["evaluate", "{}"], "Give an expression"),
        (["evaluate", '{"a": NaN}', "--event-id", "payload.a"], "The event holds something that"),
        (["evaluate", '{"a": 1e999}', "--event-id", "payload.a"], "The event holds something that"),
        (["evaluate", '"\\ud800"', "--event-id", "payload"], "The event holds something that"),
        (["evaluate", "[" * 100_000, "--event-id", "payload"], "The event is not JSON"),
        (["evaluate", "{}", "--event-id", "1", "--header", "x"], "'x' is no header"),
        (["create", "x", "-f", "{nan}"], "something that JSON does not know"),
        (["create", "x", "--description", "\udcff"], "is not UTF-8"),
        (["show", ""], "'' is no name of anything"),
        (["show", "a/b"], "'a/b' is no name of anything"),
        (["delete", "..", "--project", "nope"], "'..' is no name of anything"),
        (["evaluate", "{", "--event-id", "payload.id"], "The event is not JSON"),
        (["create", "x", "-f", "/nonexistent"], "No such file or directory"),
        (["create", "x", "-f", "{folder}"], "Is a directory"),
        (["create", "x", "-f", "{list}"], "must hold one object"),
        (["create", "x", "-f", "{bad}"], "is neither YAML nor JSON"),
        (["create", "x", "-f", "{date}"], "something that JSON does not know"),
        (["create", "x", "--type", "other"], "must be one of"),
        (["update", "nope", "--ttl", "P1D"], "'nope' not found"),
        (["show", "nope", "--version", "x"], "must be a natural number or 'latest'"),
        (["purge", "nope", "--yes"], "'nope' not found"),
        (["purge", "nope"], "Say --yes"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    granary: Granary, tmp_path: Path, words: list[str], said: str
) -> None:
    files = {"list": "- a\n", "bad": "a: [\n", "date": "description: 2024-01-01\n",
             "nan": "retentionMs: .nan\n"}  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    places = {name: str(tmp_path / name) for name in files} | {"folder": str(tmp_path)}
    given = [word.format(**places) if word[1:-1] in places else word for word in words]
    done = granary.grnry("event-type", *given)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
