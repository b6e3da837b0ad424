"""Which changes break earlier versions, against Confluent's verdicts and in our own words."""

from typing import Any

import pytest

from grnry.schemas import breaks, live_segment_schema
from grnry.schemas.document import read_schema
from tests.schemas.confluent import ALIKE, ROWS, STRICTER, Row
from tests.schemas.test_documents import live

MODERN = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def found(old: Any, new: Any) -> dict[str, str]:
    answer = breaks(live_segment_schema(new), [live_segment_schema(old)])
    return {item.path: item.reason for item in answer}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.change)
def test_against_confluents_verdicts(row: Row) -> None:
    answer = breaks(read_schema(row.new), [read_schema(row.old)])
    compatible = row.confluent if row.ours == ALIKE else row.ours != STRICTER
    assert (not answer) is compatible, [item.sentence for item in answer]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.change)
def test_nothing_breaks_with_itself(row: Row) -> None:
    for document in (row.old, row.new):
        assert breaks(read_schema(document), [read_schema(document)]) == ()


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ({"a": {"type": "integer"}}, {"a": {"type": "number"}}, "#/properties/a"),
        ({"a": {"type": "string"}}, {"a": {"type": ["string", "integer"]}}, "#/properties/a"),
        ({"a": {"type": "string"}}, {"a": {"type": "string", "format": "date"}}, "#/properties/a"),
        (
            {"a": {"type": "string", "format": "uuid"}},
            {"a": {"type": "string"}},
            "#/properties/a",
        ),
        ({"a": {"type": "object"}}, {"a": {"type": ["object", "array"]}}, None),
        ({"a": {"type": "string"}}, {"a": {"type": ["string", "null"]}}, None),
        ({"a": {"type": "string"}}, {"a": {"type": "string", "format": "email"}}, None),
        ({"o": {"properties": {"a": {"type": "integer"}}}},
         {"o": {"properties": {"a": {"type": "number"}}}}, None),
    ],
)  # fmt: skip
def test_a_change_of_a_columns_type_is_a_break(old: Any, new: Any, path: str | None) -> None:
    answer = found(live(old), live(new))
    assert list(answer) == ([path] if path else [])
    if path:
        assert "changes the column's type from" in answer[path]


def test_a_column_that_takes_up_what_was_none() -> None:
    old = live(additionalProperties={"type": "string"})
    new = live({"a": {"type": "string", "format": "date"}}, additionalProperties={"type": "string"})
    reason = "is a column of type date now, and records could hold other strings"
    assert found(old, new) == {"#/properties/a": reason}
    assert found(live(), live({"a": {"type": "string", "format": "date"}})) == {}


def test_an_optional_property_is_new_in_open_objects_at_any_depth() -> None:
    nested = {"o": {"type": "object", "properties": {"a": {"type": "string"}}}}
    wider = {"o": {"type": "object", "properties": {"a": {}, "b": {"type": "string"}}}}
    assert found(live(nested), live({**wider, "n": {"type": "boolean"}})) == {}


def test_a_property_that_another_alternative_names_is_not_new() -> None:
    one = {"type": "object", "required": ["x"], "properties": {"x": {}, "y": {"type": "string"}}}
    old = {"anyOf": [one, {"type": "object", "required": ["z"]}]}
    new = {"anyOf": [one, {"type": "object", "required": ["z"], "properties": {"y": False}}]}
    assert list(found(live({"a": old}), live({"a": new}))) == [
        "#/properties/a/anyOf/1/properties/y"
    ]


def test_every_break_is_named_by_its_path() -> None:
    old = live(
        {
            "a": {"type": "string", "maxLength": 12},
            "b": {"type": "array", "items": {"type": "integer"}},
            "c": {"type": "object", "properties": {"d": {"enum": ["x", "y"]}}},
        }
    )
    new = live(
        {
            "a": {"type": "string", "maxLength": 10, "pattern": "^a"},
            "b": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            "c": {"type": "object", "properties": {"d": {"enum": ["x"]}}, "required": ["d"]},
        }
    )
    answer = found(old, new)
    assert answer.pop("#/properties/a/pattern").endswith("so it counts as a break")
    assert answer == {
        "#/properties/a/maxLength": "is 10, and it was 12",
        "#/properties/b/minItems": "is 1, and less was allowed, down to 0",
        "#/properties/b/items/minimum": "is 0, and there was none",
        "#/properties/c/required/d": (
            "is required now and was not; give it a default, or leave it optional"
        ),
        "#/properties/c/properties/d/enum": 'no longer accepts "y"',
    }


