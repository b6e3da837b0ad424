"""The outermost layer: begins a request's context and trace, and finishes its answer's headers.

Also turns a crash into the error answer, a trailing slash into none, and HEAD into a GET.
"""

import logging
from collections.abc import Iterable
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grnry.http.context import KEY, RequestContext, context_of_scope, current
from grnry.http.error_model import CRASH, UNEXPECTED, render
from grnry.logs import current_trace

logger = logging.getLogger("grnry.http")

IGNORED_BYTES = 1024
# An API's answers are never to be framed, sniffed, or run as a page's content.
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


def ignored_header(names: Iterable[str]) -> str:
    """The names that fit, percent-encoded, comma-separated."""
    value = ""
    for name in dict.fromkeys(names):
        encoded = quote(name, safe="._-[]$", errors="replace")
        longer = f"{value},{encoded}" if value else encoded
        if len(longer) > IGNORED_BYTES:
            break
        value = longer
    return value


def finish_headers(message: Message, context: RequestContext) -> None:
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    present = {name.lower() for name, _ in headers}
    headers.extend(pair for pair in SECURITY_HEADERS if pair[0] not in present)
    if context.request_id:
        headers.append((b"x-request-id", context.request_id.encode()))
    if ignored := ignored_header(context.ignored):
        headers.append((b"x-ignored-fields", ignored.encode()))
    message["headers"] = headers


def inner_scope(scope: Scope, context: RequestContext) -> Scope:
    path: str = scope["path"]
    inner = {**scope, KEY: context}
    if len(path) > 1 and path.endswith("/"):
        inner["path"] = path[:-1]
    if scope["method"] == "HEAD":
        inner["method"] = "GET"
    return inner


class Edge:
    """Every request passes here first, every answer last."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = context_of_scope(scope)
        trace_token = current_trace.set(context.trace)
        context_token = current.set(context)
        try:
            await self._run(scope, context, receive, send)
        finally:
            current.reset(context_token)
            current_trace.reset(trace_token)

    async def _run(
        self, scope: Scope, context: RequestContext, receive: Receive, send: Send
    ) -> None:
        started = False
        bodiless = scope["method"] == "HEAD"

        async def finish(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                finish_headers(message, context)
            elif bodiless and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(inner_scope(scope, context), receive, finish)
        except ClientDisconnect:
            logger.debug("%s %s: the caller is gone", scope["method"], context.path)
        except Exception:
            logger.exception("%s %s failed", scope["method"], context.path)
            if started:
                raise
            answer = render(context, CRASH, UNEXPECTED)
            await answer(scope, receive, finish)
