"""What a live segment's schema has to be: an object with an `id`, whose properties are columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from grnry.schemas.bounds import MAX_COLUMNS
from grnry.schemas.columns import KEY, LARGEST, ColumnType, columns_of
from grnry.schemas.document import JsonSchema, read_schema
from grnry.schemas.errors import SchemaError, SchemaProblem, path_of
from grnry.schemas.formats import is_of
from grnry.schemas.known import Known
from grnry.schemas.nodes import Root

MAX_NAME_BYTES = 63
SYSTEM_COLUMNS = frozenset(("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"))


@dataclass(frozen=True, slots=True)
class GivenSchema:
    """A schema as a request gives it, in the form that an answer has."""

    subject: str | None
    schema: str | dict[str, Any]


def given_schema(value: Any) -> GivenSchema:
    """Takes `{"subject", "schema"}`, a schema as a string, or the schema itself."""
    if isinstance(value, str):
        return GivenSchema(None, value)
    if not isinstance(value, dict):
        raise SchemaError.of("#", "must be a JSON Schema, as an object or as a string")
    inner = value.get("schema")
    if "schema" not in value or (isinstance(inner, dict) and value.keys() - {"schema", "subject"}):
        return GivenSchema(None, value)
    subject = value.get("subject")
    if not isinstance(inner, str | dict):
        raise SchemaError.of("#/schema", "must be a JSON Schema, as an object or as a string")
    if not isinstance(subject, str | None):
        raise SchemaError.of("#/subject", "must be a string")
    return GivenSchema(subject, inner)


def live_segment_schema(given: str | bytes | dict[str, Any]) -> JsonSchema:
    """The schema of a live segment; SchemaError names all that is wrong with it."""
    schema = read_schema(given)
    problems = [*_wrong_at_the_root(schema), *_wrong_names(schema)]
    if not problems:
        problems = list(_wrong_defaults(schema))
    if problems:
        raise SchemaError(problems)
    return schema


def _wrong_at_the_root(schema: JsonSchema) -> Iterator[SchemaProblem]:
    root = Root(schema).node
    if root.value("type") not in ("object", ["object"]):
        yield SchemaProblem("#/type", "must be 'object'")
    if "default" in schema.document:
        yield SchemaProblem("#/default", "is not allowed at the root")
    key = root.properties.get(KEY)
    if key is None:
        yield SchemaProblem("#/properties/id", "is missing; each record needs one, as its key")
    elif key.kinds not in ({"integer"}, {"string"}):
        yield SchemaProblem("#/properties/id", "must be of type 'integer' or of type 'string'")


def _wrong_names(schema: JsonSchema) -> Iterator[SchemaProblem]:
    names = Known([Root(schema).node]).declared
    if len(names) > MAX_COLUMNS:
        reason = f"has {len(names):,} properties; a table has {MAX_COLUMNS:,} columns at most"
        yield SchemaProblem("#/properties", reason)
    for name in names:
        reason = _wrong_with_name(name)
        if reason:
            yield SchemaProblem(path_of(("properties", name)), reason)


def _wrong_with_name(name: str) -> str:
    if not name:
        return "is an empty name, which no column can have"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes, the longest name of a column"
    if "\0" in name:
        return "has a character that is zero, which no column's name can have"
    if name in SYSTEM_COLUMNS:
        return "is the name of a column that PostgreSQL gives each table itself"
    return ""


def _wrong_defaults(schema: JsonSchema) -> Iterator[SchemaProblem]:
    known = Known([Root(schema).node])
    for column in columns_of(schema):
        if column.default is None:
            continue
        value = column.default.value
        path = path_of(("properties", column.name, "default"))
        if not all(node.accepts(value) for node in known.property_nodes(column.name)):
            yield SchemaProblem(path, "is not valid under the property's own schema")
        elif value is not None and not _can_be_stored(value, column.type):
            yield SchemaProblem(path, f"is nothing that a column of type {column.type} can hold")


def _can_be_stored(value: Any, kind: ColumnType) -> bool:
    if b"\\u0000" in orjson.dumps(value):
        return False
    if kind is ColumnType.BIGINT:
        return bool(-LARGEST - 1 <= value <= LARGEST)
    return not isinstance(value, str) or is_of(kind, value)
