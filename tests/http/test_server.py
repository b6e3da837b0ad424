"""The app behind a real server, over plain sockets: what a test client would smooth over."""

import socket
from collections.abc import Iterator

import pytest

from grnry.settings import Settings
from tests.http.conftest import LIMIT, make_app
from tests.http.serving import served


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    settings = Settings(max_body_bytes=LIMIT)
    with served(make_app(settings), settings) as number:
        yield number


def exchange(port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(text)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def ask(port: int, token: str, line: str, *headers: str, body: bytes = b"") -> tuple[str, bytes]:
    head = [line, "Host: granary.test", "Connection: close", *headers]
    if token:
        head.append(f"Authorization: Bearer {token}")
    answer = exchange(port, "\r\n".join([*head, "", ""]).encode("latin-1") + body)
    first, _, content = answer.partition(b"\r\n\r\n")
    return first.decode("latin-1"), content


def status(head: str) -> int:
    return int(head.split()[1])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /things/5 HTTP/1.1", 200),
        ("GET /things/5/ HTTP/1.1", 200),
        ("GET //things HTTP/1.1", 404),
        ("GET /things/../things HTTP/1.1", 404),
        ("GET /%00 HTTP/1.1", 404),
        ("GET /things/errors/%00 HTTP/1.1", 404),
        ("GET /things/5?x=%00 HTTP/1.1", 400),
        ("GET /%ff HTTP/1.1", 404),
        ("GET /health/../things HTTP/1.1", 404),
        ("DELETE /things/5 HTTP/1.1", 204),
        ("HEAD /things/5 HTTP/1.1", 200),
        ("OPTIONS * HTTP/1.1", 404),
    ],
)
def test_paths_as_they_come(port: int, token: str, line: str, expected: int) -> None:
    head, content = ask(port, token, line)
    assert status(head) == expected
    assert (content == b"") == (line.startswith("HEAD") or expected == 204)


@pytest.mark.parametrize("line", ["GET //health/live HTTP/1.1", "GET /health/../things HTTP/1.1"])
def test_no_path_slips_past_the_authentication(port: int, line: str) -> None:
    head, _ = ask(port, "", line)
    assert status(head) in {401, 404}
    assert "200" not in head.split("\r\n")[0]


def test_a_body_in_chunks_is_limited(port: int, token: str) -> None:
    chunks = b"400\r\n" + b"x" * 1024 + b"\r\n"
    headers = ("Transfer-Encoding: chunked", "Content-Type: application/json")
    for path in ("/raw", "/things"):
        line = f"POST {path} HTTP/1.1"
        head, content = ask(port, token, line, *headers, body=chunks * 3 + b"0\r\n\r\n")
        assert status(head) == 413
        assert b"payload_too_large" in content
    head, content = ask(port, token, "POST /raw HTTP/1.1", *headers, body=chunks * 2 + b"0\r\n\r\n")
    assert content == b"2048 ada"


def test_an_announced_length_is_refused_before_the_body_comes(port: int, token: str) -> None:
    head, content = ask(port, token, "POST /raw HTTP/1.1", f"Content-Length: {LIMIT + 1}")
    assert status(head) == 413
    assert b"must not be larger than 2048 bytes" in content


def test_a_length_that_is_no_number_is_no_crash(port: int, token: str) -> None:
    head, _ = ask(port, token, "POST /raw HTTP/1.1", "Content-Length: many")
    assert status(head) == 400


def test_many_requests_on_one_connection_keep_their_own_traces(port: int, token: str) -> None:
    request = (
        "GET /nowhere HTTP/1.1\r\nHost: x\r\nX-B3-TraceId: 000000000000000{}\r\n"
        f"Authorization: Bearer {token}\r\n"
    )
    text = "".join(request.format(number) + "\r\n" for number in range(1, 3))
    text += request.format(3) + "Connection: close\r\n\r\n"
    answer = exchange(port, text.encode())
    for number in range(1, 4):
        assert f'"traceId": "000000000000000{number}"'.encode() in answer
