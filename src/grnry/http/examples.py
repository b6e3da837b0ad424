"""Examples of bodies, put together from those of their fields."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]

DEEPEST = 6
OF_TYPE: Mapping[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}


def add_examples(operation: Schema, schemas: Mapping[str, Schema]) -> None:
    """Give each JSON body of an operation an example, where it has none of its own."""
    for media in _json_bodies(operation):
        if "schema" in media and not {"example", "examples"} & set(media):
            media["example"] = example_of(media["schema"], schemas)


def _json_bodies(operation: Schema) -> Iterator[Schema]:
    holders = [operation.get("requestBody", {}), *operation["responses"].values()]
    for holder in holders:
        for media_type, media in holder.get("content", {}).items():
            if media_type == "application/json":
                yield media


def example_of(schema: Schema, schemas: Mapping[str, Schema], depth: int = 0) -> Any:
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    if "example" in schema:
        return schema["example"]
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("default") is not None:
        return schema["default"]
    for kind in ("anyOf", "oneOf", "allOf"):
        if kind in schema:
            parts = [part for part in schema[kind] if part.get("type") != "null"]
            return example_of(parts[0], schemas, depth)
    return _of_type(schema, schemas, depth)


def _of_type(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {}) if depth < DEEPEST else {}
        return {name: example_of(part, schemas, depth + 1) for name, part in properties.items()}
    if kind == "array":
        items = schema.get("items")
        return [example_of(items, schemas, depth + 1)] if items and depth < DEEPEST else []
    if kind in ("integer", "number") and "minimum" in schema:
        return schema["minimum"]
    return OF_TYPE.get(str(kind), {})
