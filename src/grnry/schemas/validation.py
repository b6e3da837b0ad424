"""Whether a record is valid: compiled once for a schema, then asked for each record."""

from typing import Any

import jsonschema_rs
import orjson

from grnry.schemas.columns import KEY, LARGEST, ColumnType, columns_of
from grnry.schemas.document import JsonSchema, build
from grnry.schemas.errors import path_of
from grnry.schemas.formats import NAMES, PATTERNS
from grnry.schemas.known import Known
from grnry.schemas.nodes import Root

LONGEST_REASON = 300


class RecordValidator:
    """Says of a record whether the schema accepts it and its table can hold it.

    Beyond the schema: integers of columns fit `bigint`, dates and uuids of columns are such, and
    the key is there. A required property with a default may be missing: the column has it.
    """

    def __init__(self, schema: JsonSchema) -> None:
        self._root = Root(schema)
        self._recursive = schema.recursive
        demands = _of_columns(schema)
        self._validator = _and(schema, demands)
        self._table = build(demands, schema.draft)
        self.is_valid = self._validator.is_valid
        self.may_be_valid = _and(schema, _of_texts(demands)).is_valid
        """The same but for integers beyond `bigint`, which who packs them sees, and faster."""

    def problem(self, record: Any) -> str | None:
        """None for a valid record, else the first thing that is wrong with it, and where."""
        if self.is_valid(record):
            return None
        if not isinstance(record, dict):
            return "the record is not an object"
        if self._recursive:
            return _said(self._table, record) or self._named(record)
        return _said(self._validator, record)

    def _named(self, record: dict[str, Any]) -> str:
        """The properties at fault; the whole account of a recursive schema may have no end."""
        known = Known([self._root.node])
        missing = [f'"{name}" is a required property' for name in known.required - record.keys()]
        if missing:
            return _shortened(f"#: {missing[0]}")
        faults = [
            path_of([name])
            for name, value in record.items()
            if not all(node.accepts(value) for node in known.property_nodes(name))
        ]
        return _shortened(f"{', '.join(faults) or '#'}: not valid under the schema")


def _and(schema: JsonSchema, demands: dict[str, Any]) -> jsonschema_rs.Validator:
    both = schema.effective
    if demands:
        both = {**both, "allOf": [*both.get("allOf", []), demands]}
    return build(both, schema.draft)


def _said(validator: jsonschema_rs.Validator, record: Any) -> str | None:
    """The first thing that is wrong, and where."""
    try:
        validator.validate(record)
    except jsonschema_rs.ValidationError as error:
        return _shortened(f"{path_of(error.instance_path)}: {_message(error)}")
    return None


def _of_columns(schema: JsonSchema) -> dict[str, Any]:
    """What the table's columns ask for beyond the schema."""
    demands: dict[str, dict[str, Any]] = {}
    for column in columns_of(schema):
        if column.type is ColumnType.BIGINT:
            demands[column.name] = {"minimum": -LARGEST - 1, "maximum": LARGEST}
        elif column.type in PATTERNS:
            demands[column.name] = {"pattern": PATTERNS[column.type]}
    return {"required": [KEY], "properties": demands}


def _of_texts(demands: dict[str, Any]) -> dict[str, Any]:
    patterns = {name: each for name, each in demands["properties"].items() if "pattern" in each}
    return {"properties": patterns} if patterns else {}


def _message(error: jsonschema_rs.ValidationError) -> str:
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Pattern):
        for kind, pattern in PATTERNS.items():
            if error.kind.pattern == pattern:
                return f"{orjson.dumps(error.instance).decode()} is not {NAMES[kind]}"
    return error.message


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "…"
