"""What each kind of event type makes and takes away, on a whole running Granary."""

import json
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from tests.conftest import wait_for
from tests.event_types.bodies import SCHEMA, body
from tests.event_types.calling import Caller

SHARED = {"profile-update"}
MADE: dict[str, tuple[str, str, str]] = {
    # kind: topic, relation, persister
    "data_in": ("grnry_data_in_{}", "eventstore_{}", "pg"),
    "live_segment": ("grnry_live_segment_{}", "grnry_live_sgmt_{}", "live-segment"),
    "profile": ("", "profilestore_{}", ""),
    "segment": ("", "", ""),
    "ttl": ("grnry_ttl_{}", "", ""),
    "ttn": ("grnry_ttn_{}", "", ""),
    "custom": ("", "", ""),
}


def topics(caller: Caller) -> set[str]:
    admin = AdminClient({"bootstrap.servers": caller.granary.said["kafka"], "log_level": 0})
    return {name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")}


def relations(caller: Caller) -> set[str]:
    with caller.granary.platform() as connection:
        rows = connection.execute(
            "select relname from pg_class where relnamespace = 'global'::regnamespace"
            " and relkind in ('r', 'v')"
        ).fetchall()
        return {row["relname"] for row in rows}


def deployments(caller: Caller) -> set[str]:
    with caller.granary.platform() as connection:
        return {
            row["name"]
            for row in connection.execute("select name from grnry.deployments").fetchall()
        }


@pytest.mark.parametrize("kind", MADE)
def test_what_a_kind_makes_and_takes_away(caller: Caller, kind: str) -> None:
    name = f"kind-{kind.replace('_', '-')}"
    before = topics(caller), relations(caller), deployments(caller)
    topic, relation, persister = (each.format(name) for each in MADE[kind])
    made = caller.post(f"/event-types/{name}", body(kind, name))
    assert made["topicName"] == (topic or ("profile-update" if kind == "profile" else None))
    # Apache Kafka's brokers hear of a topic, and of its end, a moment later.
    wait_for(
        lambda: topics(caller) - before[0] - SHARED == ({topic} if topic else set()),
        what="its topic, and no other",
    )
    assert relations(caller) - before[1] == ({relation} if relation else set())
    running = {f"grnry-p-{persister}-{name}"} if persister else set()
    assert deployments(caller) - before[2] == running
    (location, *_) = made["physicalLocations"] or [None]
    assert (location or {}).get("locationName") == (
        f"global.{relation}" if relation else topic or None
    )
    told = made["outputs"]["persisters"]
    assert [each["eventStoreType"] for each in told] == ([persister] if persister else [])
    assert caller.get(f"/projects/global/event-types/{name}/1") == made

    caller.delete(f"/event-types/{name}?purge=true")
    assert (relations(caller), deployments(caller)) == before[1:]
    # What was there before may go as well: the end of another one is heard of late, too.
    wait_for(lambda: topics(caller) - SHARED <= before[0], what="its topic is gone")


def test_a_live_segments_persister_is_started(caller: Caller) -> None:
    caller.post("/event-types/starts", body("live_segment", "starts"))

    def state() -> str:
        found = caller.get("/projects/global/event-types?search=starts&expand=persisters")
        (listed,) = found["eventTypes"]
        (persister,) = listed["outputs"]["persisters"]
        return str(persister["state"]["status"])

    wait_for(lambda: state() == "RUNNING", what="it runs")
    caller.granary.do(
        "topic", "produce", "grnry_live_segment_starts", '{"id": "a", "age": 7}', "--key", "a"
    )

    def rows() -> list[dict[str, Any]]:
        with caller.granary.platform() as connection:
            return connection.execute("select * from global.grnry_live_sgmt_starts").fetchall()

    wait_for(lambda: rows() == [{"id": "a", "age": 7}], what="its record is a row")

    caller.delete("/event-types/starts")
    assert rows() == [{"id": "a", "age": 7}]  # the table stays, and is taken up again
    incompatible = body("live_segment", "starts", schema={**SCHEMA, "required": ["id", "age"]})
    assert "not compatible" in caller.reasons(incompatible, "/event-types/starts")["schema"]
    wider = {**SCHEMA, "properties": {**SCHEMA["properties"], "at": {"type": "string"}}}  # type: ignore[dict-item]
    caller.post("/event-types/starts", body("live_segment", "starts", schema=wider))
    assert rows() == [{"id": "a", "age": 7, "at": None}]
    assert caller.post("/event-types/starts:purge") == {"purged": 1}
    assert rows() == []
    caller.delete("/event-types/starts?purge=true")


@pytest.mark.parametrize(
    "form",
    [
        SCHEMA,
        json.dumps(SCHEMA),
        {"subject": "people", "schema": json.dumps(SCHEMA)},
    ],
    ids=["object", "text", "document"],
)
def test_forms_of_a_schema(caller: Caller, form: Any) -> None:
    made = caller.post("/event-types/forms", body("live_segment", "forms", schema=form))
    assert json.loads(made["schema"]["schema"]) == SCHEMA
    given = form.get("subject") if isinstance(form, dict) else None
    assert made["schema"].get("subject") == given
    answer = caller.http.put("/event-types/forms", json={"schema": made["schema"]})
    assert answer.status_code == 304
    caller.delete("/event-types/forms?purge=true")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (None, "must not be empty"),
        ("{", "JSON"),
        ({"type": "array"}, "object"),
        ({"type": "object", "properties": {}}, "id"),
        ({**SCHEMA, "default": {}}, "default"),
    ],
)
def test_a_schema_that_is_none(caller: Caller, schema: Any, reason: str) -> None:
    refused = caller.post("/event-types", body("live_segment", "none", schema=schema), 400)
    reasons = [each["reason"] for each in refused["invalidParams"] if each["name"] == "schema"]
    assert any(reason in each for each in reasons), reasons


