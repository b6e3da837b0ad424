"""Event types over HTTP, on a whole running Granary."""

import threading
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from tests.conftest import wait_for
from tests.event_types.calling import Caller, draft


def topics(caller: Caller) -> set[str]:
    admin = AdminClient({"bootstrap.servers": caller.granary.said["kafka"], "log_level": 0})
    return set(admin.list_topics(timeout=10).topics)


def test_all_fields_of_what_is_made_by_name_alone(caller: Caller) -> None:
    made = caller.post(
        "/event-types/Every-Field",
        {
            "displayName": "Every field",
            "correlationIdExpression": "payload.user",
            "eventIdExpression": "payload.id",
        },
    )
    assert made.pop("createdAt") == made.pop("modifiedAt")
    assert made.pop("createdBy") == made.pop("modifiedBy")
    base = caller.granary.said["api"]
    path = f"{base}/projects/global/event-types/Every-Field"
    persister = f"{path}/eventstores/pg/persister"
    assert made == {
        "name": "Every-Field",
        "displayName": "Every field",
        "projectName": "global",
        "version": 1,
        "type": "data_in",
        "description": "",
        "consumer": None,
        "correlationIdExpression": "payload.user",
        "eventIdExpression": "payload.id",
        "timestampExpression": "#nowMillis()",
        "deletionExpression": "",
        "topicName": "grnry_data_in_Every-Field",
        "retentionMs": 345600000,
        "partitionCount": 32,
        "replication": 3,
        "eventstoreTTL": "P100Y",
        "schema": None,
        "source": [],
        "physicalLocations": [
            {
                "locationName": "global.eventstore_Every-Field",
                "source": "postgresql",
                "type": "database",
            },
            {"locationName": "grnry_data_in_Every-Field", "source": "kafka", "type": "stream"},
        ],
        "inputs": {"harvesters": [], "belts": []},
        "outputs": {
            "persisters": [
                {
                    "eventTypeName": "Every-Field",
                    "eventStoreType": "pg",
                    "projectName": "global",
                    "_links": {"self": {"href": persister}},
                }
            ],
            "belts": [],
        },
        "_links": {"self": {"href": f"{path}/1"}},
    }
    assert "grnry_data_in_Every-Field" in topics(caller)
    caller.delete("/event-types/Every-Field/")
    # Apache Kafka tells of a topic for a moment longer.
    wait_for(lambda: "grnry_data_in_Every-Field" not in topics(caller), what="it is gone")
    refused = caller.get("/projects/global/event-types/Every-Field", 404)
    assert refused["message"] == "Event Type 'Every-Field' not found."
    caller.delete("/event-types/Every-Field", 404)


def test_all_that_is_wrong_is_named_at_once(caller: Caller) -> None:
    wrong = {
        "correlationIdExpression": "payload.",
        "eventIdExpression": "T(java.lang.Runtime)",
        "eventstoreTTL": "a week",
        "replication": 0,
        "partitionCount": 1001,
        "retentionMs": -1,
        "schema": {"type": "object"},
        "source": ["x"],
    }
    reasons = caller.reasons(wrong, "/event-types/not_a_name")
    assert set(reasons) == {"displayName", "name", *wrong}
    assert reasons["displayName"] == "must not be empty"
    assert reasons["partitionCount"] == "must be in between 1 and 1000 but is '1001'"
    assert reasons["schema"] == "is not a field of type 'data_in'"
    assert reasons["eventstoreTTL"] == "must be an ISO 8601 duration but is 'a week'"


def test_an_empty_body_names_what_is_needed(caller: Caller) -> None:
    assert caller.reasons({}) == dict.fromkeys(
        ["displayName", "correlationIdExpression", "eventIdExpression"], "must not be empty"
    )


@pytest.mark.parametrize("kind", ["ttl", "ttn", "profile", "segment", "live_segment", "custom"])
def test_expressions_are_fields_of_one_kind(caller: Caller, kind: str) -> None:
    reason = f"is not a field of type '{kind}'"
    reasons = caller.reasons(draft("x", type=kind))
    assert reasons["correlationIdExpression"] == reasons["eventIdExpression"] == reason
    assert "must be one of" in caller.reasons(draft("x", type="other"))["type"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("displayName", None, "must not be empty"),
        ("displayName", 5, "must be a string but is '5'"),
        ("displayName", "x" * 257, "must have at most 256 characters"),
        ("displayName", "!!!", "must contain a letter, a digit or a hyphen"),
        ("partitionCount", "5", "must be a whole number but is '5'"),
        ("partitionCount", 1.5, "must be a whole number but is '1.5'"),
        ("eventstoreTTL", "P\u0663D", "must be an ISO 8601 duration but is 'P\u0663D'"),
    ],
)
def test_one_field_that_is_wrong(caller: Caller, field: str, value: Any, reason: str) -> None:
    assert caller.reasons({**draft("x"), field: value}) == {field: reason}


