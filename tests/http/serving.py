"""An app behind the real server, for tests that talk to it over plain sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from grnry.http.server import make_server
from grnry.settings import Settings
from tests.conftest import wait_for


@contextmanager
def served(app: FastAPI, settings: Settings) -> Iterator[int]:
    """The port that the app is served on meanwhile."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(app, settings)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def exchange(port: int, text: bytes) -> bytes:
    """Send it all, and read until the server closes."""
    with connect(port) as connection:
        connection.sendall(text)
        return read_all(connection)


def status(answer: bytes) -> int:
    return int(answer.split(None, 2)[1])
