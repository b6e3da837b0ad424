"""The one shape of every error answer, and which error has which type and status."""

import json
import time
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from grnry.errors import (
    AlreadyExists,
    AuthenticationFailed,
    BadInput,
    GranaryError,
    InUse,
    NotAccessible,
    NotFound,
    PreconditionFailed,
    Problem,
    ServiceAway,
    TooManyRequests,
)
from grnry.http.context import RequestContext

UNEXPECTED = "An unexpected error occurred."
RETRY_SECONDS = 1


class InvalidParam(BaseModel):
    """One thing that is wrong."""

    type: str = Field(examples=["Parameter"])
    name: str = Field(examples=["pagesize"])
    reason: str = Field(examples=["must be a natural number but is '-1'"])


class ErrorBody(BaseModel):
    """What every error of every endpoint looks like."""

    model_config = ConfigDict(json_schema_extra={"title": "Error"})

    timestamp: int = Field(description="Milliseconds since 1970.", examples=[1587302499600])
    type: str = Field(examples=["bad_parameter_value"])
    message: str = Field(examples=["Parameter 'pagesize' must be a natural number but is '-1'."])
    details: str = Field(
        description="`uri=` and the path as requested.",
        examples=["uri=/projects/global/event-types"],
    )
    traceId: str = Field(  # noqa: N815 - the name on the wire
        description="Found in the server's log as well.",
        examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
    )
    invalidParams: list[InvalidParam] | None = Field(  # noqa: N815
        default=None,
        description="Everything that is wrong; with `bad_parameter_value` only.",
    )
    links: dict[str, list[dict[str, str]]] | None = Field(
        default=None,
        alias="_links",
        description="Who uses it; with `entity_in_use` only.",
    )


class ErrorKind:
    """Status and type of an error."""

    __slots__ = ("name", "status")

    def __init__(self, status: int, name: str) -> None:
        self.status = status
        self.name = name


KINDS: Mapping[type[GranaryError], ErrorKind] = {
    BadInput: ErrorKind(400, "bad_parameter_value"),
    AuthenticationFailed: ErrorKind(401, "authentication_error"),
    NotAccessible: ErrorKind(403, "entity_not_accessible"),
    NotFound: ErrorKind(404, "entity_not_found"),
    AlreadyExists: ErrorKind(409, "entity_already_exists"),
    InUse: ErrorKind(412, "entity_in_use"),
    PreconditionFailed: ErrorKind(412, "precondition_failed"),
    TooManyRequests: ErrorKind(429, "too_many_requests"),
    ServiceAway: ErrorKind(503, "service_unavailable"),
}
CRASH = ErrorKind(500, "unexpected_error")

# What the framework refuses by itself, and in whose words.
HTTP_KINDS: Mapping[int, tuple[ErrorKind, str]] = {
    400: (ErrorKind(400, "bad_parameter_value"), "The request cannot be read."),
    401: (KINDS[AuthenticationFailed], "Authentication failed."),
    403: (KINDS[NotAccessible], "Access forbidden due to missing roles."),
    404: (KINDS[NotFound], "The path is not known."),
    405: (ErrorKind(405, "method_not_allowed"), "The method is not allowed here."),
    408: (ErrorKind(408, "request_timeout"), "The request came too slowly."),
    413: (ErrorKind(413, "payload_too_large"), "The body is too large."),
    414: (ErrorKind(414, "uri_too_long"), "The URL is too long."),
    415: (ErrorKind(415, "unsupported_media_type"), "The content type is not supported."),
    431: (ErrorKind(431, "headers_too_large"), "The headers are too large."),
    503: (KINDS[ServiceAway], "The service is not available at the moment. Try again."),
}


class PayloadTooLarge(HTTPException):
    """The body is longer than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            413, f"The body must not be larger than {limit} bytes.", {"Connection": "close"}
        )


class UnsupportedMediaType(HTTPException):
    """The body is of a type that the operation does not read."""

    def __init__(self, given: str, accepted: str = "application/json") -> None:
        super().__init__(415, f"The content type must be '{accepted}' but is '{given}'.")


class UnsupportedEncoding(HTTPException):
    """The body is packed in a way that the operation does not unpack."""

    def __init__(self, given: str) -> None:
        super().__init__(415, f"The body must not be encoded but is encoded as '{given}'.")


def kind_of(error: GranaryError) -> ErrorKind:
    kinds = (KINDS[base] for base in type(error).__mro__ if base in KINDS)
    return next(kinds, CRASH)


def headers_of(error: GranaryError) -> dict[str, str]:
    if isinstance(error, AuthenticationFailed):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, ServiceAway):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}


def render(
    context: RequestContext,
    kind: ErrorKind,
    message: str,
    *,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    body: dict[str, object] = {
        "timestamp": time.time_ns() // 1_000_000,
        "type": kind.name,
        "message": message,
        "details": f"uri={context.path}",
        "traceId": context.trace.trace_id,
    }
    if kind.name == "bad_parameter_value":
        body["invalidParams"] = [
            {"type": problem.kind, "name": problem.name, "reason": problem.reason}
            for problem in problems
        ]
    body |= more or {}
    # Escaped to ASCII, as a message may hold half a surrogate pair that a caller sent.
    return Response(json.dumps(body), kind.status, headers, "application/json")


def render_error(context: RequestContext, error: GranaryError) -> Response:
    """The answer to any error that callers are told about."""
    kind = kind_of(error)
    return render(
        context,
        kind,
        UNEXPECTED if kind is CRASH else error.message,
        problems=error.problems if isinstance(error, BadInput) else (),
        headers=headers_of(error),
    )
