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


def lines(count: int, start: int = 0) -> bytes:
    numbers = range(start, start + count)
    return b"".join(b'{"user": "u%d", "id": %d}\n' % (n % 9, n) for n in numbers)


NDJSON = "application/x-ndjson"


def test_what_is_said_to_be_something_else_is_not_looked_into(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    for content_type in ("text/xml", "multipart/form-data; boundary=x", "image/png", "nonsense"):
        refused = send(caller, name, ONE, 415, content_type=content_type)
        assert refused["type"] == "unsupported_media_type"
        assert f"is '{content_type}'" in refused["message"]
    for content_type in ("application/cloudevents+json", "text/plain; charset=utf-8"):
        assert send(caller, name, ONE, content_type=content_type)["accepted"] == 1


def test_lines_are_taken_while_they_come_however_many(caller: Caller) -> None:
    name = caller.make()
    most = 16 * 2**20  # of other bodies
    body = lines(3) + b'{"user": "u", "id": "%b"}\n' % (b"x" * 900) * 20_000 + lines(4, 10)
    assert len(body) > most

    def pieces() -> Any:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    path = f"/event-types/{name}/events"
    headers = {"Content-Type": NDJSON}
    answer = caller.expect(caller.http.post(path, content=pieces(), headers=headers), 202)
    assert answer == {"accepted": 20_007, "rejected": []}
    packed = gzip.compress(body, 1)
    headers["Content-Encoding"] = "gzip"
    answer = caller.expect(caller.http.post(path, content=packed, headers=headers), 202)
    assert answer["accepted"] == 20_007
    assert send(caller, name, body, 413)["type"] == "payload_too_large"


def test_what_is_wrong_with_a_line_costs_that_line(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    long = b'{"user": "u", "id": "%b"}\n' % (b"x" * 9_000_000)
    answer = send(caller, name, ONE + b"\n" + long + TWO, content_type=NDJSON)
    assert answer["accepted"] == 2
    (rejected,) = answer["rejected"]
    assert rejected["position"] == 1
    assert rejected["reason"] == f"it has {len(long) - 1} bytes, and 8388608 are the most"
    many = send(caller, name, b"{}\n" * 1500 + ONE, content_type=NDJSON)
    assert (many["accepted"], len(many["rejected"])) == (1, 1000)
    assert many["rejectedNotListed"] == 500
    assert [message.value() for message in log_of(caller, name, 3)] == [ONE, TWO, ONE]


@pytest.mark.parametrize("body", [b"", b" \n\r\n ", gzip.compress(b"", mtime=0)])
def test_no_lines_at_all(caller: Caller, body: bytes) -> None:
    headers = {"content_encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
    refused = send(caller, caller.make(), body, 400, content_type=NDJSON, **headers)
    assert refused["message"] == "Parameter 'body' must not be empty."


def test_what_was_read_before_the_body_broke_off_is_in_the_log(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    packed = gzip.compress(lines(2500))[:-9]
    headers = {"content_type": NDJSON, "content_encoding": "gzip"}
    refused = send(caller, name, packed, 400, **headers)
    assert refused["message"] == "Parameter 'body' is cut off: the gzip stream has no end."
    assert len(log_of(caller, name, 1000)) >= 1000