def test_a_table_that_is_read_is_purged_whole_or_not_at_all(caller: Caller) -> None:
    caller.post("/event-types/seen", body("live_segment", "seen"))
    with caller.granary.platform() as connection:
        connection.execute("create view global.seeing as select * from global.grnry_live_sgmt_seen")
        refused = caller.delete("/event-types/seen?purge=true", 412)
        assert refused["message"] == (
            "Event Type 'seen' is in use: 'global.grnry_live_sgmt_seen' is read by"
            " view global.seeing."
        )
        assert caller.get("/event-types/seen/latest")["name"] == "seen"
        connection.execute("drop view global.seeing")
    caller.delete("/event-types/seen?purge=true")
    assert "grnry_live_sgmt_seen" not in relations(caller)


def test_a_deleted_name_belongs_to_the_project_that_wrote_it(caller: Caller) -> None:
    caller.post("/event-types/kept-name", body("data_in", "kept-name"))
    caller.granary.do("persister", "start", "kept-name")
    caller.granary.do("send", "kept-name", '{"user": "u", "id": "1"}')

    def count() -> int:
        with caller.granary.platform() as connection:
            row = connection.execute(
                "select count(*) from public.eventstore where event_type = 'kept-name'"
            ).fetchone()
            assert row
            return int(row["count"])

    wait_for(lambda: count() == 1, what="the event is a row")
    caller.delete("/event-types/kept-name")
    assert count() == 1
    caller.post("/projects", {"displayName": "Others", "description": ""})
    caller.renew()
    refused = caller.post("/projects/Others/event-types/Kept-Name", body("data_in", "x"), 409)
    assert refused["message"] == "Event Type with name 'Kept-Name' already exists."
    derived = caller.post("/projects/Others/event-types", body("data_in", "kept-name"))
    assert derived["name"].startswith("kept-name-")
    caller.delete(f"/projects/Others/event-types/{derived['name']}")

    assert caller.post("/event-types/kept-name:purge") == {"purged": 1}
    caller.post("/projects/Others/event-types/kept-name", body("data_in", "x"))
    caller.delete("/projects/Others/event-types/kept-name")
    caller.post("/event-types/kept-name:purge", status=404)
