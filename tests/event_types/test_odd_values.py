"""Values at the edges are kept as they are, or refused in one answer; none spoils a list."""

import json
from typing import Any

import pytest

from tests.event_types.bodies import body
from tests.event_types.calling import Caller, draft

PROJECT = "/projects/global/event-types"
BEYOND = 12345678901234567890123


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def test_numbers_beyond_64_bits_come_back_as_they_were(caller: Caller) -> None:
    source = [{"n": BEYOND, "x": 1e22}]
    caller.post("/event-types/beyond", body("custom", "beyond", source=source))
    try:
        answer = caller.http.get(f"{PROJECT}/beyond/latest")
        assert str(BEYOND) in answer.text
        assert answer.json()["source"] == source
        exported = caller.get(f"{PROJECT}/beyond/latest?export=true")
        assert exported["source"] == source
        listed = caller.get(f"{PROJECT}?search=beyond")["eventTypes"]
        assert [each["source"] for each in listed] == [source]
        assert caller.http.put(f"{PROJECT}/beyond", content=answer.content).status_code == 304
        changed = caller.put(f"{PROJECT}/beyond", {"source": [{"n": BEYOND + 1}]})
        assert (changed["version"], changed["source"]) == (2, [{"n": BEYOND + 1}])
    finally:
        caller.delete("/event-types/beyond")


@pytest.mark.parametrize("field", ["source", "physicalLocations"])
def test_what_would_spoil_every_list_is_refused(caller: Caller, field: str) -> None:
    place = {"locationName": "x", "type": "stream"}
    deep, large = [{**place, "more": nested(300)}], [{**place, "more": "x" * 70_000}]
    for given, reason in (
        (deep, "must not nest deeper than 32 levels"),
        (large, "must have at most 65536 characters"),
    ):
        assert caller.reasons(body("custom", "spoils", **{field: given})) == {field: reason}
    caller.post(
        "/event-types/spoils", body("custom", "spoils", **{field: [{**place, **nested(30)}]})
    )
    caller.get(PROJECT)
    caller.delete("/event-types/spoils")


@pytest.mark.parametrize(
    ("levels", "inmost"), [(500, b"9" * 20), (1000, b'"\\u0000"'), (2000, b"1")]
)
def test_a_body_that_nests_too_deep_is_told_so(caller: Caller, levels: int, inmost: bytes) -> None:
    deep = b"[" * levels + inmost + b"]" * levels
    answer = caller.http.post(f"{PROJECT}:evaluate", content=b'{"payload": ' + deep + b"}")
    refused = caller.expect(answer, 400)
    assert refused["message"] == "Parameter 'body' must not nest deeper than 500 levels."


@pytest.mark.parametrize("levels", [100, 300, 499])
def test_expressions_are_tried_on_what_nests_deep(caller: Caller, levels: int) -> None:
    deep = b"[" * levels + b"]" * levels
    content = b'{"correlationIdExpression": "\'x\'", "payload": ' + deep + b"}"
    answer = caller.http.post(f"{PROJECT}:evaluate", content=content)
    assert caller.expect(answer, 200) == {"correlationId": "x"}


def test_a_schema_as_an_object_may_be_too_deep(caller: Caller) -> None:
    for levels in (70, 300, 450):
        schema = {"type": "object", "properties": {"id": {"type": "string"}}, "x": nested(levels)}
        reason = caller.reasons(body("live_segment", "deep", schema=schema))["schema"]
        assert "nested" in reason


def test_a_role_that_reads_it_has_a_name_of_some_length(caller: Caller) -> None:
    reasons = caller.reasons(draft("read", consumer="x" * 257))
    assert reasons == {"consumer": "must have at most 256 characters"}


@pytest.mark.parametrize(
    ("default", "stored"), [(5.0, 5), (-1e3, -1000), (2**63 - 1, 2**63 - 1), (-(2**63), -(2**63))]
)
def test_a_default_that_a_column_can_hold(caller: Caller, default: float, stored: int) -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"type": "integer", "default": default}},
    }
    caller.post("/event-types/defaults", body("live_segment", "defaults", schema=schema))
    with caller.granary.platform() as connection:
        row = connection.execute(
            "insert into global.grnry_live_sgmt_defaults (id) values ('a') returning n"
        ).fetchone()
    assert row == {"n": stored}
    caller.delete("/event-types/defaults?purge=true")


@pytest.mark.parametrize("default", [2**63, 1e19, "a\0b"])
def test_a_default_that_no_column_can_hold(caller: Caller, default: Any) -> None:
    kind = "string" if isinstance(default, str) else "integer"
    text = (
        '{"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "%s", '
        '"default": %s}}}'
    )
    value = '"a\\u0000b"' if kind == "string" else str(default)
    reasons = caller.reasons(body("live_segment", "none", schema=text % (kind, value)))
    assert reasons["schema"].startswith("#/properties/n/default is nothing that a column")


@pytest.mark.parametrize("own", [[], [{"locationName": "x", "type": "database"}]])
def test_a_profile_comes_back_as_it_was_answered(caller: Caller, own: list[Any]) -> None:
    caller.post("/event-types/profiled", body("profile", "profiled", physicalLocations=own))
    path = f"{PROJECT}/profiled"
    answered = caller.get(f"{path}/latest")
    assert len(answered["physicalLocations"]) == 2 + len(own)
    assert caller.http.put(path, json=answered).status_code == 304
    caller.delete(path)
    again = caller.post(PROJECT, answered)
    assert again["physicalLocations"] == answered["physicalLocations"]
    exported = caller.get(f"{path}/latest?export=true")
    assert exported.get("physicalLocations", []) == own
    caller.delete(path)


@pytest.mark.parametrize("version", [2, 10**9, 10**17])
def test_a_version_that_no_event_type_has(caller: Caller, version: int) -> None:
    name = caller.make()
    refused = caller.get(f"{PROJECT}/{name}/{version}", 404)
    assert refused["message"] == f"Event Type '{name}' with version '{version}' not found."
    caller.delete(f"/event-types/{name}")


def test_expressions_are_tried_on_the_numbers_that_the_collector_sees(caller: Caller) -> None:
    name = caller.make(timestampExpression="payload.at", deletionExpression="payload.gone")
    event = b'{"user": 12345678901234567890123, "id": 1e22, "at": 5, "gone": true}'
    assert caller.expect(caller.http.post(f"{PROJECT}/{name}/events", content=event), 202) == {
        "accepted": 1,
        "rejected": [],
    }
    tailed = caller.granary.do("topic", "tail", f"grnry_data_in_{name}", "--json")
    record = json.loads(tailed)
    tried = caller.expect(
        caller.http.post(
            f"{PROJECT}:evaluate",
            content=b'{"correlationIdExpression": "payload.user", "payload": ' + event + b"}",
        ),
        200,
    )
    assert tried == {"correlationId": str(BEYOND)}
    assert str(BEYOND) in json.dumps(record["headers"])
    caller.delete(f"/event-types/{name}?purge=true")