def test_all_earlier_versions_count() -> None:
    first, second = live({"a": {"type": "string"}}), live()
    third = live({"a": {"type": "integer"}})
    versions = [live_segment_schema(document) for document in (first, second)]
    [only] = breaks(live_segment_schema(third), versions[1:])[:1] or [None]
    assert only is None
    answer = breaks(live_segment_schema(third), versions)
    assert {(item.path, item.version) for item in answer} == {
        ("#/properties/a", 1),
        ("#/properties/a/type", 1),
    }


def test_across_drafts() -> None:
    old = live({"a": {"type": "number", "minimum": 1, "exclusiveMinimum": True},
                "b": {"items": [{"type": "string"}], "additionalItems": False}},
               **{"$schema": "http://json-schema.org/draft-04/schema#"})  # fmt: skip
    new = live({"a": {"type": "number", "exclusiveMinimum": 1},
                "b": {"prefixItems": [{"type": "string"}], "items": False}}, **MODERN)  # fmt: skip
    assert found(old, new) == {}
    assert list(found(new, old)) == ["#/$schema"]


def test_conditions_unevaluated_and_dependent() -> None:
    base = {"$defs": {"base": {"properties": {"k": {"enum": ["a", "b"]}}, "required": ["k"]}}}
    old = live(
        {"x": {"type": "integer", "minimum": 2}},
        allOf=[{"$ref": "#/$defs/base"}],
        unevaluatedProperties=False,
        **{"if": {"properties": {"k": {"const": "a"}}}, "then": {"required": ["x"]}},
        **MODERN, **base,
    )  # fmt: skip
    assert found(old, {**old, "unevaluatedProperties": True, "if": True, "then": True}) == {}
    wider = live({"x": {"type": "integer"}, "y": {}}, allOf=old["allOf"], **MODERN, **base)
    assert found(old, wider) == {}
    assert list(found(wider, old)) != []


def test_recursion() -> None:
    old = live({"kids": {"type": "array", "items": {"$ref": "#"}}})
    new = live({"kids": {"type": "array", "items": {"$ref": "#"}}, "n": {"type": "string"}})
    assert found(old, new) == {}
    bounded = live({"kids": {"type": "array", "items": {"$ref": "#"}, "maxItems": 4}})
    assert found(old, bounded) == {"#/properties/kids/maxItems": "is 4, and there was none"}


def test_alternatives_by_a_constant_may_grow() -> None:
    def kind(name: str, **more: Any) -> dict[str, Any]:
        own = {"kind": {"const": name}, **more}
        return {"type": "object", "properties": own, "required": ["kind"]}

    old = {"oneOf": [kind("a", n={"type": "integer"}), kind("b")]}
    new = {"oneOf": [kind("a", n={"type": "number"}), kind("b", t={"type": "string"}), kind("c")]}
    assert found(live({"x": old}), live({"x": new})) == {}
    assert list(found(live({"x": new}), live({"x": old}))) != []


def test_what_is_too_complex_is_a_break_that_says_so() -> None:
    links = {f"d{at}": {"properties": {"x": {"$ref": f"#/definitions/d{at + 1}"}}}
             for at in range(200)}  # fmt: skip
    old = live({"a": {"$ref": "#/definitions/d0"}}, definitions={**links, "d200": {"type": "null"}})
    new = live({"a": {"$ref": "#/definitions/d0"}}, definitions={**links, "d200": True})
    assert "too complex" in found(old, new)["#"]


def test_alternatives_without_end_are_given_up_in_time() -> None:
    many = [{"anyOf": [{"properties": {f"p{at}": {"minimum": least}}} for least in range(3)]}
            for at in range(12)]  # fmt: skip
    old, new = live(allOf=many), live({"id": {"type": "integer", "minimum": 3}}, allOf=many)
    assert list(found(old, new)) == ["#/properties/id/minimum"]


def test_the_columns_of_all_versions_are_counted() -> None:
    names: list[dict[str, Any]] = [{f"{x}{at}": {} for at in range(800)} for x in "ab"]
    assert "1,601 columns" in found(live(names[0]), live(names[1]))["#/properties"]
