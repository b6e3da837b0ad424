"""What one caller may cost, over plain sockets: the excess is refused, and nobody else waits."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI

from grnry.http.app import create_app
from grnry.http.routing import Router
from grnry.identity.access import OPEN
from grnry.identity.tokens import TokenVerifier
from grnry.settings import Settings
from tests.conftest import wait_for
from tests.http.serving import connect, exchange, read_all, served, status
from tests.identity.signing import EXPECTED, RSA, FixedKeys, claims, sign

TOKEN = sign(claims()).encode()
HEAD = b"Host: granary.test\r\nAuthorization: Bearer " + TOKEN + b"\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Gate:
    """A handler that waits until it is let through, and how many wait in it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.inside = 0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            self.inside += 1
        assert self.opened.wait(60)
        with self._lock:
            self.inside -= 1


def app_of(settings: Settings, gate: Gate | None = None) -> FastAPI:
    router = Router(permission=OPEN)

    @router.post("/sizes")
    def take(body: dict[str, Any]) -> int:
        return len(body)

    @router.get("/gate")
    def wait() -> str:
        assert gate
        gate.wait()
        return "through"

    return create_app(
        settings=settings,
        authenticator=TokenVerifier(FixedKeys(RSA), EXPECTED),
        routers=[router],
    )


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    settings = Settings(max_url_bytes=300, max_header_bytes=2000, max_headers=20)
    with served(app_of(settings), settings) as number:
        yield number


def error_of(answer: bytes, expected: int, kind: str) -> dict[str, Any]:
    """The error in an answer after which the server has closed."""
    head, _, content = answer.partition(b"\r\n\r\n")
    assert status(answer) == expected, answer
    lines = head.lower().split(b"\r\n")
    assert b"connection: close" in lines
    assert b"x-content-type-options: nosniff" in lines
    assert not [line for line in lines if line.startswith(b"server:")]
    error: dict[str, Any] = json.loads(content)
    assert error["type"] == kind
    assert {"timestamp", "message", "details", "traceId"} <= set(error)
    return error


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nname : value\r\n\r\n",
        b"GET / HTTP/1.1\r\nna\0me: value\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT granary.test:443 HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_the_one_shape(port: int, text: bytes) -> None:
    error = error_of(exchange(port, text), 400, "bad_parameter_value")
    assert error["message"] == "The request is not valid HTTP."
    assert error["invalidParams"] == [
        {"type": "Request", "name": "request", "reason": "is not valid HTTP"}
    ]