@pytest.mark.parametrize("name", ["a" * 21, "a_b", "a.b", "\u00e4", "a%20b"])
def test_a_name_in_the_path_that_is_none(caller: Caller, name: str) -> None:
    assert "name" in caller.reasons(draft("x"), f"/event-types/{name}")


def test_names_are_derived_and_cut_and_numbered(caller: Caller) -> None:
    first = caller.post("/event-types", draft("  Derived: from (this) long text "))
    assert first["name"] == "Derived-from-this-lo"
    second = caller.post("/event-types", draft("derived from this long other text"))
    assert second["name"][:16] == "derived-from-th-"
    assert second["name"][16:].isdigit()
    assert len(second["name"]) == 20
    for made in (first, second):
        caller.delete(f"/event-types/{made['name']}")


def test_what_is_taken_without_regard_to_case(caller: Caller) -> None:
    name = caller.make()
    refused = caller.post(f"/event-types/{name.upper()}", draft("another"), 409)
    assert refused["type"] == "entity_already_exists"
    assert refused["message"] == f"Event Type with name '{name.upper()}' already exists."
    refused = caller.post("/event-types", draft(name.upper()), 409)
    assert refused["message"] == f"Event Type with displayName '{name.upper()}' already exists."
    caller.get(f"/event-types/{name.upper()}", 404)


def test_of_two_at_once_one_is_made(caller: Caller) -> None:
    statuses: list[int] = []

    def make() -> None:
        answer = caller.http.post("/event-types/at-once", json=draft("at once"))
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]
    assert caller.get("/event-types/at-once/latest")["version"] == 1
    caller.delete("/event-types/at-once")


def test_versions(caller: Caller) -> None:
    name = caller.make(description="what it is")
    scoped = f"/projects/global/event-types/{name}"
    limited = {"_links", "name", "displayName", "projectName", "version", "type", "description"}
    assert set(caller.get(f"/event-types/{name}/1")) == limited
    assert [set(each) for each in caller.get(f"/event-types/{name}")["eventTypes"]] == [limited]
    assert caller.get(f"{scoped}/1") == caller.get(f"{scoped}/latest")
    (version,) = caller.get(scoped)["eventTypes"]
    assert version["correlationIdExpression"] == "payload.user"
    assert "inputs" not in version
    assert "inputs" in caller.get(f"{scoped}/1")
    refused = caller.get(f"{scoped}/4", 404)
    assert refused["message"] == f"Event Type '{name}' with version '4' not found."
    for version in ("-1", "0", "x", "1.0", "\u0663"):
        refused = caller.get(f"{scoped}/{version}", 400)
        assert refused["message"] == (
            f"Parameter 'version' must be a natural number or 'latest' but is '{version}'."
        )


def test_pages_and_search(caller: Caller) -> None:
    made = [caller.make() for _ in range(3)]
    for number, name in enumerate(made):
        caller.delete(f"/event-types/{name}")
        caller.post(f"/event-types/{name}", draft(f"Paged 100%_{number}"))
    path = "/projects/global/event-types?search=PAGED 100%25_&pagesize=2&expand=totalCount"
    first = caller.get(path)
    assert [each["name"] for each in first["eventTypes"]] == made[:2]
    assert first["totalCount"] == 3
    assert set(first["_links"]) == {"self", "next"}
    last = caller.expect(caller.http.get(first["_links"]["next"]["href"]), 200)
    assert [each["name"] for each in last["eventTypes"]] == made[2:]
    assert set(last["_links"]) == {"self", "prev"}
    assert caller.get("/event-types?search=paged%20_00")["eventTypes"] == []
    assert "totalCount" not in caller.get("/event-types?search=paged")
    for name in made:
        caller.delete(f"/event-types/{name}")


def test_a_page_that_is_none(caller: Caller) -> None:
    refused = caller.get("/event-types?pagesize=-1&offset=x", 400)
    assert [problem["name"] for problem in refused["invalidParams"]] == ["pagesize", "offset"]
    caller.get("/event-types?pagesize=251", 400)
    caller.get("/event-types?offset=1", 400)
    caller.get("/event-types?expand=belts", 400)


