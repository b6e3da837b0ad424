"""Events over HTTP, on a whole running Granary."""

import gzip
import json
from typing import Any

import pytest
from confluent_kafka import Consumer, Message

from tests.event_types.calling import Caller


def send(caller: Caller, name: str, body: bytes, status: int = 202, **headers: str) -> Any:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    answer = caller.http.post(f"/event-types/{name}/events", content=body, headers=named)
    return caller.expect(answer, status)


def log_of(caller: Caller, name: str, count: int) -> list[Message]:
    """So many records of an event type's topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": caller.granary.said["kafka"],
            "group.id": f"look-{name}",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe([f"grnry_data_in_{name}"])
    found: list[Message] = []
    for _ in range(100):
        found += [message for message in consumer.consume(1000, 0.2) if not message.error()]
        if len(found) >= count:
            break
    consumer.close()
    return found


TAKEN = {"accepted": 2, "rejected": []}
ONE, TWO = b'{"user": "u", "id": 123456789012345678901234567890}', b'{"id":2,  "user": "u"}'


def test_an_array_lines_and_a_gzipped_body_arrive_byte_for_byte(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    assert send(caller, name, b"[" + ONE + b" ,\n" + TWO + b"]") == TAKEN
    assert (
        send(caller, name, ONE + b"\n" + TWO + b"\n", content_type="application/x-ndjson") == TAKEN
    )
    packed = gzip.compress(ONE + b"\n" + TWO)
    assert send(caller, name, packed, content_encoding="gzip") == TAKEN
    assert send(caller, name, ONE) == {"accepted": 1, "rejected": []}
    assert send(caller, name, b"[]") == {"accepted": 0, "rejected": []}
    found = log_of(caller, name, 7)
    assert [message.value() for message in found] == [ONE, TWO, ONE, TWO, ONE, TWO, ONE]
    assert {message.key() for message in found} == {b"u"}
    headers = dict(found[0].headers() or [])
    assert headers["grnry-event-id"] == b"123456789012345678901234567890"
    assert headers["grnry-event-type-version"] == b"1"


def test_what_is_rejected_says_where_and_why(caller: Caller) -> None:
    name = caller.make()
    lines = [ONE, b"{}", b"{", b'{"user": "\xff"}', TWO, b'{"user": "u"}']
    answer = send(caller, name, b"\n".join(lines), content_type="application/x-ndjson")
    assert answer["accepted"] == 2
    reasons = {each["position"]: each["reason"] for each in answer["rejected"]}
    assert set(reasons) == {1, 2, 3, 5}
    assert reasons[1].startswith("correlationIdExpression gives nothing")
    assert reasons[2].startswith("it is not JSON")
    assert reasons[5].startswith("eventIdExpression gives nothing")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "must not be empty"),
        (b"hello", "is not JSON"),
        (b'[{"a": 1}', "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_body_that_is_none(caller: Caller, body: bytes, reason: str) -> None:
    refused = send(caller, caller.make(), body, 400)
    assert refused["message"].startswith(f"Parameter 'body' {reason}")


def test_more_than_is_allowed(caller: Caller) -> None:
    name = caller.make()
    most = 16 * 2**20
    assert send(caller, name, b" " * (most + 1), 413)["type"] == "payload_too_large"
    bomb = gzip.compress(b" " * (most + 1))
    assert send(caller, name, bomb, 413, content_encoding="gzip")["type"] == "payload_too_large"
    assert send(caller, name, b"{}", 400, content_encoding="br")["type"] == "bad_parameter_value"


def test_a_large_event_is_taken_and_a_larger_one_is_rejected_alone(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    large = b'{"user": "u", "id": "1", "text": "%b"}' % (b"x" * 5_000_000)
    larger = b'{"user": "u", "id": "2", "text": "%b"}' % (b"x" * 9_000_000)
    answer = send(caller, name, b"[%b, %b, %b]" % (ONE, large, larger))
    assert answer["accepted"] == 2
    (rejected,) = answer["rejected"]
    assert rejected["position"] == 2
    assert rejected["reason"] == f"it has {len(larger)} bytes, and 8388608 are the most"
    assert [message.value() for message in log_of(caller, name, 2)] == [ONE, large]


def test_more_events_than_the_client_of_the_log_holds(caller: Caller) -> None:
    name = caller.make()
    many = [{"user": "u", "id": number} for number in range(120_000)]
    answer = send(
        caller, name, gzip.compress(json.dumps(many).encode(), 1), content_encoding="gzip"
    )
    assert answer == {"accepted": 120_000, "rejected": []}


def test_where_it_may_go(caller: Caller) -> None:
    refused = send(caller, "nothing", b"{}", 404)
    assert refused["message"] == "Event Type 'nothing' not found."
    assert caller.anonymous.post("/event-types/nothing/events", content=b"{}").status_code == 401
    assert caller.http.put("/event-types/nothing/events").status_code == 405
