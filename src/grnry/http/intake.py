"""What is refused before anybody reads it: bodies that are too large, and U+0000 in an address.

The database can keep no U+0000, so no name or search text has one.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grnry.errors import BadInput, NotFound, Problem
from grnry.http.context import KEY, header
from grnry.http.error_handlers import http_exception
from grnry.http.error_model import HTTP_KINDS, PayloadTooLarge, render_error
from grnry.http.limits import reading_of
from grnry.http.routing import RawRoute

NUL = "\0"


def check_address(scope: Scope) -> None:
    if NUL in scope["path"]:
        raise NotFound(HTTP_KINDS[404][1])
    query: bytes = scope["query_string"]
    if b"%00" in query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        raise BadInput(
            Problem(name.replace(NUL, ""), "must not contain the character U+0000")
            for name, value in pairs
            if NUL in name or NUL in value
        )


def check_length(scope: Scope, limit: int) -> None:
    announced = header(scope, b"content-length")
    if announced.isdecimal() and int(announced) > limit:
        raise PayloadTooLarge(limit)


class Intake:
    """Refuses what is announced as too large, and stops reading what turns out so."""

    def __init__(
        self, app: ASGIApp, limit: int, stream_limit: int = 0, streams: Sequence[RawRoute] = ()
    ) -> None:
        self._app = app
        self._limit = limit
        self._stream_limit = max(limit, stream_limit)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            check_address(scope)
            limit = self._limit_of(scope)
            check_length(scope, limit)
        except (NotFound, BadInput) as error:
            await render_error(scope[KEY], error)(scope, receive, send)
        except PayloadTooLarge as error:
            answer = await http_exception(Request(scope), error)
            await answer(scope, receive, send)
        else:
            await self._app(scope, self._counted(scope, receive, limit), send)

    def _limit_of(self, scope: Scope) -> int:
        content_type = header(scope, b"content-type")
        for route in self._streams:
            is_stream = route.streams is not None and route.streams(content_type)
            if is_stream and route.matches(scope)[0] is Match.FULL:
                return self._stream_limit
        return self._limit

    def _counted(self, scope: Scope, receive: Receive, limit: int) -> Receive:
        read = 0
        reading = reading_of(scope)

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            if reading is not None and reading.failure is not None:
                raise reading.failure
            read += len(message.get("body", b""))
            if read > limit:
                raise PayloadTooLarge(limit)
            return message

        return counted
