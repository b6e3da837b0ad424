"""Changes of JSON Schemas, and whether Confluent's registry takes each of them as BACKWARD.

Its documentation and its published test cases say which; the rows here are written anew, so that
each stands for one rule of `SchemaDiff`.
"""

from typing import Any, NamedTuple

ALIKE, STRICTER, WIDER = "alike", "stricter", "wider"


class Row(NamedTuple):
    change: str
    old: Any
    new: Any
    confluent: bool
    """Whether Confluent's registry calls it compatible."""
    ours: str = ALIKE
    """Whether we say the same; `wider` takes what it refuses."""


def obj(properties: Any, **more: Any) -> dict[str, Any]:
    return {"properties": properties, **more}


STRING, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}
CLOSED = {"additionalProperties": False}
FOO = {"foo": STRING}


def pair(items: list[Any], rest: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "additionalItems": rest}


ROWS = [
    Row("anything to the empty schema", obj(FOO), {}, True),
    Row("another title", {"title": "a"}, {"title": "b"}, True),
    Row("another description", {"description": "a"}, {"description": "b"}, True),
    Row("another default", {"default": 1}, {"default": 2}, True),
    Row("object to array", {"type": "object"}, {"type": "array"}, False),
    Row("string to number", STRING, NUMBER, False),
    Row("integer to number", INTEGER, NUMBER, True),
    Row("number to integer", NUMBER, INTEGER, False),
    Row("a type to a list with it", {"type": ["object"]}, {"type": ["object", "array"]}, True),
    Row("a list to one of its types", {"type": ["object", "array"]}, {"type": "object"}, False),
    Row("minLength up", {**STRING, "minLength": 3}, {**STRING, "minLength": 4}, False),
    Row("minLength down", {**STRING, "minLength": 4}, {**STRING, "minLength": 3}, True),
    Row("minLength new", STRING, {**STRING, "minLength": 1}, False),
    Row("minLength gone", {**STRING, "minLength": 1}, STRING, True),
    Row("maxLength up", {**STRING, "maxLength": 3}, {**STRING, "maxLength": 4}, True),
    Row("maxLength down", {**STRING, "maxLength": 4}, {**STRING, "maxLength": 3}, False),
    Row("maxLength new", STRING, {**STRING, "maxLength": 9}, False),
    Row("pattern gone", {**STRING, "pattern": "a"}, STRING, True),
    Row("pattern new", STRING, {**STRING, "pattern": "a"}, False),
    Row("another pattern", {**STRING, "pattern": "a"}, {**STRING, "pattern": "b"}, False),
    Row("the same pattern", {**STRING, "pattern": "a"}, {**STRING, "pattern": "a"}, True),
    Row("maximum up", {**NUMBER, "maximum": 1}, {**NUMBER, "maximum": 2}, True),
    Row("maximum down", {**NUMBER, "maximum": 2}, {**NUMBER, "maximum": 1}, False),
    Row("maximum new", NUMBER, {**NUMBER, "maximum": 1}, False),
    Row("maximum gone", {**NUMBER, "maximum": 1}, NUMBER, True),
    Row("minimum up", {**NUMBER, "minimum": 1}, {**NUMBER, "minimum": 2}, False),
    Row("minimum down", {**NUMBER, "minimum": 2}, {**NUMBER, "minimum": 1}, True),
    Row(
        "exclusiveMaximum up",
        {**NUMBER, "exclusiveMaximum": 1},
        {**NUMBER, "exclusiveMaximum": 2},
        True,
    ),
    Row("exclusiveMinimum new", NUMBER, {**NUMBER, "exclusiveMinimum": 1}, False),
    Row("multipleOf gone", {**NUMBER, "multipleOf": 10}, NUMBER, True),
    Row("multipleOf to a divisor", {**NUMBER, "multipleOf": 10}, {**NUMBER, "multipleOf": 2}, True),
    Row("multipleOf to multiple", {**NUMBER, "multipleOf": 2}, {**NUMBER, "multipleOf": 4}, False),
    Row("another multipleOf", {**NUMBER, "multipleOf": 10}, {**NUMBER, "multipleOf": 11}, False),
    Row("enum gone", {**STRING, "enum": ["red"]}, STRING, True),
    Row("enum new", STRING, {**STRING, "enum": ["red"]}, False),
    Row("enum longer", {"enum": ["red"]}, {"enum": ["red", "blue"]}, True),
    Row("enum shorter", {"enum": ["red", "blue"]}, {"enum": ["red"]}, False),
    Row("another const", {"const": "red"}, {"const": "blue"}, False),
    Row("not: refuses less", {"not": NUMBER}, {"not": INTEGER}, True),
    Row("not: refuses more", {"not": INTEGER}, {"not": NUMBER}, False),
    # Properties, by content model.
    Row("open: a property goes", obj({**FOO, "bar": STRING}), obj(FOO), True),
    Row("open: one that allows anything", obj(FOO), obj({**FOO, "bar": True}), True),
    Row("open: an optional property", obj(FOO), obj({**FOO, "bar": NUMBER}), False, WIDER),
    Row(
        "open: a required property",
        obj(FOO),
        obj({**FOO, "bar": NUMBER}, required=["bar"]),
        False,
    ),
    Row("open: another type", obj(FOO), obj({"foo": NUMBER}), False),
    Row("closed: an optional one", obj(FOO, **CLOSED), obj({**FOO, "b": NUMBER}, **CLOSED), True),
    Row(
        "closed: a required property",
        obj(FOO, **CLOSED),
        obj({**FOO, "b": NUMBER}, required=["b"], **CLOSED),
        False,
    ),
    Row(
        "closed: a required property with a default",
        obj(FOO, **CLOSED),
        obj({**FOO, "b": {**NUMBER, "default": 1}}, required=["b"], **CLOSED),
        True,
    ),
    Row("closed: a property goes", obj({**FOO, "b": NUMBER}, **CLOSED), obj(FOO, **CLOSED), False),
    Row("closed: false goes", obj({"b": False}, **CLOSED), obj({}, **CLOSED), True),
    Row("closed: false comes", obj({}, **CLOSED), obj({"b": False}, **CLOSED), True),
    Row(
        "partly open: a property that fits",
        obj(FOO, additionalProperties=STRING),
        obj({**FOO, "bar": STRING}, additionalProperties=STRING),
        True,
    ),
    Row(
        "partly open: a property that does not fit",
        obj(FOO, additionalProperties=STRING),
        obj({**FOO, "bar": NUMBER}, additionalProperties=STRING),
        False,
    ),
    Row(
        "partly open: a required property that fits",
        obj(FOO, additionalProperties=STRING),
        obj({**FOO, "bar": STRING}, required=["bar"], additionalProperties=STRING),
        False,
    ),
    Row(
        "partly open by pattern: a wider property",
        obj(FOO, patternProperties={"^I_": INTEGER}, **CLOSED),
        obj({**FOO, "I_1": NUMBER}, patternProperties={"^I_": INTEGER}, **CLOSED),
        True,
    ),
    Row(
        "to partly open by pattern: a property that fits goes",
        obj({**FOO, "I_1": INTEGER}, **CLOSED),
        obj(FOO, patternProperties={"^I_": NUMBER}, **CLOSED),
        True,
    ),
    Row(
        "to partly open: a property that fits goes",
        obj({**FOO, "bar": STRING}, **CLOSED),
        obj(FOO, additionalProperties=STRING),
        True,
    ),
    Row(
        "to partly open: a property that does not fit goes",
        obj({**FOO, "bar": NUMBER}, **CLOSED),
        obj(FOO, additionalProperties=STRING),
        False,
    ),
    Row("closed to open", obj({}, **CLOSED), obj({}), True),
    Row("open to closed", obj({}), obj({}, **CLOSED), False),
    Row("open to partly open", obj({}), obj({}, additionalProperties=NUMBER), False),
    Row("partly open to open", obj({}, additionalProperties=NUMBER), obj({}), True),
    Row(
        "another partly open",
        obj({}, additionalProperties=STRING),
        obj({}, additionalProperties=NUMBER),
        False,
    ),
    Row("required goes", obj(FOO, required=["foo"]), obj(FOO), True),
    Row("required comes", obj(FOO), obj(FOO, required=["foo"]), False),
    Row(
        "required comes with a default",
        obj(FOO),
        obj({"foo": {**STRING, "default": ""}}, required=["foo"]),
        True,
    ),
    Row("required of no property", obj(FOO), obj(FOO, required=["bar"]), True, STRICTER),
    Row(
        "the default of a required property goes",
        obj({"foo": {**STRING, "default": ""}}, required=["foo"]),
        obj(FOO, required=["foo"]),
        True,
        STRICTER,
    ),
    Row("maxProperties up", {"maxProperties": 1}, {"maxProperties": 2}, True),
    Row("maxProperties down", {"maxProperties": 2}, {"maxProperties": 1}, False),
    Row("maxProperties gone", {"maxProperties": 1}, {}, True),
    Row("minProperties up", {"minProperties": 1}, {"minProperties": 2}, False),
    Row("minProperties down", {"minProperties": 2}, {"minProperties": 1}, True),
    Row(
        "another dependency",
        obj(FOO, dependencies={"foo": ["bar"]}),
        obj(FOO, dependencies={"bar": ["foo"]}),
        False,
    ),
    Row("a dependency goes", {"dependencies": {"a": ["b"]}}, {}, True),
    Row("a dependency comes", obj({"a": {}, "b": {}}), {"dependencies": {"a": ["b"]}}, False),
    Row(
        "a dependency asks for more",
        obj({"a": {}, "b": {}, "c": {}}, dependencies={"a": ["b"]}),
        {"dependencies": {"a": ["b", "c"]}},
        False,
    ),
    Row("a dependent schema goes", {"dependencies": {"a": STRING}}, {"dependencies": {}}, True),
    Row(
        "another dependent schema",
        {"dependencies": {"a": obj({"b": STRING})}},
        {"dependencies": {"a": obj({"b": NUMBER})}},
        False,
    ),
    # Arrays.
    Row("items come", {"type": "array"}, {"type": "array", "items": STRING}, False),
    Row("items go", {"type": "array", "items": STRING}, {"type": "array"}, True),
    Row("other items", {"items": STRING}, {"items": NUMBER}, False),
    Row("a tuple goes", pair([STRING, NUMBER], True), {"type": "array"}, True),
    Row("open tuple: longer", pair([STRING], True), pair([STRING, NUMBER], True), False),
    Row("open tuple: anything longer", pair([STRING], True), pair([STRING, True], True), True),
    Row("open tuple: shorter", pair([STRING, NUMBER], True), pair([STRING], True), True),
    Row("closed tuple: longer", pair([STRING], False), pair([STRING, NUMBER], False), True),
    Row("closed tuple: shorter", pair([STRING, NUMBER], False), pair([STRING], False), False),
    Row("closed tuple: false added", pair([STRING], False), pair([STRING, False], False), True),
    Row("closed tuple: short, open", pair([STRING, NUMBER], False), pair([STRING], True), True),
    Row("partly open tuple: fits", pair([STRING], STRING), pair([STRING, STRING], STRING), True),
    Row("partly open tuple: not", pair([STRING], STRING), pair([STRING, NUMBER], STRING), False),
    Row("partly open: shorter, fits", pair([NUMBER, STRING], STRING), pair([NUMBER], STRING), True),
    Row("partly open: shorter, not", pair([STRING, NUMBER], STRING), pair([STRING], STRING), False),
    Row("an item's type", pair([STRING], True), pair([NUMBER], True), False),
    Row("additionalItems go", pair([STRING], True), pair([STRING], False), False),
    Row("maxItems down", {"maxItems": 2}, {"maxItems": 1}, False),
    Row("maxItems up", {"maxItems": 1}, {"maxItems": 2}, True),
    Row("minItems up", {"minItems": 1}, {"minItems": 2}, False),
    Row("minItems gone", {"minItems": 1}, {}, True),
    Row("uniqueItems comes", {"type": "array"}, {"type": "array", "uniqueItems": True}, False),
    Row("uniqueItems goes", {"type": "array", "uniqueItems": True}, {"type": "array"}, True),
    # References and combinations.
    Row("to a reference", {"allOf": [STRING]}, {"allOf": [{"$ref": "#/definitions/s"}],
        "definitions": {"s": STRING}}, True),
    Row("from reference", {"$ref": "#/definitions/s", "definitions": {"s": STRING}}, STRING, True),
    Row("another type behind a reference",
        {"items": {"$ref": "#/definitions/s"}, "definitions": {"s": STRING}},
        {"items": {"$ref": "#/definitions/s"}, "definitions": {"s": NUMBER}}, False),
    Row("allOf in another order", {"allOf": [STRING, {"maxLength": 5}]},
        {"allOf": [{"maxLength": 5}, STRING]}, True),
    Row("allOf shorter", {"allOf": [STRING, {"maxLength": 5}]}, {"allOf": [STRING]}, True),
    Row("allOf longer", {"allOf": [STRING]}, {"allOf": [STRING, {"maxLength": 5}]}, False),
    Row("allOf longer by a copy", {"allOf": [STRING]}, {"allOf": [STRING, STRING]}, True),
    Row("oneOf: another", {"oneOf": [STRING]}, {"oneOf": [NUMBER]}, False),
    Row("oneOf longer", {"oneOf": [STRING]}, {"oneOf": [NUMBER, STRING]}, True),
    Row("oneOf shorter", {"oneOf": [NUMBER, STRING]}, {"oneOf": [STRING]}, False),
    Row("oneOf longer and wider", {"oneOf": [{**STRING, "maxLength": 5}]},
        {"oneOf": [NUMBER, {**STRING, "maxLength": 8}]}, True),
    Row("oneOf with objects that overlap", {"oneOf": [obj({"a": STRING}, type="object")]},
        {"oneOf": [obj({"a": STRING}, type="object"), obj({"b": STRING}, type="object")]},
        True, STRICTER),
    Row("anyOf longer", {"anyOf": [STRING]}, {"anyOf": [STRING, NUMBER]}, True),
    Row("anyOf shorter", {"anyOf": [STRING, NUMBER]}, {"anyOf": [STRING]}, False),
    Row("oneOf to anyOf", {"oneOf": [STRING, NUMBER]}, {"anyOf": [STRING, NUMBER]}, True),
    Row("anyOf to oneOf, apart", {"anyOf": [STRING, NUMBER]}, {"oneOf": [STRING, NUMBER]},
        False, WIDER),
    Row("anyOf of one to oneOf", {"anyOf": [STRING]}, {"oneOf": [NUMBER, STRING]}, True),
    Row("allOf of one to oneOf", {"allOf": [STRING]}, {"oneOf": [NUMBER, STRING]}, True),
    Row("oneOf of one to allOf", {"oneOf": [STRING]}, {"allOf": [STRING]}, True),
    Row("anyOf of one to allOf of two", {"anyOf": [STRING]}, {"allOf": [STRING, NUMBER]}, False),
    Row("a type to anyOf with it", STRING, {"anyOf": [NUMBER, STRING]}, True),
    Row("a type to oneOf with it", STRING, {"oneOf": [NUMBER, STRING]}, True),
    Row("a type to allOf with more", STRING, {"allOf": [NUMBER, STRING]}, False),
    Row("null to a nullable", {"type": "null"}, {"oneOf": [NUMBER, {"type": "null"}]}, True),
    Row("a nullable to one that is not", {"oneOf": [NUMBER, {"type": "null"}]}, NUMBER, False),
]  # fmt: skip
