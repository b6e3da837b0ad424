"""The errors of all operations as the contract describes them: headers, examples."""

from typing import Any

Schema = dict[str, Any]

DESCRIPTIONS = {
    "400": "Something that was given is wrong; `invalidParams` names all of it.",
    "401": "The token is missing or invalid.",
    "403": "The caller's roles do not reach it.",
    "404": "There is no such thing.",
    "408": "The request came too slowly.",
    "409": "It is there already.",
    "412": "It is in use, or was changed in the meantime.",
    "413": "The body is too large.",
    "414": "The URL is too long.",
    "415": "The body is of another content type.",
    "429": "Too many requests.",
    "431": "The headers are too many or too large.",
    "500": "An unexpected error occurred.",
    "503": "The database or the log is away, there is too much at once, or it took too long.",
}

EXAMPLES = {
    "400": ("bad_parameter_value", "Parameter 'pagesize' must be a natural number but is '-1'."),
    "401": ("authentication_error", "Authentication failed."),
    "403": ("entity_not_accessible", "Access forbidden due to missing roles."),
    "404": ("entity_not_found", "Event Type 'calls' not found."),
    "408": ("request_timeout", "The body of the request came too slowly."),
    "409": ("entity_already_exists", "Event Type with name 'calls' already exists."),
    "412": ("precondition_failed", "It was changed in the meantime."),
    "413": ("payload_too_large", "The body must not be larger than 16777216 bytes."),
    "414": ("uri_too_long", "The URL must not be longer than 8192 bytes."),
    "415": (
        "unsupported_media_type",
        "The content type must be 'application/json' but is 'text/plain'.",
    ),
    "429": ("too_many_requests", "Too many failed logins."),
    "431": ("headers_too_large", "There must not be more than 100 headers."),
    "500": ("unexpected_error", "An unexpected error occurred."),
    "503": ("service_unavailable", "The database does not answer at the moment. Try again."),
}

TEXT = {"type": "string"}
HEADERS = {
    "X-Request-Id": {"description": "What the request said, where it said it.", "schema": TEXT},
    "X-Ignored-Fields": {
        "description": "Body fields that nobody knows or that have no effect: percent-encoded, "
        "comma-separated.",
        "schema": TEXT,
    },
    "ETag": {"description": "Names this version, for `If-None-Match`/`If-Match`.", "schema": TEXT},
    "Retry-After": {
        "description": "Seconds until another try makes sense.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "What kind of token is wanted.", "schema": TEXT},
}
OF_STATUS = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}


def error_name(status: str) -> str:
    return f"Error{status}"


def error_responses(model: str) -> Schema:
    return {error_name(status): _response(status, model) for status in DESCRIPTIONS}


def _response(status: str, model: str) -> Schema:
    names = ["X-Request-Id", *([OF_STATUS[status]] if status in OF_STATUS else [])]
    content = {"schema": {"$ref": f"#/components/schemas/{model}"}, "example": _example(status)}
    return {
        "description": DESCRIPTIONS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {"application/json": content},
    }


def _example(status: str) -> Schema:
    kind, message = EXAMPLES[status]
    example = {
        "timestamp": 1587302499600,
        "type": kind,
        "message": message,
        "details": "uri=/projects/global/event-types",
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    if status != "400":
        return example
    reason = "must be a natural number but is '-1'"
    return example | {
        "invalidParams": [{"type": "Parameter", "name": "pagesize", "reason": reason}]
    }
