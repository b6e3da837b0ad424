from dataclasses import replace
from typing import Any

import pytest

from grnry.event_types.fields import FIELDS, changed_draft, defaults_of, makes_version, new_draft
from grnry.event_types.kinds import KINDS
from grnry.event_types.model import Draft

DATA_IN: dict[str, Any] = {
    "displayName": "Calls",
    "correlationIdExpression": "payload.user",
    "eventIdExpression": "payload.id",
}
CALLS = new_draft(DATA_IN, {})[0]
SCHEMA = '{"type": "object", "properties": {"id": {"type": "integer"}}}'
PLACES = [{"locationName": "global.eventstore_calls", "source": "postgresql", "type": "database"}]


def made(given: dict[str, Any]) -> tuple[Draft, dict[str, str]]:
    draft, problems = new_draft(given, {"physicalLocations": PLACES})
    return draft, {each.name: each.reason for each in problems}


def changed(given: dict[str, Any], stored: Draft = CALLS) -> tuple[Draft, dict[str, str]]:
    draft, problems = changed_draft(given, stored, {"physicalLocations": PLACES})
    return draft, {each.name: each.reason for each in problems}


def test_a_kind_has_its_own_fields_and_defaults() -> None:
    draft, problems = made(DATA_IN)
    assert problems == {}
    assert draft == Draft(
        "Calls",
        correlation_id_expression="payload.user",
        event_id_expression="payload.id",
        timestamp_expression="#nowMillis()",
        deletion_expression="",
    )
    assert made({"displayName": "x", "type": "ttl"}) == (Draft("x", type="ttl"), {})
    custom, _ = made({"displayName": "x", "type": "custom"})
    assert (custom.source, custom.physical_locations, custom.schema) == ((), (), None)


@pytest.mark.parametrize("kind", KINDS)
def test_fields_of_other_kinds_are_named(kind: str) -> None:
    everything = {
        **DATA_IN,
        "timestampExpression": "1",
        "deletionExpression": "true",
        "schema": SCHEMA,
        "source": [{}],
        "physicalLocations": [{}],
        "type": kind,
    }
    own = {field.name for field in FIELDS if field.is_own}
    assert set(made(everything)[1]) == own - KINDS[kind].own_fields


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_a_field_of_another_kind_may_say_nothing(nothing: object) -> None:
    assert made({**DATA_IN, "schema": nothing, "source": nothing})[1] == {}
    assert changed({"schema": nothing, "physicalLocations": nothing}) == (CALLS, {})


def test_what_a_get_answers_of_generated_places_may_be_sent_back() -> None:
    assert made({**DATA_IN, "physicalLocations": PLACES})[1] == {}
    assert changed({"physicalLocations": PLACES}) == (CALLS, {})
    assert changed({"physicalLocations": [{}]})[1] == {
        "physicalLocations": "is not a field of type 'data_in'"
    }


def test_an_unknown_kind_is_named_beside_what_else_is_wrong() -> None:
    _, problems = made({"displayName": "x", "type": "stream", "schema": SCHEMA})
    assert problems == {
        "type": "must be one of data_in, ttl, ttn, profile, segment, live_segment, custom"
        " but is 'stream'"
    }


def test_a_change_takes_what_is_given_and_keeps_the_rest() -> None:
    draft, problems = changed({"eventIdExpression": "payload.x", "description": "new"})
    assert problems == {}
    assert draft == replace(CALLS, event_id_expression="payload.x", description="new")


def test_null_says_nothing_but_takes_a_consumer_away() -> None:
    stored = replace(CALLS, consumer="analyst")
    assert changed({"eventIdExpression": None, "eventstoreTTL": None}, stored)[0] == stored
    assert changed({"consumer": None}, stored)[0] == CALLS


def test_an_empty_text_is_the_default_or_what_is_wrong() -> None:
    stored = replace(CALLS, eventstore_ttl="P1D", timestamp_expression="1")
    draft, _ = changed({"eventstoreTTL": "", "timestampExpression": ""}, stored)
    assert draft == CALLS
    draft, _ = changed({"displayName": "", "eventIdExpression": ""})
    assert {each.name for each in draft.problems()} == {"displayName", "eventIdExpression"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("type", "ttl", "must be empty or 'data_in' but is 'ttl'"),
        ("partitionCount", 5, "must be empty or '32' but is '5'"),
        ("replication", 1, "must be empty or '3' but is '1'"),
        ("retentionMs", 1, "must be empty or '345600000' but is '1'"),
    ],
)
def test_what_cannot_change_may_be_repeated_only(name: str, value: object, reason: str) -> None:
    assert changed({name: value}) == (CALLS, {name: reason})
    stored = {field.name: getattr(CALLS, field.attribute) for field in FIELDS}[name]
    for same in ("", None, stored):
        assert changed({name: same}) == (CALLS, {})


@pytest.mark.parametrize("field", [field for field in FIELDS if not field.is_fixed])
def test_only_names_and_descriptions_keep_the_version(field: Any) -> None:
    other: dict[str, Any] = {field.attribute: "another"}
    after = replace(CALLS, **other)
    assert makes_version(CALLS, after) is (field.name not in ("displayName", "description"))
    assert not makes_version(CALLS, CALLS)


@pytest.mark.parametrize(
    "form",
    [
        SCHEMA,
        {"schema": SCHEMA},
        {"subject": "s", "schema": SCHEMA},
        {"type": "object", "properties": {"id": {"type": "integer"}}},
    ],
)
def test_a_schema_comes_in_three_forms_and_is_answered_in_one(form: Any) -> None:
    draft, problems = made({"displayName": "x", "type": "live_segment", "schema": form})
    assert problems == {}
    assert draft.schema is not None
    answer = draft.schema.answer()
    assert set(answer) - {"subject"} == {"schema"}
    assert answer.get("subject") == (form.get("subject") if isinstance(form, dict) else None)
    again, _ = made({"displayName": "x", "type": "live_segment", "schema": answer})
    assert again.schema == draft.schema


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (None, "must not be empty"),
        ("{", "# is not JSON"),
        ("[]", "# must be a JSON object"),
        (5, "#: must be a JSON Schema"),
        ([], "#: must be a JSON Schema"),
        ({"schema": 5}, "#/schema: must be a JSON Schema"),
        ({"schema": SCHEMA, "subject": 5}, "#/subject: must be a string"),
        ({"type": "object"}, "#/properties/id is missing"),
    ],
)
def test_a_schema_of_another_form(form: object, reason: str) -> None:
    draft, _ = made({"displayName": "x", "type": "live_segment", "schema": form})
    wrong = {each.name: each.reason for each in draft.problems()}
    assert wrong["schema"].startswith(reason)


def test_schemas_that_say_the_same_are_no_change() -> None:
    stored, _ = made({"displayName": "x", "type": "live_segment", "schema": SCHEMA})
    spaced = SCHEMA.replace(" ", "  ")
    assert changed({"schema": spaced}, stored)[0] == stored
    assert changed({"schema": SCHEMA.replace("integer", "string")}, stored)[0] != stored


def test_defaults_of_a_kind() -> None:
    assert defaults_of(KINDS["data_in"])["timestampExpression"] == "#nowMillis()"
    assert "timestampExpression" not in defaults_of(KINDS["ttl"])
