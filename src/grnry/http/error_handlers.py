"""Exceptions into error answers, once for all endpoints."""

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from grnry.errors import GranaryError
from grnry.http.context import context_of
from grnry.http.error_model import CRASH, HTTP_KINDS, kind_of, render, render_error
from grnry.http.problems import bad_input_of

logger = logging.getLogger("grnry.http")


async def granary_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GranaryError)
    if kind_of(error) is CRASH:
        raise error  # one that no caller is meant to see: a crash, for the edge to log
    return render_error(context_of(request), error)


async def validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return render_error(context_of(request), bad_input_of(error.errors()))


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
    return render(context_of(request), kind, error.detail if own else words, headers=headers)


def allowed_methods(request: Request) -> list[str]:
    """The methods of every route that the path leads to."""
    routes: list[BaseRoute] = request.app.routes
    methods: set[str] = set()
    for route in routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(GranaryError, granary_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_exception)
