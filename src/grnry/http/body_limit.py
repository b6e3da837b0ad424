"""The largest body that is read, whether its length is announced or not."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grnry.http.context import header
from grnry.http.error_handlers import http_exception
from grnry.http.error_model import PayloadTooLarge


class BodyLimit:
    """Refuses a body that is announced as too large, and stops reading one that turns out so."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = header(scope, b"content-length")
        if announced.isdecimal() and int(announced) > self._limit:
            answer = await http_exception(Request(scope), PayloadTooLarge(self._limit))
            await answer(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise PayloadTooLarge(self._limit)
            return message

        return counted
