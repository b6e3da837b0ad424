"""Routers for rooms: each operation with its permission, JSON bodies read strictly.

Raw routes read their body themselves.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, serialize_response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from grnry.http.answers import json_answer
from grnry.http.arguments import Unclear, plan_of
from grnry.http.authorisation import authorise
from grnry.http.context import path_as_requested, raise_problems
from grnry.http.error_model import UnsupportedEncoding, UnsupportedMediaType
from grnry.http.json_requests import JsonRequest, is_json, problems_beside
from grnry.http.threads import run_in_thread
from grnry.identity.access import Permission
from grnry.identity.model import GLOBAL

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = Callable[..., Any]
Register = Callable[[Endpoint], Endpoint]

PROJECT_PREFIX = "/projects/{project_name}"
PERMISSION = "x-permission"
NO_CONTENT = 204

DONE = "It is done."
ANSWERED = {"GET": "What was asked for.", "POST": "What there is now.", "PUT": "What there is now."}

ProjectName = Annotated[str, Path(alias="project_name", description="The project's name.")]


def in_thread(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A `def` handler as the framework's async kind, which it asks for one thread less."""
    is_async = iscoroutinefunction(endpoint)

    @wraps(endpoint)
    async def run(**values: Any) -> Any:
        raise_problems()
        if is_async:
            return await endpoint(**values)
        return await run_in_thread(endpoint, **values)

    return run


class JsonRoute(APIRoute):
    """A route that its permission guards, and whose body is JSON or refused with 415.

    Who may not call it learns that before anything of the request is read.
    """

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, permission: Permission, **others: Any
    ) -> None:
        self.permission = permission
        others.setdefault("summary", summary_of(endpoint))
        others.setdefault("operation_id", endpoint.__name__)
        others.setdefault("response_description", ANSWERED.get(others["methods"][0], DONE))
        super().__init__(path, in_thread(endpoint), strict_content_type=False, **others)
        self.description = said_with(self.description, permission)
        self.openapi_extra = {**(self.openapi_extra or {}), PERMISSION: permission.name}

        self._slashes = path.count("/")
        self._plan = plan_of(self.dependant)
        self._by_framework = self.app
        if self._plan is not None:
            self.app = self._answer

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # A placeholder takes no slash. Routes are tried one after the other, so this comes first.
        if scope["path"].count("/") != self._slashes:
            return Match.NONE, {}
        return super().matches(scope)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the framework does, for an operation that has a plan."""
        request = Request(scope, receive, send)
        await authorise(request, self.permission)
        assert self._plan is not None
        try:
            values = await self._plan.arguments(request)
        except Unclear:
            await self._by_framework(scope, receive, send)
            return
        found = await self.endpoint(**values)
        answer = found if isinstance(found, Response) else await self._rendered(found)
        await answer(scope, receive, send)

    async def _rendered(self, found: Any) -> Response:
        status = self.status_code or 200
        if status == NO_CONTENT:
            return Response(status_code=status)
        if self.response_field is None:
            return json_answer(found, status)
        content = await serialize_response(
            field=self.response_field,
            response_content=found,
            exclude_unset=self.response_model_exclude_unset,
            dump_json=True,
        )
        return Response(content, status, media_type="application/json")

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        reads_body = self.body_field is not None

        async def handle(request: Request) -> Response:
            await authorise(request, self.permission)
            if not reads_body:
                return await handler(request)
            check_body_is_json(request)
            try:
                return await handler(JsonRequest(request.scope, request.receive))
            except RequestValidationError as error:
                model = self.body_field.field_info.annotation if self.body_field else None
                problems_beside(error, model, request.path_params)
                raise

        return handle


class AnyTextRoute(JsonRoute):
    """A route whose placeholders stand for any text: a slash in it is sent as `%2F`."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = path_as_requested(scope)
        match, found = super().matches({**scope, "path": path.removesuffix("/") or "/"})
        if match is not Match.NONE:
            values = found["path_params"].items()
            found["path_params"] = {name: unquote(value) for name, value in values}
        return match, found


@dataclass(frozen=True, slots=True)
class Unscoped:
    """How an operation of a project answers where its path names no project."""

    project: str
    """What the handler gets for the project's name."""
    ending: str
    """What the handler's name ends with, as two operations have two names."""
    note: str
    """What its description says in addition."""
    permission: Permission | None = None
    """Where it is another one."""


