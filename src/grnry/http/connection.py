"""One connection to the API: uvicorn's, which is held to limits and refuses in the one shape.

The server answers by itself what never becomes a request: here that is handed to the app as a
request that is refused already, so that it is traced, counted and answered like any other.
"""

import asyncio
from asyncio import TimerHandle, Transport
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from grnry.http.limits import (
    READING,
    REFUSED,
    Limits,
    Reading,
    Refused,
    malformed,
    too_many,
)

SLOWEST_BYTES_PER_SECOND = 8192
LINGER_SECONDS = 2.0


class Lingering:
    """A transport that lets the last answer reach a caller who is still sending.

    Closing a socket with unread bytes resets it, and takes the answer along.
    """

    def __init__(self, transport: Transport, connection: "Connection") -> None:
        self._transport = transport
        self._connection = connection
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._closed or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self._closed = True
        if not self._connection.stop_reading():
            self._transport.close()
            return
        self._transport.write_eof()
        if not self._transport.is_reading():
            self._transport.resume_reading()
        self._connection.loop.call_later(LINGER_SECONDS, self._transport.close)


class Connection(HttpToolsProtocol):
    """Reads requests within limits; what exceeds them is refused and the connection closed."""

    def __init__(self, *, limits: Limits, **others: Any) -> None:
        super().__init__(**others)
        self._limits = limits
        self._timer: TimerHandle | None = None
        self._timer_is_of_head = True
        self._in_request = False
        self._in_head = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_began = 0.0
        self._requests = 0
        self._reading = Reading()
        self._stopped = False

    # What the server calls --------------------------------------------------------------------

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = Lingering(transport, self)  # type: ignore[assignment]
        if len(self.connections) > self._limits.connections:
            self._refuse(too_many("connections", self._limits.connections))
        else:
            self._set_timer(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_timer()
        self._reading.complete = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._stopped:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        self._look_at_limits()

    def _look_at_limits(self) -> None:
        if self._stopped:
            return
        most = self._limits.url_bytes + self._limits.header_bytes
        if self._in_head and self._head_bytes > most:
            too_long = self._limits.excess_of(self.url if self._in_request else b"", ())
            self._refuse(too_long or self._limits.too_long_head())
        elif not self._in_request:
            self._unset_timer()
        elif self._timer is None or self._timer_is_of_head != self._in_head:
            head = self._limits.head_seconds
            self._set_timer(head if self._in_head else self._limits.body_seconds)

    def send_400_response(self, msg: str) -> None:
        self._refuse(malformed())

    def _unsupported_upgrade_warning(self) -> None:
        """A caller may offer another protocol; going on with this one is an answer."""

    # What the parser calls --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_request = self._in_head = True

    def on_headers_complete(self) -> None:
        self._requests += 1
        refused = self._limits.excess_of(self.url, self.headers)
        self._reading = Reading()
        self._note({READING: self._reading} | ({REFUSED: refused} if refused else {}))
        super().on_headers_complete()
        self._in_head = False
        self._body_bytes, self._body_began = 0, self.loop.time()
        if refused or self._requests >= self._limits.keep_alive_requests:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_request, self._in_head = False, True
        self._head_bytes = 0
        self._reading.complete = True
        super().on_message_complete()

    # Limits -----------------------------------------------------------------------------------

    def stop_reading(self) -> bool:
        """Take no more requests; whether the caller may still be sending one."""
        self._unset_timer()
        is_unread = self._in_request or self._stopped
        self._stopped = True
        return is_unread

    def _set_timer(self, seconds: float) -> None:
        self._unset_timer()
        self._timer_is_of_head = self._in_head
        self._timer = self.loop.call_later(seconds, self._expire)

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self._in_head:
            if self._in_request or self._head_bytes:
                self._refuse(self._limits.too_slow("head"))
            else:
                self.transport.close()
        elif self.flow.read_paused:  # it is us who are slow
            self._body_bytes, self._body_began = 0, self.loop.time()
            self._set_timer(self._limits.body_seconds)
        else:
            allowed = self._limits.body_seconds + self._body_bytes / SLOWEST_BYTES_PER_SECOND
            left = self._body_began + allowed - self.loop.time()
            if left > 0:
                self._set_timer(left)
            else:
                self._refuse(self._limits.too_slow("body"))

    def _note(self, entries: dict[str, object]) -> None:
        cast("dict[str, object]", self.scope).update(entries)

    def _refuse(self, refused: Refused) -> None:
        """Answer what is wrong with what came so far, read nothing more, and close."""
        self._stopped = True
        self._unset_timer()
        if self._in_request and not self._in_head:
            self._refuse_body(refused)
            return
        last: RequestResponseCycle | None = self.cycle
        self.cycle = self._refused_cycle(refused)
        if last is None or last.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))

    def _refuse_body(self, refused: Refused) -> None:
        """The app has the request already, and learns it when it reads on."""
        if self.cycle.response_complete:
            self.transport.close()
            return
        self._reading.failure = refused
        self.cycle.keep_alive = False
        self.cycle.message_event.set()

    def _refused_cycle(self, refused: Refused) -> RequestResponseCycle:
        if not self._in_request:
            self.on_message_begin()
        path = self.url.partition(b"?")[0]
        is_path = path.startswith(b"/") and path.isascii() and path.decode().isprintable()
        raw = path[: self._limits.url_bytes] if is_path else b"/"
        self.scope["method"] = "GET"
        self.scope["path"], self.scope["raw_path"] = raw.decode(), raw
        self.scope["query_string"] = b""
        self._note({REFUSED: refused})
        return RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
