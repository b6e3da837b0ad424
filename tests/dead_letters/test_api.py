"""Dead letters over HTTP and on the command line, on a whole running Granary."""

import base64
import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.conftest import wait_for
from tests.event_types.bodies import body
from tests.event_types.calling import Caller

Header = tuple[str, str | bytes | None]
Headers = list[Header]


class Poisoned:
    """A data-in event type whose persister runs, and a producer of what it cannot store."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.name = caller.make(partitionCount=1)
        self.topic = f"grnry_data_in_{self.name}"
        self.deployment = f"grnry-p-pg-{self.name}"
        self.path = f"/projects/global/dead-letters/{self.deployment}"
        self.act("START", "RUNNING")

    def act(self, action: str, status: str) -> None:
        path = f"/event-types/{self.name}/eventstores/pg/persister/state"
        self.caller.post(path, {"action": action})
        wait_for(lambda: self.caller.get(path)["status"] == status, what=f"it is {status}")

    def produce(
        self, *payloads: bytes | None, first: int = 0, others: Sequence[Header] = ()
    ) -> None:
        producer = Producer({"bootstrap.servers": self.caller.granary.said["kafka"]})
        for number, payload in enumerate(payloads, first):
            ids: Headers = [("grnry-correlation-id", "u1"), ("grnry-event-id", f"e{number}")]
            producer.produce(self.topic, payload, b"u1", headers=[*ids, *others])
        assert producer.flush(20) == 0

    def wait(self, **counts: int) -> None:
        """Until there are as many of each state."""
        expected = {"failed": 0, "queued": 0, "replayed": 0, "superseded": 0, **counts}
        found: Any = None

        def is_so() -> bool:
            nonlocal found
            found = self.caller.get(self.path)["counts"]
            return bool(found == expected)

        wait_for(is_so, 60, what=f"{expected}, but {found}")

    def stored(self) -> dict[str, Any]:
        with self.caller.granary.platform() as database:
            rows = database.execute(
                "select event_id, message from public.eventstore where event_type = %s",
                [self.name],
            ).fetchall()
        return {row["event_id"]: row["message"] for row in rows}


@pytest.fixture
def poisoned(caller: Caller) -> Iterator[Poisoned]:
    made = Poisoned(caller)
    yield made
    caller.delete(f"/event-types/{made.name}?purge=true")
    with caller.granary.platform() as database:
        left = database.execute(
            "select from grnry.dead_letters where deployment = %s", [made.deployment]
        ).fetchall()
    assert left == []


def test_headers_of_a_usual_event_are_all_kept(poisoned: Poisoned) -> None:
    """Though its row was made, and only the database refused it."""
    others: Headers = [
        ("grnry-event-timestamp", "1700000000000"),
        ("grnry-event-type-version", "1"),
        ("grnry-harvester-name", "na"),
        ("other", None),
        ("other", "twice"),
    ]
    poisoned.produce(b"{}", b"{", others=others)
    poisoned.wait(failed=1)
    (letter,) = poisoned.caller.get(poisoned.path)["letters"]
    ids = [("grnry-correlation-id", "u1"), ("grnry-event-id", "e1")]
    assert [(one["name"], one.get("value")) for one in letter["headers"]] == [*ids, *others]
    assert poisoned.stored() == {"e0": {}}


def test_what_is_told(poisoned: Poisoned) -> None:
    caller, path = poisoned.caller, poisoned.path
    assert caller.get(path)["letters"] == []
    poisoned.produce(b"{", b"\xff\xfe", b"{", b"[" + b" " * 5000)
    poisoned.wait(failed=4)
    (source,) = [
        one
        for one in caller.get("/dead-letters")["deadLetters"]
        if one["deployment"] == poisoned.deployment
    ]
    assert source["_links"]["self"]["href"] == caller.granary.said["api"] + path
    assert (source["counts"]["failed"], source["eventTypeName"]) == (4, poisoned.name)

    answer = caller.get(f"{path}?pagesize=3")
    assert (answer["status"], answer["totalCount"]) == ("RUNNING", 4)
    assert "next" in answer["_links"]
    assert answer["reasons"][0]["count"] == 3
    assert answer["reasons"][0]["reason"].startswith("invalid input syntax for type json")
    assert answer["reasons"][0]["sqlstate"] == "22P02"
    first, second, third = answer["letters"]
    assert first["payload"] == "{"
    assert first["headers"] == [
        {"name": "grnry-correlation-id", "value": "u1"},
        {"name": "grnry-event-id", "value": "e0"},
    ]
    assert (first["key"], first["topic"], first["offset"]) == ("u1", poisoned.topic, 0)
    assert (first["state"], first["attempts"], first["edited"]) == ("failed", 0, False)
    assert second["payloadBase64"] == base64.b64encode(b"\xff\xfe").decode()
    assert "payload" not in second
    assert third["offset"] == 2
    (last,) = caller.get(f"{path}?pagesize=3&offset=3")["letters"]
    assert (len(last["payload"]), last["payloadBytes"]) == (4096, 5001)
    assert len(caller.get(f"{path}/0/3")["payload"]) == 5001
    tag = caller.http.get(f"{path}/0/3").headers["etag"]
    assert caller.http.get(f"{path}/0/3", headers={"If-None-Match": tag}).status_code == 304
    reason = answer["reasons"][0]["reason"]
    of_reason = caller.expect(caller.http.get(path, params={"reason": reason}), 200)
    assert of_reason["totalCount"] == 3
    assert caller.get(f"{path}?state=replayed")["totalCount"] == 0
    progress = caller.get(
        f"/event-types/{poisoned.name}/eventstores/pg/persister/state?expand=progress"
    )["progress"]
    assert progress["deadLetters"] == 4


def test_what_is_wrong_is_named(poisoned: Poisoned) -> None:
    caller, path = poisoned.caller, poisoned.path
    refused = caller.get(f"{path}?state=some&pagesize=x", 400)
    assert [one["name"] for one in refused["invalidParams"]] == ["pagesize", "state"]
    wrong = {"offset": 1, "payload": "{}", "payloadBase64": "?"}
    assert caller.reasons(wrong, f"{path}:replay").keys() == {
        "partition",
        "offset",
        "payloadBase64",
    }
    assert caller.reasons({"offset": -1}, f"{path}:replay").keys() >= {"offset"}
    caller.post(f"{path}:replay", {"partition": 0, "offset": 99, "payload": "{}"}, 404)
    caller.get(f"{path}/0/99", 404)
    refused = caller.delete(f"{path}?offset=1", 400)  # of whichever partition it is not meant
    assert refused["message"] == "Parameter 'partition' must be given where 'offset' is."
    for method in (caller.get, caller.delete):
        missing = method("/dead-letters/grnry-p-pg-nowhere", 404)
        assert missing["message"] == "Deployment 'grnry-p-pg-nowhere' not found."
    # Another project's are nobody's there.
    caller.post("/projects", {"displayName": "elsewhere-dlq"}, 200)
    caller.renew()
    caller.get(f"/projects/elsewhere-dlq/dead-letters/{poisoned.deployment}", 404)


def test_edited_replayed_and_dropped(poisoned: Poisoned) -> None:
    caller, path = poisoned.caller, poisoned.path
    poisoned.produce(b"{", b"[", b"(")
    poisoned.wait(failed=3)
    edit = {"partition": 0, "offset": 1, "payload": '{"put": "right \\u00e9"}'}
    assert caller.post(f"{path}:replay", edit) == {"queued": 1, "status": "RUNNING"}
    poisoned.wait(failed=2, replayed=1)
    assert poisoned.stored() == {"e1": {"put": "right é"}}
    refused = caller.post(f"{path}:replay", edit, 404)["message"]
    assert refused.endswith("with partition '0' and offset '1' that is failed or queued not found.")
    letter = caller.get(f"{path}/0/1")
    assert (letter["state"], letter["edited"], letter["attempts"]) == ("replayed", True, 1)
    assert letter["requestedBy"] == caller.granary.said["user"]
    assert letter["settledAt"] >= letter["requestedAt"]
    assert caller.post(f"{path}:replay", {}) == {"queued": 2, "status": "RUNNING"}
    wait_for(lambda: caller.get(f"{path}/0/0")["attempts"] == 1, what="it has failed again")
    poisoned.wait(failed=2, replayed=1)
    # An event of its ids has come since.
    poisoned.produce(b'"sent again"')
    wait_for(lambda: "e0" in poisoned.stored(), what="it is stored")
    caller.post(f"{path}:replay", {"partition": 0, "offset": 0, "payload": "{}"})
    poisoned.wait(failed=1, replayed=1, superseded=1)
    assert poisoned.stored()["e0"] == "sent again"
    assert caller.delete(f"{path}?state=superseded", 200) == {"dropped": 1}
    assert caller.delete(f"{path}?partition=0&offset=1", 200) == {"dropped": 1}
    poisoned.wait(failed=1)
    assert caller.delete(path, 200) == {"dropped": 1}
    assert caller.get(f"{path}?state=all")["totalCount"] == 0


def test_one_that_is_stopped_replays_when_it_runs_again(poisoned: Poisoned) -> None:
    poisoned.produce(b"{")
    poisoned.wait(failed=1)
    poisoned.act("STOP", "STOPPED")
    edit = {"partition": 0, "offset": 0, "payload": "{}"}
    answer = poisoned.caller.post(f"{poisoned.path}:replay", edit)
    assert answer == {"queued": 1, "status": "STOPPED"}
    poisoned.act("START", "RUNNING")
    poisoned.wait(replayed=1)
    assert poisoned.stored() == {"e0": {}}


def test_a_topic_that_was_made_again(poisoned: Poisoned) -> None:
    caller, path = poisoned.caller, poisoned.path
    poisoned.produce(b"{", b"[")
    poisoned.wait(failed=2)
    poisoned.act("STOP", "STOPPED")
    make_again(caller.granary.said["kafka"], poisoned.topic)
    poisoned.produce(b"(", b"{}")
    trace = f"/event-types/{poisoned.name}/trace?correlationId=u1"
    found = [(one["where"], one["offset"], one["inTopic"]) for one in caller.get(trace)["found"]]
    expected = [("WAITING", 0, True), ("WAITING", 1, True)]
    assert found == [*expected, ("DEAD_LETTER", 1, False), ("DEAD_LETTER", 0, False)]
    assert caller.get(trace)["lag"] == 2
    poisoned.act("START", "RUNNING")
    poisoned.wait(failed=3)
    letters = caller.get(path)["letters"]
    assert [(one["payload"], one["offset"], one["formerTopic"]) for one in letters] == [
        ("{", 0, True),
        ("[", 1, True),
        ("(", 0, False),
    ]
    assert caller.get(f"{path}/0/0")["payload"] == "("
    assert caller.get(f"{path}/0/1")["formerTopic"]
    found = [(one["where"], one["offset"], one["inTopic"]) for one in caller.get(trace)["found"]]
    assert found[:3] == [
        ("DEAD_LETTER", 0, True),
        ("DEAD_LETTER", 1, False),
        ("DEAD_LETTER", 0, False),
    ]
    # What is of the former one is replayed as well.
    caller.post(f"{path}:replay", {"partition": 0, "offset": 1, "payload": '"put right"'})
    poisoned.wait(failed=2, superseded=1)
    caller.post(f"{path}:replay", {"partition": 0, "offset": 0, "payload": '"put right"'})
    poisoned.wait(failed=1, superseded=1, replayed=1)
    assert poisoned.stored() == {"e0": "put right", "e1": {}}


def make_again(bootstrap: str, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    client.delete_topics([topic], operation_timeout=30)[topic].result(60)

    def is_made() -> bool:
        with contextlib.suppress(KafkaException):
            client.create_topics([NewTopic(topic, 1, 1)], operation_timeout=30)[topic].result(60)
            return True
        return False

    wait_for(is_made, 60, "it is made again")


def test_the_command_line(poisoned: Poisoned, tmp_path: Any) -> None:
    granary, name = poisoned.caller.granary, poisoned.name
    nothing = granary.grnry("dlq", "show", name)
    assert nothing.returncode == 1
    assert "There are no dead letters" in nothing.stderr
    poisoned.produce(b"{", b"[", b"(")
    poisoned.wait(failed=3)
    listed = json.loads(granary.do("dlq", "list", "--json"))
    assert poisoned.deployment in [one["deployment"] for one in listed]
    assert poisoned.deployment in granary.do("dlq", "list")
    shown = granary.do("dlq", "show", name, "--limit", "2")
    assert f"{poisoned.deployment} is RUNNING: 3 failed, 0 queued" in shown
    assert "1 more: --offset 2" in shown
    letter = json.loads(granary.do("dlq", "show", name, "--at", "0:1", "--json"))
    assert (letter["payload"], letter["offset"]) == ("[", 1)
    assert granary.do("dlq", "show", name, "--at", "0:1").endswith("\n[\n")
    assert "PARTITION:OFFSET" in granary.grnry("dlq", "show", name, "--at", "x").stderr

    right = tmp_path / "right.json"
    right.write_text("{}")
    said = granary.do("dlq", "edit", name, "0:1", "--file", str(right), "--wait", "50")
    assert said == "1 to be replayed.\n2 failed, 0 queued, 1 replayed, 0 superseded.\n"
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho \'{"by": "hand"}\' > $1\n')
    editor.chmod(0o700)
    granary.environment["EDITOR"] = str(editor)
    granary.do("dlq", "edit", name, "0:2", "--wait", "50")
    assert poisoned.stored() == {"e1": {}, "e2": {"by": "hand"}}
    said = granary.do("dlq", "replay", name, "--wait", "50", "--json")
    assert json.loads(said)["counts"]["failed"] == 1
    assert "Say --yes" in granary.grnry("dlq", "drop", name).stderr
    assert granary.do("dlq", "drop", name, "--at", "0:0", "--yes") == "Dropped 1.\n"
    poisoned.wait(replayed=2)


def test_live_segments(caller: Caller) -> None:
    name, path = "dlqlive", "/dead-letters/grnry-p-live-segment-dlqlive"
    caller.post(f"/event-types/{name}", body("live_segment", name, partitionCount=1))
    producer = Producer({"bootstrap.servers": caller.granary.said["kafka"]})
    for record in ({"id": "a", "age": "old"}, {"id": "b", "age": "old"}, {"id": "a", "age": 1}):
        producer.produce(f"grnry_live_segment_{name}", json.dumps(record), str(record["id"]))
    assert producer.flush(20) == 0

    def counts() -> Any:
        return caller.get(path)["counts"]

    wait_for(lambda: counts()["failed"] == counts()["superseded"] == 1, 60)
    edit = {"partition": 0, "offset": 1, "payload": '{"id": "b", "age": 2}'}
    caller.post(f"{path}:replay", edit)
    wait_for(lambda: counts()["replayed"] == 1, 60)
    caller.post(f"{path}:replay", {})
    with caller.granary.platform() as database:
        rows = database.execute(
            f"select id, age from global.grnry_live_sgmt_{name} order by id".encode()
        ).fetchall()
    assert [(row["id"], row["age"]) for row in rows] == [("a", 1), ("b", 2)]
    caller.delete(f"/event-types/{name}?purge=true")