def test_a_body_that_breaks_off_into_nonsense_is_refused(port: int) -> None:
    text = b"POST /sizes HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    error = error_of(exchange(port, text + b"1\r\n{\r\nmore\r\n"), 400, "bad_parameter_value")
    assert error["details"] == "uri=/sizes"


def test_a_url_that_is_too_long(port: int) -> None:
    for length in (300, 301):
        path = b"/" + b"x" * (length - 1)
        answer = exchange(port, b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert status(answer) == (401 if length == 300 else 414), length
    error = error_of(answer, 414, "uri_too_long")
    assert error["message"] == "The URL must not be longer than 300 bytes."
    endless = b"GET /" + b"x" * 100_000
    assert error_of(exchange(port, endless), 414, "uri_too_long")["details"] == (
        "uri=/" + "x" * 299
    )


def test_headers_that_are_too_many_or_too_large(port: int) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(21))
    answer = exchange(port, b"GET /x HTTP/1.1\r\n" + many + b"\r\n")
    error = error_of(answer, 431, "headers_too_large")
    assert error["message"] == "There must not be more than 20 headers."
    assert error["details"] == "uri=/x"
    large = b"X-Large: " + b"y" * 2000
    for text in (large + b"\r\n\r\n", large * 2, large * 100):
        answer = exchange(port, b"GET /x HTTP/1.1\r\n" + text)
        error = error_of(answer, 431, "headers_too_large")
        assert error["message"] == "The headers must not be larger than 2000 bytes together."


def test_a_refusal_belongs_to_the_callers_trace(port: int) -> None:
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    text = b"GET / HTTP/1.1\r\ntraceparent: " + trace + b"\r\nX-Request-Id: mine\r\nX-Other: 1\r\n"
    answer = exchange(port, text + b"no colon\r\n\r\n")
    assert error_of(answer, 400, "bad_parameter_value")["traceId"] == trace.decode()[3:35]
    assert b"\r\nx-request-id: mine\r\n" in answer


def test_what_came_before_a_refusal_is_answered_first(port: int) -> None:
    first = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = exchange(port, first * 3 + b"nonsense\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"HTTP/1.1 400 Bad Request") == 1
    assert answer.index(b" 400 ") > answer.rindex(b" 200 ")


def test_a_refusal_reaches_who_is_still_sending() -> None:
    settings = Settings(max_body_bytes=1024)
    with served(app_of(settings), settings) as port, connect(port) as connection:
        size = 4_000_000
        connection.sendall(
            b"POST /sizes HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % size
        )
        for _ in range(size // 10_000):
            connection.sendall(b"x" * 10_000)
        error = error_of(read_all(connection), 413, "payload_too_large")
        assert error["message"] == "The body must not be larger than 1024 bytes."


# Long enough for a busy machine to send what it means to send at once.
HASTY = 1.5


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    settings = Settings(head_seconds=HASTY, body_seconds=HASTY, keep_alive_seconds=2)
    with served(app_of(settings), settings) as number:
        yield number


def trickle(connection: socket.socket, text: bytes) -> bytes:
    """Send a byte at a time, for as long as the server listens; what it answers."""
    connection.settimeout(0.05)
    answer = b""
    try:
        for number in range(10_000):
            try:
                connection.sendall(text[number % len(text) : number % len(text) + 1])
                chunk = connection.recv(65536)
            except TimeoutError:
                continue
            if not chunk:
                break
            answer += chunk
    except ConnectionError:
        pass
    return answer


def test_a_head_that_trickles_in_is_cut(hasty: int) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\n")
        error = error_of(trickle(connection, b"X-More: y\r\n"), 408, "request_timeout")
    assert error["message"] == "The head of the request came too slowly."
    assert error["details"] == "uri=/x"


@pytest.mark.parametrize("encoding", [b"Content-Length: 5000", b"Transfer-Encoding: chunked"])
def test_a_body_that_trickles_in_is_cut(hasty: int, encoding: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"POST /sizes HTTP/1.1\r\n" + HEAD + encoding + b"\r\n\r\n")
        error = error_of(trickle(connection, b"1\r\n1\r\n"), 408, "request_timeout")
    assert error["message"] == "The body of the request came too slowly."


def test_a_second_request_of_a_connection_is_held_to_its_time_too(hasty: int) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n")
        answer = read_all(connection)
    assert status(answer) == 200
    assert error_of(answer[answer.rindex(b"HTTP/1.1 ") :], 408, "request_timeout")


def test_who_says_nothing_is_let_go_without_a_word(hasty: int) -> None:
    with connect(hasty) as silent, connect(hasty) as idle:
        idle.sendall(b"GET /health/live HTTP/1.1\r\n\r\n")
        assert read_all(silent) == b""
        answer = read_all(idle)
    assert (status(answer), answer.count(b"HTTP/1.1")) == (200, 1)


def test_a_body_that_comes_steadily_may_take_longer(hasty: int) -> None:
    body = b'{"a": "' + b"x" * 400_000 + b'"}'
    with connect(hasty) as connection:
        head = b"POST /sizes HTTP/1.1\r\nConnection: close\r\n" + HEAD
        text = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        began = time.monotonic()
        for start in range(0, len(text), 40_000):
            connection.sendall(text[start : start + 40_000])
            wait_for(lambda at=began + start / 40_000 / 5: time.monotonic() > at)  # type: ignore[misc]
        answer = read_all(connection)
    assert answer.endswith(b"\r\n\r\n1")
    assert time.monotonic() - began > HASTY


def test_500_that_trickle_do_not_block_the_others() -> None:
    """They never come to their end: whoever waited for one of them would wait in vain."""
    settings = Settings(head_seconds=600, body_seconds=600, keep_alive_seconds=600)
    with served(app_of(settings), settings) as port, ExitStack() as stack:
        slow = [stack.enter_context(connect(port)) for _ in range(500)]
        for number, connection in enumerate(slow):
            if number % 3 == 0:
                connection.sendall(b"GET /gate HTTP/1.1\r\nX-Slow: ")
            elif number % 3 == 1:
                connection.sendall(
                    b"POST /sizes HTTP/1.1\r\n" + HEAD + b"Content-Length: 900\r\n\r\n{"
                )
        request = b"POST /sizes HTTP/1.1\r\nConnection: close\r\n" + HEAD
        for number in range(50):
            for connection in slow[number::50]:
                connection.sendall(b"x")
            assert status(exchange(port, LIVE)) == 200
            answer = exchange(port, request + b"Content-Length: 8\r\n\r\n" + b'{"a": 1}')
            assert answer.endswith(b"\r\n\r\n1")


def test_connections_beyond_the_limit_are_told_to_come_back() -> None:
    settings = Settings(max_connections=3)
    with served(app_of(settings), settings) as port:
        taken = [connect(port) for _ in range(3)]
        for connection in taken:
            connection.sendall(b"GET /health/live HTTP/1.1\r\n\r\n")
            assert status(connection.recv(65536)) == 200
        answer = exchange(port, b"")
        error = error_of(answer, 503, "service_unavailable")
        assert error["message"] == "There are more than 3 connections at once. Try again."
        assert b"\r\nretry-after: 1\r\n" in answer
        taken.pop().close()
        wait_for(lambda: status(exchange(port, LIVE)) == 200)
        for connection in taken:
            connection.close()


def test_requests_beyond_the_limit_are_told_to_come_back() -> None:
    settings, gate = Settings(max_requests=2), Gate()
    asked = b"GET /gate HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n"
    with served(app_of(settings, gate), settings) as port:
        waiting = [connect(port) for _ in range(2)]
        for connection in waiting:
            connection.sendall(asked)
        wait_for(lambda: gate.inside == 2)
        answer = exchange(port, asked)
        assert status(answer) == 503
        assert b"\r\nretry-after: 1\r\n" in answer
        assert b"There are more than 2 requests at once. Try again." in answer
        assert status(exchange(port, LIVE)) == 200
        gate.opened.set()
        for connection in waiting:
            assert status(read_all(connection)) == 200
            connection.close()
        assert status(exchange(port, asked)) == 200


def metric(port: int, name: str) -> float:
    text = exchange(port, b"GET /metrics HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
    (line,) = [line for line in text.decode().splitlines() if line.startswith(name + " ")]
    return float(line.split()[1])


def test_a_handler_that_takes_too_long_is_answered_for_and_keeps_its_place() -> None:
    settings, gate = Settings(max_requests=3, request_seconds=2), Gate()
    asked = b"GET /gate HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n"
    with served(app_of(settings, gate), settings) as port:
        for number in range(2):
            answer = exchange(port, asked)
            assert status(answer) == 503
            assert b"The request takes longer than 2 s. It may still take effect" in answer
            assert gate.inside == number + 1
            assert metric(port, "grnry_http_requests_in_flight") == number + 2
        gate.opened.set()
        wait_for(lambda: metric(port, "grnry_http_requests_in_flight") == 1)
        assert gate.inside == 0
        answer = exchange(port, asked)
        assert (status(answer), answer.count(b"HTTP/1.1")) == (200, 1)


def test_a_connection_has_a_number_of_requests() -> None:
    settings = Settings(max_keep_alive_requests=3)
    with served(app_of(settings), settings) as port:
        answer = exchange(port, b"GET /health/live HTTP/1.1\r\n\r\n" * 5)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.lower().count(b"connection: close") == 1


def test_an_offer_of_another_protocol_is_passed_over(port: int) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\n" + offer)
        assert status(connection.recv(65536)) == 200


def test_a_continue_is_sent_where_it_is_expected_and_the_body_wanted(port: int) -> None:
    with connect(port) as connection:
        head = b"POST /sizes HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\n" + HEAD
        connection.sendall(head + b"Content-Length: 8\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'{"a": 1}')
        assert status(read_all(connection)) == 200
