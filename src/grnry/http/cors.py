"""Calls from pages of other origins: none, unless `GRNRY_CORS_ORIGINS` names the origin.

A preflight carries no token, so it is answered before authentication; it tells nothing but what the
settings allow. Tokens travel in a header, so no browser has to send credentials of its own.
"""

import re
from collections.abc import Sequence

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grnry.errors import StartError
from grnry.http.context import header

ANY = "*"
MAX_AGE_SECONDS = "600"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, Authentication, Content-Type, Content-Encoding, If-Match, If-None-Match, "
    "X-Request-Id, traceparent, tracestate, b3, X-B3-TraceId, X-B3-SpanId"
)
ANSWER_HEADERS = "ETag, Allow, Location, Retry-After, X-Ignored-Fields, X-Request-Id"

_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def parse_origins(text: str) -> tuple[str, ...]:
    """`https://app.example, http://localhost:3000`, or `*` for any."""
    origins = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for origin in origins:
        if origin != ANY and not _ORIGIN.fullmatch(origin):
            raise StartError(
                f"GRNRY_CORS_ORIGINS: '{origin}' is no origin such as 'https://app.example'."
            )
    return origins


class Cors:
    """Answers preflights, and lets pages of allowed origins read answers."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = header(scope, b"origin") if scope["type"] == "http" else ""
        if not origin:
            await self._app(scope, receive, send if scope["type"] != "http" else self._vary(send))
            return
        allowed = self._headers(origin)
        if scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            more = {
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": REQUEST_HEADERS,
                "Access-Control-Max-Age": MAX_AGE_SECONDS,
            }
            answer = Response(status_code=204, headers=allowed | (more if len(allowed) > 1 else {}))
            await answer(scope, receive, send)
            return
        if len(allowed) > 1:
            allowed["Access-Control-Expose-Headers"] = ANSWER_HEADERS
        await self._app(scope, receive, self._vary(send, allowed))

    def _headers(self, origin: str) -> dict[str, str]:
        """What differs by origin has to be kept apart by caches, whether it is allowed or not."""
        if ANY in self._origins:
            return {"Vary": "Origin", "Access-Control-Allow-Origin": ANY}
        if origin in self._origins:
            return {"Vary": "Origin", "Access-Control-Allow-Origin": origin}
        return {"Vary": "Origin"}

    def _vary(self, send: Send, headers: dict[str, str] | None = None) -> Send:
        added = [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in (headers or {"Vary": "Origin"}).items()
        ]

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        return finish
