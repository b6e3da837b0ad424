"""GET /metrics, /health/live and /health/ready: one request per connection, no more."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from grnry.log.broker.errors import BrokerStartError

_SECONDS_TO_ASK = 5.0
_LONGEST_LINE = 8192


class MetricsServer:
    """Listens when the broker does, so that who gets an answer knows that it is ready."""

    def __init__(self, address: str, metrics: Callable[[], str]) -> None:
        self._address = address
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        host, _, port = self._address.rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._serve, host.strip("[]"), int(port), limit=_LONGEST_LINE
            )
        except (OSError, ValueError, OverflowError) as error:
            raise BrokerStartError(
                f"The broker can't serve its metrics on {self._address!r}: {error}. Give it an "
                f"address such as 127.0.0.1:9404 that nothing else uses."
            ) from error

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS_TO_ASK):
                asked = await reader.readline()
                while (await reader.readline()).strip():
                    pass  # what the headers say makes no difference
                writer.write(self._answer(asked.decode("latin-1").split()))
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # who asks for something strange gets no answer
        finally:
            writer.close()

    def _answer(self, asked: list[str]) -> bytes:
        if len(asked) != 3:
            return _response(HTTPStatus.BAD_REQUEST, "")
        if asked[0] != "GET":
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, "")
        path = asked[1].partition("?")[0]
        if path == "/metrics":
            return _response(HTTPStatus.OK, self._metrics())
        if path in {"/health/live", "/health/ready"}:
            return _response(HTTPStatus.OK, "ok\n")
        return _response(HTTPStatus.NOT_FOUND, "")


def _response(status: HTTPStatus, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
