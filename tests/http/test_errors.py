"""Every kind of failure is answered in the one shape."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

Case = tuple[str, str, dict[str, Any], int, str, str]

CASES: list[Case] = [
    ("GET", "/things/errors/bad", {}, 400, "bad_parameter_value",
     "Parameter 'state' cannot be 'START' while Belt status is 'DEPLOYING'."),
    ("GET", "/things/errors/forbidden", {}, 403, "entity_not_accessible",
     "Access forbidden due to missing roles."),
    ("GET", "/things/errors/missing", {}, 404, "entity_not_found",
     "Belt with ID '425' not found."),
    ("GET", "/things/errors/taken", {}, 409, "entity_already_exists",
     "Event Type with name 'X' already exists."),
    ("GET", "/things/errors/used", {}, 412, "entity_in_use", "Event Type 'x' is in use."),
    ("GET", "/things/errors/stale", {}, 412, "precondition_failed",
     "It was changed in the meantime."),
    ("GET", "/things/errors/busy", {}, 429, "too_many_requests", "Too many failed logins."),
    ("GET", "/things/errors/away", {}, 503, "service_unavailable",
     "A service does not answer at the moment. Try again."),
    ("GET", "/things/errors/internal", {}, 500, "unexpected_error",
     "An unexpected error occurred."),
    ("GET", "/things/errors/crash", {}, 500, "unexpected_error", "An unexpected error occurred."),
    ("POST", "/raw/missing", {}, 404, "entity_not_found", "Belt with ID '425' not found."),
    ("POST", "/raw/crash", {}, 500, "unexpected_error", "An unexpected error occurred."),
    ("GET", "/nowhere", {}, 404, "entity_not_found", "The path is not known."),
    ("GET", "/", {}, 404, "entity_not_found", "The path is not known."),
    ("PUT", "/things", {}, 405, "method_not_allowed", "The method is not allowed here."),
    ("BREW", "/things", {}, 405, "method_not_allowed", "The method is not allowed here."),
    ("POST", "/things", {"content": b"{"}, 400, "bad_parameter_value",
     "Parameter 'body' must be JSON but is malformed at character 1."),
    ("POST", "/things", {"content": b'{"a": NaN}'}, 400, "bad_parameter_value",
     "Parameter 'body' must be JSON but is malformed at character 6."),
    ("POST", "/things", {"content": b"\xff"}, 400, "bad_parameter_value",
     "Parameter 'body' must be JSON but is malformed at character 0."),
    ("POST", "/things", {"content": b"[" * 2000}, 400, "bad_parameter_value",
     "Parameter 'body' must not nest deeper than 500 levels."),
    ("POST", "/things", {}, 400, "bad_parameter_value", "Parameter 'body' must not be empty."),
    ("POST", "/things", {"json": []}, 400, "bad_parameter_value",
     "Parameter 'body' must be an object but is a list."),
    ("POST", "/things", {"json": {}}, 400, "bad_parameter_value",
     "Parameter 'displayName' must not be empty."),
    ("POST", "/things", {"json": {"displayName": ""}}, 400, "bad_parameter_value",
     "Parameter 'displayName' must not be empty."),
    ("POST", "/things", {"json": {"displayName": 5}}, 400, "bad_parameter_value",
     "Parameter 'displayName' must be a string but is '5'."),
    ("POST", "/things", {"json": {"displayName": None}}, 400, "bad_parameter_value",
     "Parameter 'displayName' must be a string but is 'null'."),
    ("POST", "/things", {"json": {"displayName": "x" * 21}}, 400, "bad_parameter_value",
     "Parameter 'displayName' must have at most 20 characters but has 21."),
    ("POST", "/things", {"json": {"displayName": "a\0b"}}, 400, "bad_parameter_value",
     "Parameter 'displayName' must not contain the character U+0000."),
    ("POST", "/things", {"content": b'{"displayName": "\\ud800"}'}, 400, "bad_parameter_value",
     "Parameter 'body' must be JSON but is malformed at character"),
    ("POST", "/things", {"json": {"displayName": "a", "count": 750}}, 400, "bad_parameter_value",
     "Parameter 'count' must be in between 1 and 500 but is '750'."),
    ("POST", "/things", {"json": {"displayName": "a", "count": "7"}}, 400, "bad_parameter_value",
     "Parameter 'count' must be a whole number but is '7'."),
    ("POST", "/things", {"json": {"displayName": "a", "count": 0}}, 400, "bad_parameter_value",
     "Parameter 'count' must be in between 1 and 500 but is '0'."),
    ("POST", "/things", {"json": {"displayName": "a", "active": "yes"}}, 400,
     "bad_parameter_value", "Parameter 'active' must be 'true' or 'false' but is 'yes'."),
    ("POST", "/things", {"json": {"displayName": "a", "kind": "odd"}}, 400,
     "bad_parameter_value", "Parameter 'kind' must be 'small' or 'large' but is 'odd'."),
    ("POST", "/things", {"json": {"displayName": "a", "ratio": {}}}, 400,
     "bad_parameter_value", "Parameter 'ratio' must be a number but is an object."),
    ("POST", "/things", {"json": {"displayName": "a", "parts": [{"name": "b"}, {}]}}, 400,
     "bad_parameter_value", "Parameter 'parts[1].name' must not be empty."),
    ("POST", "/things", {"data": {"displayName": "a"}}, 415, "unsupported_media_type",
     "The content type must be 'application/json' but is 'application/x-www-form-urlencoded'."),
    ("POST", "/things", {"content": b"{}", "headers": {"Content-Encoding": "gzip"}}, 415,
     "unsupported_media_type", "The body must not be encoded but is encoded as 'gzip'."),
    ("POST", "/things", {"content": b"{}", "headers": {"Content-Encoding": "identity"}}, 400,
     "bad_parameter_value", "Parameter 'displayName' must not be empty."),
    ("POST", "/things", {"content": b"x" * 2049}, 413, "payload_too_large",
     "The body must not be larger than 2048 bytes."),
    ("GET", "/things/abc", {}, 400, "bad_parameter_value",
     "Parameter 'number' must be a whole number but is 'abc'."),
    ("GET", "/things/-1", {}, 400, "bad_parameter_value",
     "Parameter 'number' must be a natural number but is '-1'."),
    ("GET", "/things/1?lines=750", {}, 400, "bad_parameter_value",
     "Parameter 'lines' must be 500 or less but is '750'."),
    ("GET", "/things?pagesize=-1", {}, 400, "bad_parameter_value",
     "Parameter 'pagesize' must be a natural number but is '-1'."),
    ("GET", "/things-whole?offset=7", {}, 400, "bad_parameter_value",
     "Parameter 'offset' must be a whole multiple of 20 but is '7'."),
]  # fmt: skip


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=[f"{number}-{case[1]}-{case[3]}" for number, case in enumerate(CASES)],
)
def test_every_failure_has_the_one_shape(client: TestClient, case: Case) -> None:
    method, path, request_, status, kind, message = case
    before = time.time_ns() // 1_000_000
    headers = {"X-B3-TraceId": "00000000075bcd15", **request_.get("headers", {})}
    answer = client.request(method, path, **{**request_, "headers": headers})
    error = answer.json()

    assert (answer.status_code, error["type"]) == (status, kind)
    assert error["message"].startswith(message)
    assert answer.headers["content-type"] == "application/json"
    assert before <= error["timestamp"] <= time.time_ns() // 1_000_000
    assert error["details"] == "uri=" + path.partition("?")[0]
    assert error["traceId"] == "00000000075bcd15"
    assert ("invalidParams" in error) == (kind == "bad_parameter_value")
    assert set(error) - {"invalidParams"} == {"timestamp", "type", "message", "details", "traceId"}
    for problem in error.get("invalidParams", ()):
        assert f"Parameter '{problem['name']}' {problem['reason']}." in error["message"]


def test_everything_that_is_wrong_is_named_in_one_answer(client: TestClient) -> None:
    body = {"count": "x", "parts": [{"weight": "heavy"}]}
    error = client.post("/things", json=body).json()
    assert error["invalidParams"] == [
        {"type": "Parameter", "name": "displayName", "reason": "must not be empty"},
        {"type": "Parameter", "name": "count", "reason": "must be a whole number but is 'x'"},
        {"type": "Parameter", "name": "parts[0].name", "reason": "must not be empty"},
        {
            "type": "Parameter",
            "name": "parts[0].weight",
            "reason": "must be a whole number but is 'heavy'",
        },
    ]
    assert error["message"].startswith(
        "Parameter 'displayName' must not be empty. Parameter 'count' must be"
    )


def test_a_wrong_path_and_a_wrong_query_are_named_together(client: TestClient) -> None:
    error = client.get("/things/x?lines=y").json()
    assert [problem["name"] for problem in error["invalidParams"]] == ["number", "lines"]


def test_a_path_is_told_as_requested(client: TestClient) -> None:
    assert client.get("/no%20where/?a=b").json()["details"] == "uri=/no%20where/"


def test_a_wrong_method_is_told_all_right_ones(client: TestClient) -> None:
    assert client.put("/things").headers["allow"] == "GET, HEAD, POST"
    assert client.put("/things/1").headers["allow"] == "DELETE, GET, HEAD"
    assert client.get("/raw").headers["allow"] == "POST"
    assert client.put("/things/1:reset").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "header", "value"),
    [
        ("/things/errors/busy", "retry-after", "7"),
        ("/things/errors/away", "retry-after", "1"),
    ],
)
def test_who_may_come_back_is_told_when(
    client: TestClient, path: str, header: str, value: str
) -> None:
    assert client.get(path).headers[header] == value


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size):
        yield b"x"


@pytest.mark.parametrize("path", ["/things", "/raw"])
def test_a_body_of_unannounced_length_is_limited_too(client: TestClient, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post(path, content=chunks(2049), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "payload_too_large")
    assert client.post("/raw", content=chunks(2048), headers=headers).text == "2048 ada"


def test_a_crash_is_logged_with_its_trace_and_its_stack(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        client.get("/things/errors/crash")
    (record,) = caplog.records
    assert record.getMessage() == "GET /things/errors/crash failed"
    assert record.exc_info
    assert isinstance(record.exc_info[1], RuntimeError)


def test_who_uses_a_thing_is_told_by_links(client: TestClient) -> None:
    answer = client.get("/things/errors/linked")
    error = answer.json()
    links = ["http://granary.test/belts/1", "http://granary.test/belts/2"]
    assert (answer.status_code, error["type"]) == (412, "entity_in_use")
    assert error["message"] == (
        "Cannot delete Event Type 'x', it is still being referenced by belts: "
        f"[{', '.join(links)}]."
    )
    assert error["_links"] == {"belts": [{"href": link} for link in links]}
    assert "_links" not in client.get("/things/errors/used").json()


def test_parameters_and_bodies_are_looked_at_together(client: TestClient) -> None:
    error = client.get("/things-whole?pagesize=0&offset=x&export=true").json()
    assert [problem["name"] for problem in error["invalidParams"]] == ["pagesize", "offset"]
    body = {"count": "x", "parts": [{"name": "a\0"}], "displayName": "\0"}
    error = client.post("/things", json=body).json()
    assert {problem["name"] for problem in error["invalidParams"]} == {
        *("count", "parts[0].name", "displayName")
    }
