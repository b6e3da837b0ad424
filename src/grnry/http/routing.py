"""Routers for rooms: JSON bodies read strictly, and raw routes that read their body themselves."""

import json
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import Match, Route
from starlette.types import Scope

from grnry.http.error_model import UnsupportedMediaType

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class JsonRequest(Request):
    """Reads JSON as it is specified: no NaN, no half surrogate pairs, no bottomless nesting."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, "", error.pos) from error


def is_json(content_type: str) -> bool:
    """Nothing said counts as JSON."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not media_type:
        return True
    main, _, sub = media_type.partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))


def in_thread(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A `def` handler as the framework's async kind, which it asks for one thread less."""
    if iscoroutinefunction(endpoint):
        return endpoint

    @wraps(endpoint)
    async def run(**values: Any) -> Any:
        return await run_in_threadpool(endpoint, **values)

    return run


class JsonRoute(APIRoute):
    """A route whose body is JSON or refused with 415."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **others: Any) -> None:
        super().__init__(path, in_thread(endpoint), **others)

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def handle(request: Request) -> Response:
            content_type = request.headers.get("content-type", "")
            if not is_json(content_type):
                raise UnsupportedMediaType(content_type)
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


class Router(APIRouter):
    """What a room's `api.py` adds its operations to."""

    def __init__(self, *, prefix: str = "", tags: list[str] | None = None) -> None:
        super().__init__(
            prefix=prefix,
            tags=list(tags or []),
            route_class=JsonRoute,
            redirect_slashes=False,
            strict_content_type=False,
        )


class RawRoute(Route):
    """A plain route, without models and threads; what it does is described by hand."""

    described: Mapping[str, Any] | None = None
    """Its operation in the machine-readable contract."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        if match is not Match.NONE:
            found["route"] = self  # by which metrics name it
        return match, found


def raw_route(
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    methods: Collection[str],
    described: Mapping[str, Any] | None = None,
) -> Route:
    """An async route that reads its body itself, beneath the same authentication and errors."""
    route = RawRoute(path, endpoint, methods=methods)
    route.described = described
    return route