def test_who_may_do_what(caller: Caller) -> None:
    for path in ("/event-types", "/event-types/x", "/nowhere", "/event-types?pagesize=-1"):
        assert caller.anonymous.get(path).status_code == 401
    assert caller.anonymous.put("/event-types").status_code == 401
    for answer in (
        caller.http.get("/projects/nobody/event-types"),
        caller.http.get("/projects/nobody/event-types/x"),
        caller.http.post("/projects/nobody/event-types", json=draft("x")),
        caller.http.delete("/projects/nobody/event-types/x"),
        caller.http.get("/projects/nobody/event-types/x/eventstores/pg/persister/state"),
        caller.http.post("/projects/nobody/event-types/x/events", content=b"{}"),
    ):
        refused = caller.expect(answer, 403)
        assert refused["message"] == "Access forbidden due to missing roles."
    answer = caller.http.put("/event-types", json={})
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))
    assert caller.get("/projects/global/belts", 404)["type"] == "entity_not_found"


def test_unknown_fields_are_named(caller: Caller) -> None:
    body = draft("tolerant", author="x", reader="y", topicName="generated")
    answer = caller.http.post("/event-types/tolerant", json=body)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-fields"].split(",") == ["author", "reader"]
    caller.delete("/event-types/tolerant")


def test_what_was_answered_can_be_sent_again(caller: Caller) -> None:
    name = caller.make(description="as it was", retentionMs=60_000)
    path = f"/projects/global/event-types/{name}/latest"
    answered = caller.get(path)
    caller.delete(f"/event-types/{name}")
    answer = caller.http.post("/event-types", json=answered)
    assert (answer.status_code, answer.headers["x-ignored-fields"]) == (200, "replication")
    times = {"createdAt": None, "modifiedAt": None}
    assert {**caller.get(path), **times} == {**answered, **times}
    answered["physicalLocations"][0]["locationName"] = "elsewhere"
    assert set(caller.reasons(answered)) == {"physicalLocations"}


def project_sql(caller: Caller) -> "psycopg.Connection[Any]":
    """A connection as the role of the project."""
    import json

    data = caller.granary.data
    (file,) = data.rglob("grnry_project_global.json")
    found = json.loads(file.read_text())
    port = json.loads((data / "ports.json").read_text())["database"]
    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        dbname="grnry",
        user=found["username"],
        password=found["password"],
        autocommit=True,
    )


def test_an_event_type_whose_view_others_read_is_in_use(caller: Caller) -> None:
    name = caller.make()
    with project_sql(caller) as connection:
        connection.execute(
            f"create view global.mine as select * from global.eventstore_{name}".encode()
        )
        refused = caller.delete(f"/event-types/{name}", 412)
        assert refused["type"] == "entity_in_use"
        assert "global.mine" in refused["message"]
        assert caller.get(f"/projects/global/event-types/{name}/latest")["name"] == name
        assert f"grnry_data_in_{name}" in topics(caller)
        connection.execute("drop view global.mine")
    caller.delete(f"/event-types/{name}")


def test_a_table_of_the_project_in_the_place_of_the_view(caller: Caller) -> None:
    with project_sql(caller) as connection:
        connection.execute("create table global.eventstore_squatted (i int)")
        refused = caller.post("/event-types/squatted", draft("squatted"), 409)
        assert "global.eventstore_squatted" in refused["message"]
        assert "grnry_data_in_squatted" not in topics(caller)
        connection.execute("drop table global.eventstore_squatted")
    caller.post("/event-types/squatted", draft("squatted"))
    caller.delete("/event-types/squatted")


def test_where_the_log_is_away_nothing_remains_and_a_deletion_is_finished_later(
    caller: Caller,
) -> None:
    if "broker" not in caller.granary.processes():
        pytest.skip("the log is another's")
    name = caller.make()
    stop_broker(caller)
    try:
        for answer in (
            caller.http.post("/event-types/unlucky", json=draft("unlucky")),
            caller.http.delete(f"/event-types/{name}"),
        ):
            assert caller.expect(answer, 503)["type"] == "service_unavailable"
            assert answer.headers["retry-after"]
    finally:
        stop_broker(caller, go_on=True)
    wait_for(lambda: topics(caller), what="the log is back")
    with caller.granary.platform() as connection:
        found = connection.execute(
            "select name from grnry.event_types where name = 'unlucky'"
        ).fetchall()
    assert found == []
    caller.get(f"/event-types/{name}", 404)
    caller.post("/event-types/unlucky", draft("unlucky"))
    caller.post(f"/event-types/{name}", draft(name))
    for each in (name, "unlucky"):
        caller.delete(f"/event-types/{each}")
        assert f"grnry_data_in_{each}" not in topics(caller)


def stop_broker(caller: Caller, *, go_on: bool = False) -> None:
    import os
    import signal

    os.kill(caller.granary.pid("broker"), signal.SIGCONT if go_on else signal.SIGSTOP)
