"""`grnry topic` and `grnry group`, run as their users do, on an embedded log."""

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from grnry.cli.places import At, parse
from grnry.cli.records import as_json, for_people, from_json
from grnry.errors import BadInput
from tests.log.broker.running import RunningBroker
from tests.running import COMMAND


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with RunningBroker(tmp_path_factory.mktemp("log")) as running:
        yield running


class Shell:
    def __init__(self, broker: RunningBroker) -> None:
        self._environment = {**os.environ, "GRNRY_KAFKA_BOOTSTRAP": broker.address, "TZ": "UTC"}

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def do(self, *words: str, stdin: str = "") -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words: str, stdin: str = "") -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*COMMAND, *words], env=self._environment, stdout=subprocess.PIPE, text=True
        )


@pytest.fixture
def shell(broker: RunningBroker) -> Shell:
    return Shell(broker)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_topic_from_its_making_to_its_end(shell: Shell) -> None:
    made = ["topic", "create", "clicks", "-p", "2", "--retention", "7d"]
    assert shell.do(*made, "--set", "cleanup.policy=compact,delete") == "Made clicks.\n"
    assert "already" in shell.refused(*made)
    assert {"name": "clicks", "partitions": 2} in json.loads(shell.do("topic", "list", "--json"))
    assert shell.do("topic", "produce", "clicks", '{"page": 1}', "-k", "u1", "-H", "a=1") == (
        "Wrote 1 record.\n"
    )
    shown = json.loads(shell.do("topic", "show", "clicks", "--json"))
    assert shown["settings"]["retention.ms"] == str(7 * 24 * 3600 * 1000)
    assert sorted(one["end"] for one in shown["partitions"]) == [0, 1]
    assert len(shown["id"]) >= 20
    said = shell.do("topic", "show", "clicks")
    assert "retention.ms    604800000" in said
    assert "max.message.bytes" not in said
    assert shell.do("topic", "delete", "clicks") == "Deleted clicks.\n"
    assert "There is no topic 'clicks'." in shell.refused("topic", "delete", "clicks")


def test_records_are_shown_and_copied_as_they_are(shell: Shell, tmp_path: Path) -> None:
    for name in ("from", "to"):
        shell.do("topic", "create", name)
    file = tmp_path / "lines"
    file.write_bytes(b'k1:{"n": 1}\nk2:\xff\x00\r\nk3:\x1b[31mred\n')
    assert "Wrote 3" in shell.do(
        "topic", "produce", "from", "-F", str(file), "--key-separator", ":"
    )
    shown = shell.do("topic", "tail", "from")
    assert "0/0  20" in shown
    assert 'key=k1\n  {"n": 1}\n' in shown
    assert "  0xff00\n" in shown
    assert "\x1b" not in shown
    first = shell.do("topic", "tail", "from", "--json")
    assert "Wrote 3" in shell.do("topic", "produce", "to", "--json", stdin=first)
    copied = lines(shell.do("topic", "tail", "to", "--from", "beginning", "--json"))
    assert copied == [{**one, "topic": "to"} for one in lines(first)]
    assert copied[1]["value"] == {"base64": base64.b64encode(b"\xff\x00").decode()}


def test_tail_begins_where_it_is_told(shell: Shell) -> None:
    shell.do("topic", "create", "many", "-p", "2")
    given = "".join(f"{number}\n" for number in range(30))
    shell.do("topic", "produce", "many", "--partition", "1", stdin=given)

    def values(*words: str) -> list[str]:
        return [one["value"] for one in lines(shell.do("topic", "tail", "many", "--json", *words))]

    every = [str(number) for number in range(30)]
    assert values() == every[-10:]
    assert values("-n", "3") == every[-3:]
    assert values("--from", "beginning") == every
    assert values("--from", "beginning", "-n", "2") == every[:2]
    assert values("--from", "25") == every[25:]
    assert values("--from", "1h") == every
    assert values("--from", "2020-01-01") == every
    assert values("--from", "2100-01-01T00:00:00Z") == []
    assert values("--from", "end") == []
    assert values("--partition", "0") == []
    assert "0 to 1, but is 2" in shell.refused("topic", "tail", "many", "--partition", "2")
    assert "'yesterday'" in shell.refused("topic", "tail", "many", "--from", "yesterday")


def test_tail_follows_until_it_is_told_to_stop(shell: Shell) -> None:
    shell.do("topic", "create", "followed")
    shell.do("topic", "produce", "followed", "old")
    following = shell.start("topic", "tail", "followed", "-f", "--json")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["value"] == "old"
    shell.do("topic", "produce", "followed", "new")
    assert json.loads(following.stdout.readline())["value"] == "new"
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=30)
    assert following.returncode == 130


