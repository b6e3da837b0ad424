"""Changes of event types and their versions, on a whole running Granary."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.event_types.bodies import SCHEMA, body
from tests.event_types.calling import Caller, draft

PROJECT = "/projects/global/event-types"


def changed(caller: Caller, name: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = caller.put(f"/event-types/{name}", fields)
    return found


def test_what_makes_a_version_and_what_does_not(caller: Caller) -> None:
    name = caller.make(description="first")
    assert changed(caller, name, description="second")["version"] == 1
    assert changed(caller, name, displayName=f"{name} anew")["version"] == 1
    newer = changed(caller, name, eventstoreTTL="P1D", deletionExpression="payload.gone")
    assert (newer["version"], newer["eventstoreTTL"]) == (2, "P1D")
    assert newer["description"] == "second"
    assert newer["_links"]["self"]["href"].endswith(f"/{name}/2")
    assert newer["modifiedAt"] > newer["createdAt"]
    versions = caller.get(f"{PROJECT}/{name}")["eventTypes"]
    assert [each["version"] for each in versions] == [1, 2]
    assert [each["eventstoreTTL"] for each in versions] == ["P100Y", "P1D"]
    # What all versions share is told of each.
    assert {each["displayName"] for each in versions} == {f"{name} anew"}
    assert versions[0]["modifiedAt"] < versions[1]["modifiedAt"]


def test_what_is_the_same_changes_nothing(caller: Caller) -> None:
    name = caller.make(description="as it is", consumer="readers")
    path = f"{PROJECT}/{name}"
    answered = caller.http.get(f"{path}/latest")
    for same in ({}, answered.json(), {"description": "as it is"}, {"description": None}):
        answer = caller.http.put(path, json=same)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == answered.headers["etag"]
    assert caller.get(f"{path}/latest")["modifiedAt"] == answered.json()["modifiedAt"]


def test_what_is_empty_is_the_default_and_null_says_nothing(caller: Caller) -> None:
    name = caller.make(
        description="some", consumer="readers", eventstoreTTL="P1D", deletionExpression="payload.x"
    )
    kept = {"description": None, "eventstoreTTL": None, "deletionExpression": None}
    assert caller.http.put(f"/event-types/{name}", json=kept).status_code == 304
    found = changed(caller, name, description="", consumer="", eventstoreTTL="",
                    deletionExpression="", type="", partitionCount="")  # fmt: skip
    assert [found[field] for field in ("description", "consumer", "eventstoreTTL")] == [
        "",
        None,
        "P100Y",
    ]
    assert found["deletionExpression"] == ""
    refused = caller.put(f"/event-types/{name}", {"displayName": ""}, 400)
    assert refused["message"] == "Parameter 'displayName' must not be empty."


def test_what_stays_as_it_was_made(caller: Caller) -> None:
    name = caller.make()
    path = f"/event-types/{name}"
    others = {"type": "ttl", "partitionCount": 3, "replication": 1, "retentionMs": 1}
    refused = caller.put(path, {**others, "schema": {}, "displayName": ""}, 400)
    assert {each["name"]: each["reason"] for each in refused["invalidParams"]} == {
        "type": "must be empty or 'data_in' but is 'ttl'",
        "partitionCount": "must be empty or '2' but is '3'",
        "replication": "must be empty or '3' but is '1'",
        "retentionMs": "must be empty or '345600000' but is '1'",
        "displayName": "must not be empty",
    }
    assert caller.get(f"{PROJECT}/{name}/latest")["version"] == 1
    caller.put("/event-types/not-there", {"description": "x"}, 404)
    bad = caller.put(path, {"correlationIdExpression": "payload.("}, 400)
    assert "is not a valid expression" in bad["invalidParams"][0]["reason"]


def test_a_taken_display_name_and_a_stale_tag(caller: Caller) -> None:
    one, other = caller.make(), caller.make()
    taken = caller.put(f"/event-types/{one}", {"displayName": other.upper()}, 409)
    assert taken["message"] == f"Event Type with displayName '{other.upper()}' already exists."
    tag = caller.http.get(f"/event-types/{one}").headers["etag"]
    caller.put(f"/event-types/{one}", {"description": "a"}, tag=tag)
    refused = caller.put(f"/event-types/{one}", {"description": "b"}, 412, tag=tag)
    assert refused["type"] == "precondition_failed"


@pytest.mark.parametrize("with_tags", [False, True])
def test_fifty_changes_at_once_give_no_number_twice(caller: Caller, with_tags: bool) -> None:
    name = caller.make()
    tag = caller.http.get(f"/event-types/{name}").headers["etag"] if with_tags else ""

    def change(number: int) -> tuple[int, int]:
        headers = {"If-Match": tag} if tag else {}
        answer = caller.http.put(
            f"/event-types/{name}", json={"eventstoreTTL": f"P{number + 1}D"}, headers=headers
        )
        return answer.status_code, answer.json().get("version", 0)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(change, range(50)))
    versions = [version for status, version in answers if status == 200]
    assert sorted(versions) == list(range(2, len(versions) + 2))
    assert Counter(status for status, _ in answers) == (
        {200: 1, 412: 49} if with_tags else {200: 50}
    )
    stored = [each["version"] for each in caller.get(f"{PROJECT}/{name}")["eventTypes"]]
    assert stored == list(range(1, len(versions) + 2))


def test_two_of_one_name_at_once_are_one(caller: Caller) -> None:
    for number in range(5):
        name = f"racing-{number}"

        def make(display_name: str, name: str = name) -> int:
            answer = caller.http.post(f"/event-types/{name}", json=draft(display_name))
            return answer.status_code

        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(make, (f"{name} a", f"{name} b")))
        assert statuses == [200, 409]
        caller.delete(f"/event-types/{name}")


def test_a_schema_grows_and_its_table_with_it(caller: Caller) -> None:
    caller.post("/event-types/grows", body("live_segment", "grows"))
    wider = {**SCHEMA, "properties": {**SCHEMA["properties"], "city": {"type": "string"}}}  # type: ignore[dict-item]
    assert changed(caller, "grows", schema=wider)["version"] == 2
    broken = {**wider, "properties": {**wider["properties"], "age": {"type": "string"}}}  # type: ignore[dict-item]
    refused = caller.put("/event-types/grows", {"schema": broken}, 400)
    assert {problem["name"] for problem in refused["invalidParams"]} == {"schema"}
    assert all("#/properties/age" in problem["reason"] for problem in refused["invalidParams"])
    with caller.granary.platform() as connection:
        rows = connection.execute(
            "select attname from pg_attribute where attnum > 0"
            " and attrelid = 'global.grnry_live_sgmt_grows'::regclass order by attnum"
        ).fetchall()
    assert [row["attname"] for row in rows] == ["id", "age", "city"]
    caller.delete("/event-types/grows?purge=true")
