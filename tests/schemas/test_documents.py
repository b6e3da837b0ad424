"""Which documents are schemas, and what is said of those that are not."""

import time
from contextlib import suppress
from typing import Any

import orjson
import pytest

from grnry.schemas import SchemaError, breaks, columns_of, given_schema, live_segment_schema
from grnry.schemas.bounds import MAX_BYTES, MAX_COLUMNS, MAX_DEPTH, MAX_NODES
from grnry.schemas.document import read_schema
from grnry.schemas.drafts import DRAFTS, MANY, NAMED, ONE

ID = {"id": {"type": "integer"}}


def live(properties: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**ID, **(properties or {})}, **more}


def problems(document: Any) -> dict[str, str]:
    with pytest.raises(SchemaError) as raised:
        live_segment_schema(document)
    return {problem.path: problem.reason for problem in raised.value.problems}


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
def test_each_draft_is_recognised(draft: Any) -> None:
    for uri in (draft.uri, draft.uri + "#", draft.uri.replace("https:", "http:")):
        assert live_segment_schema(live(**{"$schema": uri})).draft is draft


def test_without_a_draft_named_it_is_draft_7_as_in_confluents_serializers() -> None:
    assert live_segment_schema(live()).draft.name == "draft 7"


def test_an_unknown_draft_is_refused_with_those_that_are_known() -> None:
    reason = problems(live(**{"$schema": "https://json-schema.org/draft/next/schema"}))
    assert "https://json-schema.org/draft/2020-12/schema" in reason["#/$schema"]


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
def test_all_that_a_draft_refuses_is_named_with_its_place(draft: Any) -> None:
    wrong = {"a": {"minimum": "x"}, "b": {"maxLength": -1}, "c": {"type": "strin"}}
    found = problems(live(wrong, **{"$schema": draft.uri}))
    assert set(found) == {
        "#/properties/a/minimum",
        "#/properties/b/maxLength",
        "#/properties/c/type",
    }
    assert all(draft.name in reason for reason in found.values())


@pytest.mark.parametrize("text", ["", "{", "[]", "1", b"\xff{}", '{"a": NaN}'])
def test_what_is_no_json_object_is_refused(text: str | bytes) -> None:
    assert set(problems(text)) == {"#"}


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/schema.json",
        "https://json-schema.org/draft-07/schema#",
        "file:///etc/hostname",
        "other.json",
        "other.json#/definitions/a",
        "urn:uuid:0b9f2a54-0000-4000-8000-000000000000",
    ],
)
def test_no_reference_leaves_the_document(reference: str) -> None:
    found = problems(live({"a": {"$ref": reference}}))
    assert "another document" in found["#/properties/a/$ref"]


@pytest.mark.parametrize("reference", ["#/definitions/b", "#b", "#/title", "#/properties"])
def test_a_reference_that_leads_to_no_schema_is_refused(reference: str) -> None:
    document = live({"a": {"$ref": reference}}, definitions={"a": {}}, title="x")
    assert list(problems(document)) == ["#/properties/a/$ref"]


def test_references_by_anchor_by_the_documents_own_id_and_with_escapes() -> None:
    schema = live_segment_schema(
        live(
            {
                "a": {"$ref": "#named"},
                "b": {"$ref": "https://example.com/s.json#/$defs/x%25%20~1y"},
            },
            **{
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": "https://example.com/s.json",
                "$defs": {"x% /y": {"type": "string"}, "n": {"$anchor": "named"}},
            },
        )
    )
    assert set(schema.references.values()) == {("$defs", "n"), ("$defs", "x% /y")}


@pytest.mark.parametrize(
    "definitions",
    [
        {"a": {"$ref": "#/definitions/a"}},
        {"a": {"allOf": [{"$ref": "#/definitions/b"}]}, "b": {"not": {"$ref": "#/definitions/a"}}},
        {"a": {"dependencies": {"x": {"$ref": "#/definitions/a"}}}},
    ],
)
def test_a_reference_that_never_ends_is_refused(definitions: Any) -> None:
    found = problems(live({"a": {"$ref": "#/definitions/a"}}, definitions=definitions))
    assert "refers to itself" in next(iter(found.values()))


def test_a_recursive_schema_is_one_that_ends() -> None:
    assert live_segment_schema(live({"kids": {"items": {"$ref": "#"}}})).recursive
    assert not live_segment_schema(live({"kids": {"items": {}}})).recursive


