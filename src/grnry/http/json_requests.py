"""Bodies of JSON: read strictly, and looked through for everything that is wrong."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from grnry.errors import Problem
from grnry.http.bodies import RequestBody, places_of_nul
from grnry.http.context import note_problems
from grnry.http.problems import MOST_LEVELS, TOO_DEEP

_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class JsonRequest(Request):
    """Reads JSON as it is specified: no NaN, no half surrogate pairs, no bottomless nesting.

    Integers of any length stay what they are.
    """

    async def json(self) -> Any:
        body = await self.body()
        try:
            found = orjson.loads(body)
            deep = body.count(b"[") + body.count(b"{") > MOST_LEVELS and is_deep(found)
        except orjson.JSONDecodeError as error:
            if not (deep := error.msg.startswith("depth limit")):
                raise json.JSONDecodeError(error.msg, "", error.pos) from error
        if deep:
            raise json.JSONDecodeError(TOO_DEEP, "", 0)
        if _LONG_NUMBER.search(body):  # which it has made a float of
            found = msgspec.json.decode(body)
        if b"\\u0000" in body:
            note_problems(
                Problem(place, "must not contain the character U+0000")
                for place in places_of_nul(found)
            )
        return found


def is_deep(value: Any) -> bool:
    """Whether it nests deeper than all that looks through it can follow."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for part in level for inner in _parts_of(part)]
        if not level:
            return False
    return any(isinstance(part, dict | list) for part in level)


def _parts_of(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def is_json(content_type: str) -> bool:
    """Nothing said counts as JSON."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not media_type:
        return True
    main, _, sub = media_type.partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))


def problems_beside(error: RequestValidationError, model: Any, path: Mapping[str, str]) -> None:
    """Look at the values of a body some of whose fields are of a wrong kind."""
    is_model = isinstance(model, type) and issubclass(model, RequestBody)
    if not is_model or not isinstance(error.body, dict):
        return
    places = [each["loc"] for each in error.errors() if each["loc"][0] == "body"]
    wrong = {str(place[1]) for place in places if len(place) > 1}
    if any(len(place) < 2 for place in places):
        return
    rest = {name: value for name, value in error.body.items() if name not in wrong}
    try:
        body = model.model_validate(rest)
    except ValidationError:
        return  # without what is wrong it cannot be looked at
    note_problems(each for each in body.problems(path) if each.name not in wrong)
