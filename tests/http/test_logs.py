"""Log lines: their format, and what never stands in them."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from grnry.logs import Trace, current_trace, mask, set_up_logging
from tests.identity.signing import claims, sign

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  INFO \[api,,,\] \d+ --- \[MainThread\] a\.b : hello"
)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_in_the_common_log_format(stream: io.StringIO) -> None:
    set_up_logging("api", stream=stream)
    logging.getLogger("a.b").info("hello")
    assert LINE.fullmatch(stream.getvalue().rstrip("\n"))


def test_a_line_carries_its_trace(stream: io.StringIO) -> None:
    set_up_logging("api", stream=stream)
    token = current_trace.set(Trace("abc", "def"))
    logging.getLogger("a.b").warning("hello")
    current_trace.reset(token)
    assert " WARNING [api,abc,def,] " in stream.getvalue()


def test_a_message_cannot_begin_a_line_of_its_own(stream: io.StringIO) -> None:
    set_up_logging("api", stream=stream)
    logging.getLogger("a").info("one\r\n%s", "two\nthree")
    assert stream.getvalue().endswith(r": one\r\ntwo\nthree" + "\n")
    assert stream.getvalue().count("\n") == 1


def test_a_line_may_be_an_object(stream: io.StringIO) -> None:
    set_up_logging("api", as_json=True, level="debug", stream=stream)
    try:
        int("password=hunter2")
    except ValueError:
        logging.getLogger("a").exception("failed\nbadly")
    entry = json.loads(stream.getvalue())
    assert (entry["level"], entry["application"], entry["message"]) == (
        "ERROR",
        "api",
        "failed\nbadly",
    )
    assert "ValueError" in entry["stackTrace"]
    assert "hunter2" not in stream.getvalue()


def test_a_crash_in_a_handler_is_logged_under_the_answers_trace(
    client: TestClient, stream: io.StringIO
) -> None:
    set_up_logging("api", stream=stream)
    answer = client.get("/things/errors/crash", headers={"X-B3-TraceId": "463ac35c9f6413ad"})
    assert answer.json()["traceId"] == "463ac35c9f6413ad"
    text = stream.getvalue()
    assert "ERROR [api,463ac35c9f6413ad," in text
    assert "GET /things/errors/crash failed" in text
    assert "RuntimeError" in text
    assert "hunter2" not in text


TOKEN = sign(claims())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"got {TOKEN} here", "got ****** here"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer ******"),
        ("Authorization: Basic YWRtaW46YWRtaW4=", "Authorization: Basic ******"),
        ("postgresql://grnry:s3cret@host/db", "postgresql://grnry:******@host/db"),
        ("password=abc&x=1", "password=******&x=1"),
        ('{"client_secret": "a \\" b", "x": 1}', '{"client_secret": ******, "x": 1}'),
        ("GRNRY_ADMIN_PASSWORD=abc GRNRY_X=1", "GRNRY_ADMIN_PASSWORD=****** GRNRY_X=1"),
        ("'refresh_token': 'abc'", "'refresh_token': ******"),
        ("the password is wrong", "the password is wrong"),
        ("16 tokens read", "16 tokens read"),
        ("https://host:8080/path", "https://host:8080/path"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_every_line_of_a_request_carries_its_trace(client: TestClient, stream: io.StringIO) -> None:
    set_up_logging("api", stream=stream, as_json=True)
    for number, path in enumerate(["/things/log/thread", "/things/log/loop"]):
        trace = f"{number + 1:032x}"
        client.get(path, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        own = [line for line in lines if line["message"].startswith(f"seen {path}")]
        assert [line["traceId"] for line in own] == [trace, trace]
        assert len({line["spanId"] for line in own}) == 1


def test_no_token_and_no_password_stands_in_a_line_of_a_request(
    client: TestClient, stream: io.StringIO
) -> None:
    set_up_logging("api", stream=stream, level="debug")
    for path in ("/things/errors/crash", "/things/log/secrets", f"/nowhere/{TOKEN}"):
        client.get(path, params={"access_token": TOKEN}, headers={"Authentication": TOKEN})
    assert "ERROR" in stream.getvalue()
    assert "seen secrets" in stream.getvalue()
    for secret in (TOKEN, TOKEN.split(".")[2], "hunter2"):
        assert secret not in stream.getvalue()
