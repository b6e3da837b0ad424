"""Persisters of live segments over HTTP, on a whole running Granary."""

import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import wait_for
from tests.event_types.bodies import body
from tests.event_types.calling import Caller

PROJECT = "/projects/global"


def path(name: str) -> str:
    return f"/event-types/{name}/eventstores/live-segment/persister"


@pytest.fixture(name="name")
def a_live_segment(caller: Caller) -> Iterator[str]:
    caller.post("/event-types/lively", body("live_segment", "lively"))
    wait_for(lambda: state(caller, "lively")["status"] == "RUNNING", what="it runs")
    yield "lively"
    caller.delete("/event-types/lively?purge=true")


def state(caller: Caller, name: str) -> dict[str, Any]:
    found: dict[str, Any] = caller.get(f"{path(name)}/state")
    return found


def produce(caller: Caller, name: str, *records: dict[str, Any]) -> None:
    for record in records:
        words = [f"grnry_live_segment_{name}", json.dumps(record), "--key", str(record["id"])]
        caller.granary.do("topic", "produce", *words)


def rows(caller: Caller, name: str) -> list[dict[str, Any]]:
    with caller.granary.platform() as connection:
        return connection.execute(
            f"select * from global.grnry_live_sgmt_{name} order by id".encode()
        ).fetchall()


def test_its_configuration_is_texts(caller: Caller, name: str) -> None:
    expected = {
        "eventTypeName": name,
        "eventstoreType": "live-segment",
        "tasks.max": "2",  # its topic has two partitions
        "batchSize": "3000",
        "maxRetries": "10",
        "retryBackoffMs": "3000",
        "errorsTolerance": "all",
    }
    assert caller.get(path(name)) == caller.get(PROJECT + path(name)) == expected
    expanded = caller.get(path(name) + "?expand=state")
    link = caller.granary.said["api"] + PROJECT + path(name) + "/state"
    assert expanded.pop("state") == {"status": "RUNNING", "_links": {"self": {"href": link}}}
    assert expanded == expected

    changed = caller.put(path(name), {"taskMax": 1, "batchSize": "10", "maxRetries": 3})
    assert changed == {**expected, "tasks.max": "1", "batchSize": "10", "maxRetries": "3"}
    assert caller.put(path(name), {"tasks.max": "2"})["tasks.max"] == "2"
    assert state(caller, name)["outdated"] is True
    assert caller.put(path(name), {**changed, "retryBackoffMs": ""})["tasks.max"] == "1"
    caller.post(f"{path(name)}/state", {"action": "RESTART"})
    wait_for(lambda: state(caller, name).get("status") == "RUNNING", what="it runs again")
    wait_for(lambda: "outdated" not in state(caller, name), what="as it is configured")


def test_what_is_wrong_is_named(caller: Caller, name: str) -> None:
    wrong = {"taskMax": 3, "batchSize": 0, "maxRetries": "x", "retryBackoffMs": -1}
    refused = caller.put(path(name), {**wrong, "errorsTolerance": "some"}, 400)
    assert {each["name"]: each["reason"] for each in refused["invalidParams"]} == {
        "tasks.max": "must be 2 or less, the number of its topic's partitions, but is '3'",
        "batchSize": "must be a natural number but is '0'",
        "maxRetries": "must be a natural number but is 'x'",
        "retryBackoffMs": "must be a natural number but is '-1'",
        "errorsTolerance": "must be 'all' or 'none' but is 'some'",
    }
    for value in (1.5, True, [1], 10**30, " 1 "):
        (problem,) = caller.put(path(name), {"batchSize": value}, 400)["invalidParams"]
        assert problem["name"] == "batchSize"
        assert problem["reason"].startswith("must be a natural number but is '")
    caller.put(path(name), {"taskMax": 1, "tasks.max": 2}, 400)
    others = {"eventTypeName": "other", "eventstoreType": "pg"}
    refused = caller.put(path(name), others, 400)
    assert {each["name"]: each["reason"] for each in refused["invalidParams"]} == {
        "eventTypeName": f"must be '{name}', as it cannot be changed, but is 'other'",
        "eventstoreType": "must be 'live-segment', as it cannot be changed, but is 'pg'",
    }
    refused = caller.post(f"{path(name)}/state", {"action": "PAUSE"}, 400)
    assert refused["message"] == (
        "Parameter 'Action' Parameter can only have value of START,STOP,RESTART."
    )
    tag = caller.http.get(path(name)).headers["etag"]
    caller.put(path(name), {"batchSize": 20}, tag=tag)
    caller.put(path(name), {"batchSize": 30}, 412, tag=tag)


