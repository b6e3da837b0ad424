"""Kinds of parameters that many operations share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from grnry.errors import BadInput
from grnry.http.context import note_problems

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Between:
    """A number from one limit to another, both included: `Annotated[int, Between(1, 500)]`."""

    least: int
    most: int

    def check(self, value: int) -> int:
        if not self.least <= value <= self.most:
            raise ValueError(f"must be in between {self.least} and {self.most} but is '{value}'")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"minimum": self.least, "maximum": self.most}


def noting(parse: Callable[[str], Value], text: str, default: Value) -> Value:
    """What a parameter says; where it is wrong, the rest of the request is looked at as well."""
    try:
        return parse(text)
    except BadInput as error:
        note_problems(error.problems)
        return default


def is_true(text: str) -> bool:
    """`true` in any case; all else is false."""
    return text.strip().lower() == "true"


async def _export(
    export: Annotated[
        str,
        Query(
            description="Answer only what is needed to make the same thing again.",
            json_schema_extra={"type": "boolean"},
        ),
    ] = "",
) -> bool:
    return is_true(export)


Export = Annotated[bool, Depends(_export)]