def test_a_group_is_shown_reset_and_deleted(shell: Shell, broker: RunningBroker) -> None:
    shell.do("topic", "create", "read")
    shell.do("topic", "produce", "read", stdin="a\nb\nc\n")
    broker.read_all("read", 3, "reports")
    consumer = broker.consumer("reports")
    consumer.subscribe(["read"])
    until = time.monotonic() + 30
    while not consumer.assignment() and time.monotonic() < until:
        consumer.poll(0.1)
    assert "has members" in shell.refused(
        "group", "reset", "reports", "--to", "1", "--topic", "read"
    )
    assert "stop them first" in shell.refused("group", "delete", "reports")
    shown = json.loads(shell.do("group", "show", "reports", "--json"))
    assert (shown["state"], len(shown["members"]), shown["lag"]) == ("stable", 1, 3)
    consumer.commit(offsets=[TopicPartition("read", 0, 1)], asynchronous=False)
    consumer.close()
    to = ["group", "reset", "reports", "--to"]
    dry = shell.do(*to, "2", "--topic", "read", "--dry-run")
    assert "Nothing was changed." in dry
    assert json.loads(shell.do("group", "show", "reports", "--json"))["lag"] == 2
    assert "Done." in shell.do(*to, "2", "--topic", "read")
    assert json.loads(shell.do(*to, "1000000", "--json"))[0]["after"] == 3
    assert json.loads(shell.do(*to, "beginning", "--json"))[0]["before"] == 3
    assert {"name": "reports", "state": "empty"} in json.loads(shell.do("group", "list", "--json"))
    assert shell.do("group", "delete", "reports") == "Deleted reports.\n"
    assert "There is no group 'reports'" in shell.refused("group", "show", "reports")


def test_what_is_not_there_is_said_with_what_may_be_meant(shell: Shell) -> None:
    shell.do("topic", "create", "grnry_data_in_calls")
    said = shell.refused("topic", "show", "grnry_data_in_call")
    assert said == ("There is no topic 'grnry_data_in_call'. Did you mean 'grnry_data_in_calls'?\n")
    assert "Did you mean 'grnry_data_in_calls'?" in shell.refused("topic", "tail", "calls")
    said = shell.refused("topic", "delete", "grnry_data_in_calls")
    assert "is the platform's" in said
    assert "--force" in said
    shell.do("topic", "delete", "grnry_data_in_calls", "--force")


def test_errors_say_what_to_do(shell: Shell, tmp_path: Path) -> None:
    shell.do("topic", "create", "small", "--set", "max.message.bytes=1000")
    produce = ["topic", "produce", "small"]
    assert "Line '1' is no record" in shell.refused(*produce, "--json", stdin="[1]\n")
    assert "Line '2' has no ':'" in shell.refused(
        *produce, "--key-separator", ":", stdin="a:b\nc\n"
    )
    assert "cannot be read" in shell.refused(*produce, "-F", str(tmp_path / "nothing"))
    assert "NAME=VALUE" in shell.refused(*produce, "x", "-H", "nothing")
    large = base64.b64encode(os.urandom(3000)).decode()
    assert "number 1: " in shell.refused(*produce, large)
    assert "No broker answers at 127.0.0.1:1." in shell.refused(
        "topic", "list", "--bootstrap", "127.0.0.1:1"
    )
    assert "--retention" in shell.refused("topic", "create", "x", "--retention", "long")
    assert "no.such" in shell.refused("topic", "create", "x", "--set", "no.such=1")


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("beginning", At("beginning")),
        ("end", At("end")),
        ("0", At(offset=0)),
        ("1200", At(offset=1200)),
        ("15m", At(time_ms=int(NOW.timestamp() * 1000) - 900_000)),
        ("2026-11-21T11:00:00Z", At(time_ms=int(NOW.timestamp() * 1000) - 3_600_000)),
        ("999999999d", At("beginning")),
    ],
)
def test_places_are_read(text: str, place: At) -> None:
    assert parse("--from", text, NOW) == place


@pytest.mark.parametrize("text", ["", "-1", "1.5", "tomorrow", "15 m", "٣", "0001-01-01x"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="Option '--from' is"):
        parse("--from", text, NOW)


class Found:
    """A record that was read."""

    def __init__(self, value: bytes | None, **given: Any) -> None:
        self._value = value
        self._given = given

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes | None:
        key: bytes | None = self._given.get("key")
        return key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self._given.get("headers", []))

    def set_headers(self, value: Iterable[tuple[str, bytes | None]], /) -> None:
        self._given["headers"] = list(value)

    def timestamp(self) -> tuple[int, int]:
        return 1, int(self._given.get("time", 0))

    def leader_epoch(self) -> int | None:
        return None


def test_records_are_printed_so_that_they_can_be_read() -> None:
    found = Found(None, key=b"\x07", headers=[("a", None), ("a", b"\xfe")], time=1)
    assert for_people(found) == (
        "0/7  1970-01-01 00:00:00.001Z  key=\\x07  a=(null)  a=0xfe\n  (no value)"
    )
    long = json.dumps({"text": "x" * 200}).encode()
    assert for_people(Found(long)).splitlines()[1:] == ["  {", f'    "text": "{"x" * 200}"', "  }"]
    assert for_people(Found(b"", time=2**62)).splitlines() == [f"0/7  {2**62} ms", "  (empty)"]
    assert "  a\n  b" in for_people(Found(b"a\nb"))
    assert "\\u202e" in for_people(Found("\u202e".encode()))


@pytest.mark.parametrize("value", [None, b"", b"text", b"\xff", b'{"a": 1}', "ä\x00".encode()])
def test_json_of_a_record_is_read_back_as_it_was(value: bytes | None) -> None:
    headers = [("a", value), ("a", None)]
    made = from_json(as_json(Found(value, key=value, headers=headers, time=5)).encode(), 1)
    assert (made.key, made.value, list(made.headers)) == (value, value, headers)
    assert made.timestamp_ms == 5