IN_GLOBAL = Unscoped(GLOBAL, "in_global", "In the project `global`.")


class Router:
    """What a room's `api.py` adds its operations to, each with its permission.

    A permission of the router is that of all its operations which name none.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        tags: list[str] | None = None,
        permission: Permission | None = None,
        route: type[JsonRoute] = JsonRoute,
    ) -> None:
        self.routes: list[JsonRoute] = []
        self._prefix = prefix
        self._tags = list(tags or [])
        self._permission = permission
        self._route = route

    def get(self, path: str, **options: Any) -> Register:
        return self.operation("GET", path, **options)

    def post(self, path: str, **options: Any) -> Register:
        return self.operation("POST", path, **options)

    def put(self, path: str, **options: Any) -> Register:
        return self.operation("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Register:
        return self.operation("DELETE", path, **options)

    def operation(self, method: str, path: str, **options: Any) -> Register:
        def register(endpoint: Endpoint) -> Endpoint:
            self._add(method, path, endpoint, **options)
            return endpoint

        return register

    def scoped(
        self, method: str, path: str, *, unscoped: Unscoped = IN_GLOBAL, **options: Any
    ) -> Register:
        """One handler for two operations: with the prefix `/projects/{project_name}`, and without.

        It has a parameter `project` of the kind `ProjectName`.
        """

        def register(endpoint: Endpoint) -> Endpoint:
            self._add(method, PROJECT_PREFIX + path, endpoint, **options)
            without = {**options, "permission": unscoped.permission or options.get("permission")}
            self._add(method, path, without_project(endpoint, unscoped), **without)
            return endpoint

        return register

    def _add(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        permission: Permission | None = None,
        **options: Any,
    ) -> None:
        needed = permission or self._permission
        if needed is None:
            raise TypeError(f"{method} {path} has no permission: say who may call it")
        tags: list[str | Enum] = [*self._tags]
        made = self._route(
            self._prefix + path, endpoint, methods=[method], tags=tags, permission=needed, **options
        )
        self.routes.append(made)


def without_project(endpoint: Endpoint, unscoped: Unscoped) -> Endpoint:
    """The handler with its project given, as the framework reads a handler's signature."""
    own = inspect.signature(endpoint)
    others = [each for name, each in own.parameters.items() if name != "project"]

    async def run_async(**values: Any) -> Any:
        return await endpoint(project=unscoped.project, **values)

    def run(**values: Any) -> Any:
        return endpoint(project=unscoped.project, **values)

    made: Any = run_async if iscoroutinefunction(endpoint) else run
    made.__signature__ = own.replace(parameters=others)
    made.__name__ = f"{endpoint.__name__}_{unscoped.ending}"
    made.__doc__ = f"{inspect.getdoc(endpoint) or ''}\n\n{unscoped.note}"
    return made  # type: ignore[no-any-return]


def check_body_is_json(request: Request) -> None:
    content_type = request.headers.get("content-type", "")
    if not is_json(content_type):
        raise UnsupportedMediaType(content_type)
    encoding = request.headers.get("content-encoding", "")
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding(encoding)


def summary_of(endpoint: Endpoint) -> str | None:
    """The first sentence of what it says of itself."""
    first = (inspect.getdoc(endpoint) or "").partition("\n")[0].partition(". ")[0]
    return first.rstrip(".") or None


class RawRoute(Route):
    """A plain route, without models and threads; what it does is described by hand."""

    permission: Permission
    described: Mapping[str, Any] | None = None
    """Its operation in the machine-readable contract."""
    streams: Callable[[str], bool] | None = None
    """Tells by its content type a body that is handled while it comes, and may be longer."""

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
    *,
    permission: Permission,
    streams: Callable[[str], bool] | None = None,
) -> RawRoute:
    """An async route that reads its body itself, beneath the same authentication and errors."""

    async def guarded(request: Request) -> Response:
        await authorise(request, permission)
        return await endpoint(request)

    route = RawRoute(path, guarded if permission.needs_token else endpoint, methods=methods)
    route.permission = permission
    route.streams = streams
    if described:
        said = said_with(described.get("description", ""), permission)
        route.described = {**described, "description": said, PERMISSION: permission.name}
    return route


def said_with(description: str, permission: Permission) -> str:
    return f"{description}\n\n{permission.sentence}".strip()
