"""The typed columns of a live segment's table, as its schema's properties ask for them. No SQL.

Which properties there are and what they hold is read through `$ref` and `allOf`; what only some
alternatives of `anyOf` or `oneOf` name is no column.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from grnry.schemas.document import JsonSchema
from grnry.schemas.known import Known
from grnry.schemas.nodes import KINDS, NUMERIC, Node, Root, kinds_of

KEY = "id"
FORMATS = frozenset(("date-time", "date", "uuid"))


class ColumnType(Enum):
    """The SQL type of a column."""

    BIGINT = "bigint"
    DOUBLE = "double precision"
    BOOLEAN = "boolean"
    TEXT = "text"
    TIMESTAMPTZ = "timestamptz"
    DATE = "date"
    UUID = "uuid"
    JSONB = "jsonb"

    def __str__(self) -> str:
        return self.value


OF_FORMAT = {
    "date-time": ColumnType.TIMESTAMPTZ,
    "date": ColumnType.DATE,
    "uuid": ColumnType.UUID,
}

LARGEST = 2**63 - 1
"""What a `bigint` holds at most."""

FORMATTED = frozenset(OF_FORMAT.values())
"""The types of columns that ask more of a string than the schema does."""


@dataclass(frozen=True, slots=True)
class Default:
    """The value that a column takes where a record has none; wrapped, as it may be null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its name is the property's, to be quoted."""

    name: str
    type: ColumnType
    nullable: bool
    default: Default | None = None


def column_types(schema: JsonSchema) -> dict[str, ColumnType]:
    return {column.name: column.type for column in columns_of(schema)}


def columns_of(schema: JsonSchema) -> tuple[Column, ...]:
    """The columns of one version, the key first."""
    known = Known([Root(schema).node])
    names = sorted(known.declared, key=lambda name: name != KEY)
    return tuple(_column(schema, known, name) for name in names if not known.forbids(name))


def _column(schema: JsonSchema, known: Known, name: str) -> Column:
    nodes = known.property_nodes(name)
    kinds, typed = _kinds(nodes), _type(schema, nodes)
    default = _default(schema, nodes)
    needed = name in known.required or (
        default is not None and _written_required(schema, known, name)
    )
    nullable = name != KEY and ("null" in kinds or not needed)
    return Column(name, typed, nullable, default)


def _written_required(schema: JsonSchema, known: Known, name: str) -> bool:
    """Whether the schema as written requires it, where the default stands in for it."""
    return any(name in _written(schema, node).get("required", ()) for node in known.flat)


def _written(schema: JsonSchema, node: Node) -> dict[str, Any]:
    raw = schema.places[node.place]
    return raw if isinstance(raw, dict) else {}


def _default(schema: JsonSchema, nodes: list[Node]) -> Default | None:
    for node in nodes:
        written = _written(schema, node)
        if "default" in written:
            return Default(written["default"])
    return None


def _kinds(nodes: list[Node]) -> frozenset[str]:
    """The types a value may have; a list of integers does not make a `number` an integer."""
    kinds = KINDS
    for node in Known(nodes).flat:
        own = KINDS
        if node.value("type") is not None:
            own = kinds_of(node.value("type"))
        for branches in (node.any_of, node.one_of):
            if branches:
                own &= frozenset[str]().union(*(_kinds([branch]) for branch in branches))
        kinds &= own
    listed = Known(nodes).kinds
    if kinds == KINDS:
        return listed
    if listed & NUMERIC:
        listed |= NUMERIC
    return kinds & listed


def _type(schema: JsonSchema, nodes: list[Node]) -> ColumnType:
    kinds = _kinds(nodes) - {"null"}
    if kinds == {"integer"}:
        return ColumnType.BIGINT
    if kinds and kinds <= NUMERIC:
        return ColumnType.DOUBLE
    if kinds == {"boolean"}:
        return ColumnType.BOOLEAN
    if kinds == {"string"}:
        formats = _formats(schema, nodes)
        return OF_FORMAT[formats.pop()] if len(formats) == 1 else ColumnType.TEXT
    return ColumnType.JSONB


def _formats(schema: JsonSchema, nodes: list[Node]) -> set[str]:
    """The formats that a string has in each alternative; more than one, or none, is no type."""
    found: set[str] = set()
    for node in Known(nodes).flat:
        own = _written(schema, node).get("format")
        ignored = node.keywords if schema.draft.number < 19 else ()
        if own in FORMATS and "$ref" not in ignored:
            found.add(own)
        for branches in (node.any_of, node.one_of):
            strings = [branch for branch in branches if "string" in branch.kinds]
            each = [_formats(schema, [branch]) for branch in strings]
            if each and all(each):
                found |= set[str]().union(*each)
    return found
