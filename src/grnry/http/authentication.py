"""Authentication, decided before anything else is looked at.

An anonymous caller gets the same 401 for what exists and for what does not.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from grnry.errors import AuthenticationFailed, GranaryError
from grnry.http.context import KEY, RequestContext, header
from grnry.http.error_model import render_error
from grnry.http.threads import run_in_thread
from grnry.identity.model import Identity

_BEARER = re.compile(r"bearer[ \t]+(\S+)", re.IGNORECASE)
_BARE = re.compile(r"\S+")

OPEN_PATHS = ("/health/*", "/openapi.json", "/docs")
# Segment endpoints, as clients of them know it: no body, and 403 for a token that is wrong.
BARE_REFUSALS = re.compile(r"(?:/projects/[^/]+)?/segments(?:/.*)?")


class Authenticator(Protocol):
    """Turns a token into an identity."""

    def recall(self, token: str) -> Identity | None:
        """Who it is, where that is known without I/O."""

    def authenticate(self, token: str) -> Identity:
        """Who it is, or `AuthenticationFailed`."""


@dataclass(frozen=True, slots=True)
class OpenPaths:
    """Paths that answer without a token; `/health/*` is all below `/health/`."""

    exact: frozenset[str]
    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> "OpenPaths":
        every = list(patterns)
        return cls(
            frozenset(pattern for pattern in every if not pattern.endswith("*")),
            tuple(pattern[:-1] for pattern in every if pattern.endswith("*")),
        )

    def __contains__(self, path: str) -> bool:
        return path in self.exact or path.startswith(self.prefixes)


def token_of(authorization: str, authentication: str) -> str:
    """The token in `Authorization: Bearer …`, or in `Authentication` with or without the word."""
    if match := _BEARER.fullmatch(authorization.strip()):
        return match[1]
    value = authentication.strip()
    match = _BEARER.fullmatch(value)
    if match:
        return match[1]
    return value if _BARE.fullmatch(value) else ""


class Authentication:
    """Puts the identity on the request, or answers 401."""

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator,
        open_paths: OpenPaths,
        challenge: str = "Bearer",
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open_paths = open_paths
        self._challenge = challenge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        context: RequestContext = scope[KEY]
        token = token_of(header(scope, b"authorization"), header(scope, b"authentication"))
        try:
            context.identity = await self._identify(token)
        except GranaryError as error:
            refusal = _refusal(scope["path"], context, token, error)
            if refusal.status_code == 401:
                refusal.headers["WWW-Authenticate"] = self._challenge
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _identify(self, token: str) -> Identity:
        if not token:
            raise AuthenticationFailed
        known = self._authenticator.recall(token)
        if known is not None:
            return known
        return await run_in_thread(self._authenticator.authenticate, token)


def _refusal(path: str, context: RequestContext, token: str, error: GranaryError) -> Response:
    if isinstance(error, AuthenticationFailed) and BARE_REFUSALS.fullmatch(path):
        return Response(status_code=403 if token else 401)
    return render_error(context, error)
