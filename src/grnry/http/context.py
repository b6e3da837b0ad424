"""What is known of the request at hand: its trace, its path as requested, who calls."""

import random
import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, cast
from urllib.parse import quote

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from grnry.errors import AuthenticationFailed, BadInput, Problem
from grnry.identity.model import Identity
from grnry.logs import Trace

KEY = "grnry.request"
LONGEST_PATH = 8192

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_B3_SINGLE = re.compile(r"([0-9a-f]{16}(?:[0-9a-f]{16})?)-[0-9a-f]{16}(?:-.*)?")
# 16 or 32 digits are the rule; tracers that leave leading zeros away are understood as well.
_B3_TRACE = re.compile(r"[0-9a-f]{1,32}")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(slots=True)
class RequestContext:
    trace: Trace
    path: str
    """As requested, percent-encoded, without the query."""
    request_id: str = ""
    identity: Identity | None = None
    ignored: list[str] = field(default_factory=list)
    """Body fields that nobody knows."""
    problems: list[Problem] = field(default_factory=list)
    """What was found wrong so far, while the rest is still looked at."""


current: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def header(scope: Scope, name: bytes) -> str:
    """A header's first value, by its name in lower case."""
    pairs: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for key, value in pairs:  # asked for several times of every request
        if key == name:
            return value.decode("latin-1")
    return ""


def note_problems(problems: Iterable[Problem]) -> None:
    """Refuse the request for these, and for whatever else is found wrong."""
    if context := current.get():
        context.problems.extend(problems)
    else:
        raise BadInput(problems)


def raise_problems() -> None:
    context = current.get()
    if context and context.problems:
        raise BadInput(dict.fromkeys(context.problems))


def trace_of(traceparent: str, b3: str, b3_single: str = "") -> Trace:
    """The trace that the caller began, else a new one; the span is ours."""
    span = f"{random.getrandbits(64) or 1:016x}"
    if (match := _TRACEPARENT.fullmatch(traceparent.strip().lower())) and match[1].strip("0"):
        return Trace(match[1], span)
    if match := _B3_SINGLE.fullmatch(b3_single.strip().lower()):
        b3 = match[1] if match[1].strip("0") else b3
    b3 = b3.strip().lower()
    if _B3_TRACE.fullmatch(b3) and b3.strip("0"):
        return Trace(b3, span)
    return Trace(f"{random.getrandbits(128) or 1:032x}", span)


def path_as_requested(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw[:LONGEST_PATH].decode("ascii", "replace")


def context_of_scope(scope: Scope) -> RequestContext:
    """Read the context out of a request that has none yet."""
    request_id = header(scope, b"x-request-id")
    return RequestContext(
        trace=trace_of(
            header(scope, b"traceparent"), header(scope, b"x-b3-traceid"), header(scope, b"b3")
        ),
        path=path_as_requested(scope),
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else "",
    )


def context_of(connection: HTTPConnection) -> RequestContext:
    return cast("RequestContext", connection.scope[KEY])


async def current_identity(connection: HTTPConnection) -> Identity:
    """Who calls; only paths that are open without a token have nobody."""
    identity = context_of(connection).identity
    if identity is None:
        raise AuthenticationFailed
    return identity


CurrentIdentity = Annotated[Identity, Depends(current_identity)]
