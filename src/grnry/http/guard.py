"""Holds requests to their number and their time, and refuses what the connection has refused.

A handler runs in a thread, which nothing can end: beyond the limit its caller is answered, and its
place stays taken until it has really come to its end. So threads never pile up.
"""

import asyncio
import logging

from prometheus_client import CollectorRegistry, Gauge
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grnry.http.context import KEY
from grnry.http.error_handlers import http_exception
from grnry.http.limits import REFUSED, Refused, reading_of, too_many

logger = logging.getLogger("grnry.http")

ALWAYS_ANSWERED = "/health/"


def too_long(seconds: float) -> Refused:
    return Refused(
        503,
        f"The request takes longer than {seconds:g} s. It may still take effect: look before "
        "sending it again.",
        {"Retry-After": "1"},
    )


class Guard:
    """Beneath the edge, above all that costs something."""

    def __init__(
        self, app: ASGIApp, most: int, seconds: float, registry: CollectorRegistry
    ) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds
        self._running = Gauge(
            "grnry_http_requests_in_flight", "Requests at work.", registry=registry
        )
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused: Refused | None = scope.get(REFUSED)
        is_full = self._count >= self._most and not scope["path"].startswith(ALWAYS_ANSWERED)
        if refused is None and is_full:
            refused = too_many("requests", self._most)
        if refused is not None:
            await refuse(refused, scope, receive, send)
            return
        self._count += 1
        self._running.set(self._count)
        watched = Watched(scope, receive, send, self._seconds)
        try:
            await watched.run(self._app)
        finally:
            self._count -= 1
            self._running.set(self._count)


async def refuse(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    answer = await http_exception(Request(scope), refused)
    await answer(scope, receive, send)


class Watched:
    """One request, answered for where its handler takes too long."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(seconds, self._look)
        self._body_was_awaited = False
        self._started = False
        self._refusal: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self._receive, self._send_in_time)
        except Exception:
            if self._refusal is None:
                raise
            logger.exception("%s failed after its time was over", self._scope[KEY].path)
        finally:
            self._timer.cancel()
            if self._refusal is not None:
                await self._refusal

    def _look(self) -> None:
        """The time counts from when the body has come: how long that may take is another limit."""
        if self._started:
            return
        reading = reading_of(self._scope)
        is_awaited = reading is not None and not reading.complete
        if is_awaited or self._body_was_awaited:
            self._body_was_awaited = is_awaited
            self._timer = self._loop.call_later(self._seconds, self._look)
            return
        logger.warning(
            "%s %s takes longer than %g s",
            self._scope["method"],
            self._scope[KEY].path,
            self._seconds,
        )
        self._refusal = self._loop.create_task(self._refuse())

    async def _refuse(self) -> None:
        await refuse(too_long(self._seconds), self._scope, self._receive, self._send)

    async def _send_in_time(self, message: Message) -> None:
        if self._refusal is None:
            self._started = True
            await self._send(message)
