"""Health: every worker answers /health/live, /health/ready and /metrics on its own socket."""

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

READ_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """What a process knows of itself."""

    is_ready: Callable[[], str]
    """Why it is not ready; empty when it is."""

    metrics: Callable[[], str] = str


class HealthServer:
    """A few lines of HTTP, enough for probes and scrapers; one request a connection."""

    def __init__(self, address: Path | tuple[str, int], health: Health) -> None:
        self._health = health
        self._socket = _listen(address)

    def fileno(self) -> int:
        return self._socket.fileno()

    def start(self) -> None:
        """Answer from a thread of its own."""
        threading.Thread(target=self._serve, name="health", daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.answer_one()

    def answer_one(self) -> None:
        """Answer the next connection."""
        connection, _ = self._socket.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(READ_SECONDS)
            target = connection.recv(4096).split(b" ")[1:2]
            connection.sendall(self._answer(target[0].decode("latin-1") if target else ""))

    def _answer(self, target: str) -> bytes:
        match target.partition("?")[0]:
            case "/health/live":
                return _response(200, msgspec.json.encode({"status": "UP"}))
            case "/health/ready":
                why = self._health.is_ready()
                body = {"status": "DOWN", "reason": why} if why else {"status": "UP"}
                return _response(503 if why else 200, msgspec.json.encode(body))
            case "/metrics":
                return _response(200, self._health.metrics().encode(), "text/plain; version=0.0.4")
            case _:
                return _response(404, b"{}")

    def close(self) -> None:
        self._socket.close()


def _listen(address: Path | tuple[str, int]) -> socket.socket:
    if isinstance(address, Path):
        listener = socket.socket(socket.AF_UNIX)
        address.unlink(missing_ok=True)
        listener.bind(str(address))
    else:
        listener = socket.create_server(address)
    listener.listen(16)
    return listener


def _response(status: int, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
