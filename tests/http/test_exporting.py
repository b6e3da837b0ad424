"""What an export has, and that it makes the same thing again."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from grnry.http.bodies import RequestBody
from grnry.http.exporting import export_answer, exported


class Thing(RequestBody):
    display_name: str = Field(min_length=1)
    description: str = ""
    size: int = 3
    tags: list[str] = Field(default_factory=list)
    shape: str | None = None
    ttl: str = Field("P100Y", alias="eventstoreTTL")
    settings: dict[str, Any] = Field(default_factory=lambda: {"a": 1})


def answer(thing: Thing) -> dict[str, Any]:
    """As a GET would show it."""
    return {"_links": {}, "createdAt": "now", **thing.model_dump(by_alias=True)}


def test_defaults_and_generated_fields_are_left_out() -> None:
    assert exported(Thing, answer(Thing.model_validate({"displayName": "x"}))) == {
        "displayName": "x"
    }
    full = {
        "settings": {"a": 2}, "eventstoreTTL": "P1D", "size": 0, "displayName": "x",
        "tags": ["b", "a"],
    }  # fmt: skip
    found = exported(Thing, answer(Thing.model_validate(full)))
    assert found == full
    assert list(found) == ["displayName", "size", "tags", "eventstoreTTL", "settings"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    st.fixed_dictionaries(
        {"displayName": TEXTS.filter(bool)},
        optional={
            "description": TEXTS,
            "size": st.integers(-10, 10),
            "tags": st.lists(TEXTS),
            "shape": st.none() | TEXTS,
            "eventstoreTTL": st.sampled_from(["P100Y", "P1D", ""]),
        },
    )
)
def test_what_is_exported_makes_the_same_and_is_exported_the_same(given: dict[str, Any]) -> None:
    thing = Thing.model_validate(given)
    first = export_answer(Thing, answer(thing)).body
    again = Thing.model_validate(orjson.loads(first))
    assert export_answer(Thing, answer(again)).body == first
    # What is empty means the default, so the two may differ in nothing else.
    shape = {"shape": again.shape}
    assert again == thing.model_copy(update=shape)
    assert again.shape == (thing.shape or None)
