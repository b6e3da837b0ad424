"""Which columns a schema has, and what a new version changes in its table."""

from typing import Any

import pytest

from grnry.schemas import (
    AddColumn,
    Column,
    ColumnType,
    Default,
    DropNotNull,
    JsonSchema,
    SetDefault,
    breaks,
    changes,
    columns_of,
    live_segment_schema,
    table_of,
)
from grnry.schemas.drafts import DRAFTS
from tests.schemas.test_documents import live

TEXT, JSONB = ColumnType.TEXT, ColumnType.JSONB


def columns(properties: Any, **more: Any) -> dict[str, Column]:
    found = columns_of(live_segment_schema(live(properties, **more)))
    return {column.name: column for column in found}


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
@pytest.mark.parametrize(
    ("schema", "expected", "nullable"),
    [
        ({"type": "integer"}, ColumnType.BIGINT, False),
        ({"type": "number"}, ColumnType.DOUBLE, False),
        ({"type": "boolean"}, ColumnType.BOOLEAN, False),
        ({"type": "string"}, TEXT, False),
        ({"type": "string", "format": "date-time"}, ColumnType.TIMESTAMPTZ, False),
        ({"type": "string", "format": "date"}, ColumnType.DATE, False),
        ({"type": "string", "format": "uuid"}, ColumnType.UUID, False),
        ({"type": "string", "format": "email"}, TEXT, False),
        ({"type": "object"}, JSONB, False),
        ({"type": "array", "items": {"type": "integer"}}, JSONB, False),
        ({"type": ["string", "integer"]}, JSONB, False),
        ({}, JSONB, True),
        ({"type": "null"}, JSONB, True),
        ({"type": ["string", "null"]}, TEXT, True),
        ({"type": ["string", "null"], "format": "date"}, ColumnType.DATE, True),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ColumnType.BIGINT, True),
        (
            {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]},
            ColumnType.UUID,
            True,
        ),
        (
            {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "string"}]},
            TEXT,
            False,
        ),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, JSONB, False),
        ({"enum": ["a", "b"]}, TEXT, False),
        ({"enum": [1, 2]}, ColumnType.BIGINT, False),
        ({"enum": [1, 2.5]}, ColumnType.DOUBLE, False),
        ({"type": "number", "enum": [1, 2]}, ColumnType.DOUBLE, False),
        ({"enum": ["a", None]}, TEXT, True),
        ({"type": ["string", "null"], "enum": ["a"]}, TEXT, False),
        ({"enum": ["a", 1]}, JSONB, False),
        ({"$ref": "#/definitions/day"}, ColumnType.DATE, False),
        ({"allOf": [{"$ref": "#/definitions/day"}, {"minLength": 1}]}, ColumnType.DATE, False),
    ],
)
def test_the_type_of_a_column(schema: Any, expected: Any, nullable: bool, draft: Any) -> None:
    day = {"definitions": {"day": {"type": "string", "format": "date"}}}
    found = columns({"a": schema}, required=["a"], **day, **{"$schema": draft.uri})
    assert found["a"] == Column("a", expected, nullable)


def test_const_is_the_type_of_its_value() -> None:
    found = columns({"a": {"const": "x"}, "b": {"const": 1.5}, "c": {"const": True}})
    types = [found[name].type for name in "abc"]
    assert types == [TEXT, ColumnType.DOUBLE, ColumnType.BOOLEAN]


def test_the_key_comes_first_and_is_never_null() -> None:
    schema = live_segment_schema(
        {"type": "object", "properties": {"a": {}, "id": {"type": "string"}}}
    )
    assert columns_of(schema)[0] == Column("id", TEXT, nullable=False)


def test_properties_through_references_and_all_of_are_columns_and_those_of_alternatives_not() -> (
    None
):
    found = columns(
        {},
        allOf=[{"$ref": "#/definitions/base"}],
        anyOf=[{"properties": {"b": {"type": "string"}}}, {}],
        definitions={"base": {"properties": {"a": {"type": "boolean"}}, "required": ["a"]}},
    )
    assert found["a"] == Column("a", ColumnType.BOOLEAN, nullable=False)
    assert set(found) == {"id", "a"}


def test_a_property_that_can_not_be_is_no_column() -> None:
    assert set(columns({"a": False})) == {"id"}


def test_defaults() -> None:
    found = columns(
        {
            "a": {"type": "integer", "default": 3},
            "b": {"type": ["string", "null"], "default": None},
            "c": {"type": "object", "default": {"x": 1}},
        },
        required=["a"],
    )
    assert found["a"] == Column("a", ColumnType.BIGINT, nullable=False, default=Default(3))
    assert found["b"] == Column("b", TEXT, nullable=True, default=Default(None))
    assert found["c"] == Column("c", JSONB, nullable=True, default=Default({"x": 1}))


def versions(*documents: Any) -> list[JsonSchema]:
    """Versions, each compatible with all before it."""
    schemas = [live_segment_schema(document) for document in documents]
    for number in range(1, len(schemas)):
        assert breaks(schemas[number], schemas[:number]) == ()
    return schemas


def test_what_a_new_version_changes() -> None:
    text, count = {"type": "string"}, {"type": "integer", "default": 0}
    first = live({"a": text, "b": text, "c": text}, required=["a", "b"])
    second = live({"a": {"type": ["string", "null"]}, "c": {**text, "default": "x"},
                   "d": text, "n": count}, required=["a", "n"])  # fmt: skip
    schemas = versions(first, second)
    found = changes(table_of(schemas[:1]), table_of(schemas))
    assert set(found) == {
        DropNotNull("a"),
        DropNotNull("b"),
        SetDefault("c", Default("x")),
        AddColumn(Column("d", TEXT, nullable=True)),
        AddColumn(Column("n", ColumnType.BIGINT, nullable=False, default=Default(0))),
    }
    assert changes(table_of(schemas), table_of(schemas)) == ()


def test_a_removed_property_keeps_its_column_and_takes_it_up_again() -> None:
    text = {"type": "string"}
    schemas = versions(live({"a": text}), live(), live({"a": {**text, "default": "x"}}))
    second = table_of(schemas[:2])
    assert [column.name for column in second.columns] == ["id", "a"]
    assert second.current == {"id"}
    assert changes(second, table_of(schemas)) == (SetDefault("a", Default("x")),)


def test_a_column_that_was_nullable_stays_so() -> None:
    text = {"type": "string"}
    schemas = versions(live({"a": text}), live({"a": {**text, "default": ""}}, required=["a"]))
    assert table_of(schemas).columns[1] == Column("a", TEXT, nullable=True, default=Default(""))
