"""Which records are valid, and what is said of the others."""

from calendar import isleap
from datetime import date, timedelta
from typing import Any

import pytest

from grnry.schemas import ColumnType, RecordValidator, live_segment_schema
from grnry.schemas.drafts import DRAFTS
from grnry.schemas.formats import is_of
from tests.schemas.test_documents import live


def problem(record: Any, properties: Any = None, **more: Any) -> str | None:
    return RecordValidator(live_segment_schema(live(properties, **more))).problem(record)


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.name)
@pytest.mark.parametrize(
    ("schema", "fits", "fits_not"),
    [
        ({"type": "integer"}, [0, 2**63 - 1, -(2**63)], [2**63, -(2**63) - 1, 1.5, "1"]),
        ({"type": "number"}, [0, 1.5, 2**64], ["1", None]),
        (
            {"type": "string", "format": "date"},
            ["2024-02-29"],
            ["2023-02-29", "0000-01-01", "2024-2-1", "2024-W01-1", "20240229", "٢٠٢٤-٠٢-٢٩"],
        ),
        (
            {"type": "string", "format": "date-time"},
            ["2024-02-29T23:59:60Z", "2024-02-29t10:00:00.123456789+15:59", "2024-02-29 10:00:00z"],
            [
                "2024-02-29T10:00:00",
                "2024-02-29T24:00:00Z",
                "2016-12-31T23:59:60.5Z",
                "2024-02-29T10:00:00+16:00",
                "2024",
            ],
        ),
        (
            {"type": "string", "format": "uuid"},
            ["0B9F2A54-0000-4000-8000-00000000000a"],
            ["0b9f2a54000040008000000000000000", "{0b9f2a54-0000-4000-8000-000000000000}", ""],
        ),
        ({"type": ["string", "null"], "format": "date"}, [None, "2024-01-01"], ["x"]),
        ({"type": "string", "format": "email"}, ["no address"], [1]),
    ],
)
def test_what_a_column_holds(schema: Any, fits: Any, fits_not: Any, draft: Any) -> None:
    uri = {"$schema": draft.uri}
    for value in fits:
        assert problem({"id": 1, "a": value}, {"a": schema}, **uri) is None
    for value in fits_not:
        assert str(problem({"id": 1, "a": value}, {"a": schema}, **uri)).startswith("#/a: ")


def test_the_reason_for_a_format_is_in_words() -> None:
    reason = problem({"id": 1, "a": "x"}, {"a": {"type": "string", "format": "date"}})
    assert reason == '#/a: "x" is not a date, such as 2021-11-21'


def test_the_calendar_is_pythons() -> None:
    day = date(1, 1, 1)
    while day < date(2405, 1, 1):
        assert is_of(ColumnType.DATE, day.isoformat())
        day += timedelta(days=1 if day.month == 2 else 9)
    for year in (1, 100, 1900, 2000, 2023, 2024):
        assert is_of(ColumnType.DATE, f"{year:04}-02-29") is isleap(year)


def test_the_key_is_needed_though_the_schema_does_not_require_it() -> None:
    assert problem({}) == '#: "id" is a required property'
    assert problem({"id": None}) is not None
    assert problem([]) == problem(None) == "the record is not an object"


def test_what_may_be_valid_has_its_ranges_looked_at_by_others() -> None:
    properties = {"n": {"type": "integer"}, "day": {"type": "string", "format": "date"}}
    validator = RecordValidator(live_segment_schema(live(properties, additionalProperties=False)))
    beyond: list[Any] = [{"id": 2**63}, {"id": 1, "n": -(2**63) - 1}]
    wrong: list[Any] = [{"id": 1, "day": "2023-02-29"}, {"id": None}, {"id": 1, "n": True}, []]
    assert [validator.may_be_valid(record) for record in beyond + wrong] == [True] * 2 + [False] * 4
    assert not any(map(validator.is_valid, beyond + wrong))
    key_alone = RecordValidator(live_segment_schema(live({})))
    assert [key_alone.may_be_valid({"id": value}) for value in (1, "1")] == [True, False]


def test_what_is_not_in_the_schema_is_ignored_unless_it_is_closed() -> None:
    assert problem({"id": 1, "x": 1}) is None
    assert "'x'" in str(problem({"id": 1, "x": 1}, additionalProperties=False))


def test_a_default_stands_in_for_a_required_property() -> None:
    properties = {"a": {"type": "string", "default": ""}, "b": {"type": "string"}}
    assert problem({"id": 1, "b": ""}, properties, required=["a", "b"]) is None
    assert '"b" is a required property' in str(problem({"id": 1}, properties, required=["a", "b"]))


def test_a_default_does_not_weaken_what_must_not_match() -> None:
    own = {"required": ["b"], "properties": {"b": {"default": 1}}}
    assert problem({"id": 1, "a": {}}, {"a": {"not": own}}) is None
    assert problem({"id": 1, "a": {"b": 1}}, {"a": {"not": own}}) is not None
    chosen = {"oneOf": [own, {"properties": {"c": {}}, "required": ["c"]}]}
    assert problem({"id": 1, "a": {"c": 1}}, {"a": chosen}) is None


def test_a_recursive_schema_names_the_property_at_fault() -> None:
    tree = {"kids": {"type": "array", "items": {"$ref": "#"}}, "n": {"type": "integer"}}
    validator = RecordValidator(live_segment_schema(live(tree)))
    assert validator.problem({"id": 1, "kids": [{"id": 2, "kids": []}]}) is None
    wrong = {"id": 1, "n": 1, "kids": [{"id": 2, "kids": [{}]}]}
    assert validator.problem(wrong) == "#/kids: not valid under the schema"
    assert validator.problem({"id": 1, "n": 2**63}) == (
        "#/n: 9223372036854775808 is greater than the maximum of 9223372036854775807"
    )
    assert validator.problem({}) == '#: "id" is a required property'


def test_alternatives_that_call_themselves_twice_end_on_a_deep_record() -> None:
    either = [{"properties": {"c": {"$ref": "#/definitions/n"}}, "required": ["c"]}] * 2
    record: Any = {"c": 1}
    for _ in range(200):
        record = {"c": record}
    definitions = {"n": {"type": "object", "anyOf": either}}
    reason = problem(
        {"id": 1, "a": record}, {"a": {"$ref": "#/definitions/n"}}, definitions=definitions
    )
    assert reason == "#/a: not valid under the schema"


def test_an_evil_pattern_takes_linear_time() -> None:
    assert problem({"id": 1, "a": "a" * 100_000 + "b"}, {"a": {"pattern": "^(a+)+$"}}) is not None


def test_a_reason_is_short() -> None:
    reason = problem({"id": 1, "a": "x" * 10_000}, {"a": {"type": "integer"}})
    assert reason is not None
    assert len(reason) < 400