def test_it_is_of_live_segments_alone(caller: Caller, name: str) -> None:
    other = caller.make()
    for wrong in (path(other), path("nowhere"), f"/event-types/{name}/eventstores/pg/persister"):
        refused = caller.get(wrong, 404)
        assert refused["message"] == f"Persister '{wrong.split('/')[2]}' not found."
    caller.delete(f"/event-types/{other}")


def test_one_bad_record_costs_one_record_or_stops_it(caller: Caller, name: str) -> None:
    produce(caller, name, {"id": "a", "age": "old"}, {"id": "a", "age": 1})
    wait_for(lambda: rows(caller, name) == [{"id": "a", "age": 1}], what="the good one")
    with caller.granary.platform() as connection:
        found = connection.execute(
            "select reason from grnry.dead_letters where deployment = 'grnry-p-live-segment-lively'"
        ).fetchall()
    assert [row["reason"] for row in found] == [found[0]["reason"]]
    assert "age" in found[0]["reason"]

    caller.put(path(name), {"errorsTolerance": "none"})
    caller.post(f"{path(name)}/state", {"action": "RESTART"})
    wait_for(lambda: "outdated" not in state(caller, name), what="it is as configured")
    wait_for(lambda: state(caller, name)["status"] == "RUNNING", what="it runs")
    produce(caller, name, {"id": "a", "age": 2}, {"id": "a", "age": "old"}, {"id": "a", "age": 3})
    wait_for(lambda: state(caller, name)["status"] == "FAILED", what="it has stopped")
    found_state = state(caller, name)
    assert found_state["retrying"] is False
    assert "grnry_live_segment_lively, partition" in found_state["message"]
    assert "offset 3" in found_state["message"]
    assert rows(caller, name) == [{"id": "a", "age": 2}]  # what is before it, and nothing after

    caller.put(path(name), {"errorsTolerance": "all"})
    caller.post(f"{path(name)}/state", {"action": "RESTART"})
    wait_for(lambda: rows(caller, name) == [{"id": "a", "age": 3}], what="it goes on")


def test_it_stops_though_somebody_locks_its_table(caller: Caller, name: str) -> None:
    with caller.granary.platform() as connection, connection.transaction():
        connection.execute(b"lock table global.grnry_live_sgmt_lively in access exclusive mode")
        produce(caller, name, {"id": "a", "age": 1})

        def waits() -> bool:
            found = connection.execute(
                "select from pg_locks where not granted"
                " and relation = 'global.grnry_live_sgmt_lively'::regclass"
            )
            return found.fetchone() is not None

        wait_for(waits, what="it waits for the lock")
        began = time.monotonic()
        caller.post(f"{path(name)}/state", {"action": "STOP"})
        wait_for(lambda: state(caller, name)["status"] == "STOPPED", what="it is stopped")
        assert (
            time.monotonic() - began < 8
        )  # not as long as the lock is waited for, and tried again
    caller.post(f"{path(name)}/state", {"action": "START"})
    wait_for(lambda: rows(caller, name) == [{"id": "a", "age": 1}], what="nothing is lost")


def test_its_tasks_share_partitions_without_waiting_for_a_slow_heartbeat(
    caller: Caller, name: str
) -> None:
    """The first of two is a member still when they start, and has to hear that the other came."""

    def act(action: str, status: str) -> float:
        began = time.monotonic()
        caller.post(f"{path(name)}/state", {"action": action})
        wait_for(lambda: state(caller, name)["status"] == status, what=f"it is {status}")
        return time.monotonic() - began

    assert caller.get(path(name))["tasks.max"] == "2"
    took = []
    for _ in range(5):
        act("STOP", "STOPPED")
        took.append(act("START", "RUNNING"))
    assert statistics.median(took) < 2.5, took


def test_it_stops_and_starts(caller: Caller, name: str) -> None:
    statuses = {caller.post(f"{path(name)}/state", {"action": "STOP"})["status"]}

    def is_stopped() -> bool:
        statuses.add(state(caller, name)["status"])
        return "STOPPED" in statuses

    wait_for(is_stopped, what="it is stopped")
    assert statuses <= {"RUNNING", "STOPPED"}
    produce(caller, name, {"id": "a", "age": 1})
    caller.post(f"{path(name)}/state", {"action": "START"})
    wait_for(lambda: rows(caller, name) == [{"id": "a", "age": 1}], what="it goes on")
    logs = caller.get(f"{path(name)}/logs?lines=5")["logs"]
    assert 0 < len(logs) <= 5
