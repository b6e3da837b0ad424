"""The drafts of JSON Schema: how each is recognised, and where it has schemas within a schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from grnry.schemas.errors import SchemaError


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft; `number` orders them: 4, 6, 7, 19 and 20."""

    name: str
    number: int
    uri: str
    validator: type[jsonschema_rs.Validator]

    @property
    def id_keyword(self) -> str:
        return "id" if self.number == 4 else "$id"


DRAFTS = (
    Draft("draft 4", 4, "http://json-schema.org/draft-04/schema", jsonschema_rs.Draft4Validator),
    Draft("draft 6", 6, "http://json-schema.org/draft-06/schema", jsonschema_rs.Draft6Validator),
    Draft("draft 7", 7, "http://json-schema.org/draft-07/schema", jsonschema_rs.Draft7Validator),
    Draft(
        "draft 2019-09",
        19,
        "https://json-schema.org/draft/2019-09/schema",
        jsonschema_rs.Draft201909Validator,
    ),
    Draft(
        "draft 2020-12",
        20,
        "https://json-schema.org/draft/2020-12/schema",
        jsonschema_rs.Draft202012Validator,
    ),
)
DEFAULT_DRAFT = DRAFTS[2]
"""Draft 7, as Confluent's serializers take a schema that names none."""

ONE = {
    "additionalProperties": 4,
    "not": 4,
    "contains": 6,
    "propertyNames": 6,
    "if": 7,
    "then": 7,
    "else": 7,
    "unevaluatedItems": 19,
    "unevaluatedProperties": 19,
}
MANY = {"allOf": 4, "anyOf": 4, "oneOf": 4, "prefixItems": 20}
NAMED = {
    "properties": 4,
    "patternProperties": 4,
    "definitions": 4,
    "dependencies": 4,
    "$defs": 4,
    "dependentSchemas": 19,
}
UNSUPPORTED = ("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor")

Place = tuple[str, ...]


def draft_of(document: dict[str, Any]) -> Draft:
    """The draft that `$schema` names, or the default one."""
    named = document.get("$schema")
    if named is None:
        return DEFAULT_DRAFT
    if isinstance(named, str):
        plain = named.removesuffix("#").replace("https:", "http:")
        for draft in DRAFTS:
            if draft.uri.replace("https:", "http:") == plain:
                return draft
    known = ", ".join(draft.uri for draft in DRAFTS)
    raise SchemaError.of("#/$schema", f"names no known draft; known are {known}")


def is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


def children(raw: dict[str, Any], draft: Draft) -> Iterator[tuple[Place, Any]]:
    """The schemas directly within a schema, each with its place below it."""
    for keyword, value in raw.items():
        if draft.number >= ONE.get(keyword, 99):
            yield (keyword,), value
        elif draft.number >= MANY.get(keyword, 99) and isinstance(value, list):
            yield from (((keyword, str(index)), child) for index, child in enumerate(value))
        elif draft.number >= NAMED.get(keyword, 99) and isinstance(value, dict):
            yield from (
                ((keyword, name), child) for name, child in value.items() if is_schema(child)
            )
        elif keyword in ("items", "additionalItems"):
            yield from _items(keyword, value, draft)


def _items(keyword: str, value: Any, draft: Draft) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, list):
        yield from (((keyword, str(index)), child) for index, child in enumerate(value))
    elif keyword == "items" or draft.number < 20:
        yield (keyword,), value
