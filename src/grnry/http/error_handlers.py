"""Exceptions into error answers, once for all endpoints."""

import logging
import re
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from grnry.errors import BadInput, GranaryError, InUse
from grnry.http.context import context_of
from grnry.http.error_model import CRASH, HTTP_KINDS, kind_of, render, render_error
from grnry.http.limits import Refused
from grnry.http.links import Links, href
from grnry.http.problems import bad_input_of

logger = logging.getLogger("grnry.http")

_PLACEHOLDER = re.compile(r"{[^}]*}")

ExceptionHandler = Callable[[Request, Exception], Awaitable[Response]]


async def granary_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GranaryError)
    if kind_of(error) is CRASH:
        raise error  # one that no caller is meant to see: a crash, for the edge to log
    return render_error(context_of(request), error)


async def validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    context = context_of(request)
    found = bad_input_of(error.errors()).problems
    return render_error(context, BadInput(dict.fromkeys([*found, *context.problems])))


async def http_exception(request: Request, error: Exception) -> Response:
    """What the framework refuses; its own words are replaced, ours are kept."""
    assert isinstance(error, HTTPException)
    known = HTTP_KINDS.get(error.status_code)
    if known is None:
        raise error
    kind, words = known
    own = type(error) is not HTTPException
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request))
    return render(
        context_of(request),
        kind,
        error.detail if own else words,
        problems=error.problems if isinstance(error, Refused) else (),
        headers=headers,
    )


def allowed_methods(request: Request) -> list[str]:
    """The methods of the operations that the path is of.

    A placeholder may stand for what is another operation's own word, as in `/calls:purge`: of the
    templates that the path fits, the one that says most of it counts.
    """
    routes: list[BaseRoute] = request.app.routes
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    most = max((_literal(route) for route in fitting), default=0)
    methods: set[str] = set()
    for route in fitting:
        if _literal(route) == most:
            methods |= getattr(route, "methods", None) or set()
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)


def _literal(route: BaseRoute) -> int:
    """How much of a template is no placeholder."""
    return len(_PLACEHOLDER.sub("", getattr(route, "path", "")))


def in_use_error(links: Links) -> ExceptionHandler:
    """Who uses it is told by absolute links, in the message and for machines."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, InUse)
        users = {
            kind: [links.to(request, path) for path in paths] for kind, paths in error.users.items()
        }
        found = {kind: [href(link) for link in links] for kind, links in users.items() if links}
        return render(
            context_of(request),
            kind_of(error),
            error.sentence(users),
            more={"_links": found} if found else {},
        )

    return answer


def add_error_handlers(app: FastAPI, links: Links) -> None:
    app.add_exception_handler(GranaryError, granary_error)
    app.add_exception_handler(InUse, in_use_error(links))
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_exception)