def test_what_would_unfold_for_ever_is_refused_in_time() -> None:
    links = {f"d{at}": {"anyOf": [{"$ref": f"#/definitions/d{at + 1}"}] * 2} for at in range(25)}
    begin = time.monotonic()
    found = problems(live({"a": {"$ref": "#/definitions/d0"}}, definitions={**links, "d25": {}}))
    assert "expands into more than" in found["#"]
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(a{1000}){1000}", "(", "a" * 1001])
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties"])
def test_patterns_that_take_no_linear_time_are_refused(pattern: str, keyword: str) -> None:
    value = {pattern: {}} if keyword == "patternProperties" else pattern
    found = problems(live({"a": {keyword: value}}))
    assert all(path.startswith(f"#/properties/a/{keyword}") for path in found)


def test_bounds() -> None:
    deep: dict[str, Any] = {}
    for _ in range(MAX_DEPTH):
        deep = {"not": deep}
    assert "deeper" in problems(live(allOf=[deep]))["#"]
    assert "values" in problems(live(enum=list(range(MAX_NODES))))["#"]
    assert "bytes" in problems(live(title="x" * MAX_BYTES))["#"]
    assert "bytes" in problems(orjson.dumps(live(title="x" * MAX_BYTES)).decode())["#"]


def test_json_too_deep_for_any_reader_is_refused() -> None:
    assert set(problems('{"a":' * 100_000)) == {"#"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"properties": ID}, "#/type"),
        ({"type": ["object", "null"], "properties": ID}, "#/type"),
        ({"type": "object", "properties": ID, "default": {}}, "#/default"),
        ({"type": "object"}, "#/properties/id"),
        ({"type": "object", "properties": {"id": {"type": "number"}}}, "#/properties/id"),
        ({"type": "object", "properties": {"id": {"type": ["string", "null"]}}}, "#/properties/id"),
        ({"type": "object", "properties": {"id": {}}}, "#/properties/id"),
        (live({"é" * 32: {}}), "#/properties/" + "é" * 32),
        (live({"": {}}), "#/properties/"),
        (live({"ctid": {}}), "#/properties/ctid"),
        (live({"a\0": {}}), "#/properties/a\0"),
        (live({f"p{at}": {} for at in range(MAX_COLUMNS)}), "#/properties"),
        (live({"a": {"type": "integer", "default": "x"}}), "#/properties/a/default"),
        (live({"a": {"type": "integer", "default": 2**63}}), "#/properties/a/default"),
        (live({"a": {"type": "integer", "default": -1e20}}), "#/properties/a/default"),
        (live({"a": {"type": "string", "default": "a\0b"}}), "#/properties/a/default"),
        (live({"a": {"default": ["a\0b"]}}), "#/properties/a/default"),
        (
            live({"a": {"type": "string", "format": "date", "default": "2021-02-30"}}),
            "#/properties/a/default",
        ),
        (
            live({"a": {"$dynamicRef": "#x"}}, **{"$schema": DRAFTS[4].uri}),
            "#/properties/a/$dynamicRef",
        ),
        (live({"a": {"$id": "https://example.com/a"}}), "#/properties/a/$id"),
    ],
)
def test_what_is_no_schema_of_a_live_segment(document: Any, path: str) -> None:
    assert list(problems(document)) == [path]


def test_63_bytes_are_a_name() -> None:
    live_segment_schema(live({"é" * 31 + "x": {}}))


@pytest.mark.parametrize("key", ["integer", "string"])
def test_the_key_may_be_declared_by_reference(key: str) -> None:
    document = {"type": "object", "properties": {"id": {"$ref": "#/definitions/key"}}}
    live_segment_schema({**document, "definitions": {"key": {"type": key}}})


def test_the_three_forms_of_a_request() -> None:
    text = orjson.dumps(live()).decode()
    assert given_schema(text).schema == text
    assert given_schema(live()).schema == live()
    given = given_schema({"subject": "s", "schema": text})
    assert (given.subject, given.schema) == ("s", text)
    wrongs: list[Any] = [None, 1, [], {"schema": 1}, {"schema": text, "subject": 1}]
    for wrong in wrongs:
        with pytest.raises(SchemaError):
            given_schema(wrong)


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
@pytest.mark.parametrize("value", [None, 5, "x", [], [1], {}, {"a": 5}, True])
def test_any_value_of_any_keyword_is_valid_or_refused(value: Any, draft: Any) -> None:
    keywords = {*ONE, *MANY, *NAMED, "$ref", "type", "items", "required", "enum", "const"}
    keywords |= {"minimum", "exclusiveMinimum", "pattern", "$anchor", "$id", "id", "$recursiveRef"}
    for keyword in sorted(keywords):
        with suppress(SchemaError):
            schema = read_schema({keyword: value, "$schema": draft.uri})
            breaks(schema, [schema])
            columns_of(schema)


def test_later_definitions_in_an_earlier_draft_are_checked_too() -> None:
    found = problems(live(**{"$defs": {"a": {"not": {"required": 5}}}}))
    assert list(found) == ["#/$defs/a/not/required"]
