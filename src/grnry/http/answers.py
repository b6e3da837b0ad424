"""Answers of plain JSON, written as they are."""

from typing import Any

import msgspec
import orjson
from starlette.responses import Response


def json_answer(content: Any, status: int = 200) -> Response:
    """For what a handler has put together of plain values already.

    The framework would make it into a model, and that into JSON, which takes most of the time of a
    list. That it is what the contract says is held by the tests which call everything in it.
    """
    return Response(json_text(content), status, media_type="application/json")


def json_text(content: Any) -> bytes:
    """As JSON. The one encoder takes no integers beyond 64 bits, the other no raw parts."""
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:
        return msgspec.json.encode(content)
