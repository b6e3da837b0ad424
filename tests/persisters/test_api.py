"""Persisters over HTTP, on a whole running Granary, with events of a plain Kafka client."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer

from tests.conftest import wait_for
from tests.event_types.calling import Caller

STATE = "/event-types/{}/eventstores/pg/persister/state"


def status(caller: Caller, name: str) -> str:
    return str(caller.get(STATE.format(name))["status"])


def act(caller: Caller, name: str, action: str) -> Any:
    return caller.post(STATE.format(name), {"action": action})


def until(caller: Caller, name: str, expected: str) -> None:
    wait_for(lambda: status(caller, name) == expected, what=f"{name} is {expected}")


@pytest.fixture(scope="module")
def running(caller: Caller) -> Iterator[str]:
    name = caller.make()
    act(caller, name, "START")
    until(caller, name, "RUNNING")
    yield name
    caller.delete(f"/event-types/{name}")


def rows(caller: Caller, name: str) -> list[dict[str, Any]]:
    with caller.granary.platform() as connection:
        return connection.execute(
            "select * from public.eventstore where event_type = %s order by event_id", [name]
        ).fetchall()


def dead(caller: Caller, name: str) -> list[dict[str, Any]]:
    with caller.granary.platform() as connection:
        return connection.execute(
            "select * from grnry.dead_letters where deployment = %s order by id",
            [f"grnry-p-pg-{name}"],
        ).fetchall()


def test_its_configuration_and_state(caller: Caller) -> None:
    name = caller.make()
    found = caller.get(f"/event-types/{name}/eventstores/pg/persister?expand=state")
    assert found["streamName"] == f"grnry-p-pg-{name}"
    assert found["appName"] == "grnry-eventstore-pg"
    assert found["appVersion"] == "latest"
    assert found["appConfig"]["eventstore.batchSize"] == "5000"
    assert (found["eventTypeName"], found["eventstoreType"]) == (name, "pg")
    assert found["state"]["status"] == "STOPPED"
    caller.get(f"/event-types/{name}/eventstores/pg/persister?expand=x", 400)
    refused = caller.get("/event-types/nothing/eventstores/pg/persister", 404)
    assert refused["message"] == "Persister 'nothing' not found."


def test_starting_and_stopping_twice_is_as_once(caller: Caller) -> None:
    name = caller.make()
    assert act(caller, name, "STOP")["status"] == "STOPPED"
    for _ in range(2):
        assert act(caller, name, "START")["status"] in ("DEPLOYING", "RUNNING")
    until(caller, name, "RUNNING")
    assert act(caller, name, "START")["status"] == "RUNNING"
    for _ in range(2):
        assert act(caller, name, "STOP")["status"] in ("STOPPING", "STOPPED")
    until(caller, name, "STOPPED")
    for _ in range(5):
        act(caller, name, "START")
        act(caller, name, "STOP")
    until(caller, name, "STOPPED")


@pytest.mark.parametrize("action", ["", "RESTART", "start"])
def test_an_action_that_is_none(caller: Caller, running: str, action: str) -> None:
    refused = caller.post(STATE.format(running), {"action": action}, 400)
    reason = f"was assigned an invalid value, provided value: '{action}'"
    assert refused["message"] == f"Parameter 'action' {reason}."
    assert refused["invalidParams"][0]["name"] == "action"


def taken_from_the_future(producer: Producer, topic: str) -> set[bytes]:
    """What the broker takes with a time that no calendar has: Apache Kafka refuses it."""
    payload, said = b'{"from": "the future"}', list[str]()

    def on_delivery(error: KafkaError | None, _: object) -> None:
        said.append("" if error is None else error.name())

    producer.produce(topic, payload, timestamp=2**61, on_delivery=on_delivery)
    assert producer.flush(20) == 0
    assert said in ([""], ["INVALID_TIMESTAMP"])
    return {payload} if said == [""] else set()


def test_events_of_any_client(caller: Caller, running: str) -> None:
    producer = Producer({"bootstrap.servers": caller.granary.said["kafka"], "log_level": 0})
    topic = f"grnry_data_in_{running}"
    quoted: list[tuple[str, str | bytes | None]] = [
        ("grnry-correlation-id", '"u\\n1"'),
        ("grnry-event-id", '"spring"'),
        ("grnry-event-type", '"another"'),
        ("grnry-event-timestamp", "1700000000000"),
    ]
    poison: list[tuple[str, str | bytes | None]] = [
        ("grnry-correlation-id", b'"\xff"'),
        ("grnry-event-id", "1"),
    ]
    producer.produce(topic, b"raw")
    producer.produce(topic, b"{}", headers=poison)
    producer.produce(topic, b"not JSON", headers=[*quoted[:1], ("grnry-event-id", "bad")])
    producer.produce(topic, b'{"a": "\\u0000"}', headers=quoted)
    assert producer.flush(20) == 0
    expected = {b"raw", b"{}", b"not JSON"} | taken_from_the_future(producer, topic)
    wait_for(lambda: {each["payload"] for each in dead(caller, running)} == expected, 60, "dead")
    assert len(dead(caller, running)) == len(expected)
    wait_for(lambda: rows(caller, running), what="one is a row")
    (row,) = rows(caller, running)
    assert (row["correlation_id"], row["event_id"]) == ("u\n1", "spring")
    assert (row["created"], row["message"]) == (1700000000000, {"a": "\ufffd"})
    assert (row["event_type_version"], row["event_harvester"]) == (None, "na")
    letters = {letter["payload"]: letter for letter in dead(caller, running)}
    assert letters[b"raw"]["reason"] == "the header grnry-correlation-id is missing or empty"
    assert letters[b"not JSON"]["sqlstate"] == "22P02"
    assert status(caller, running) == "RUNNING"


def test_a_killed_worker_is_told_and_runs_again(caller: Caller, running: str) -> None:
    reconciler = caller.granary.pid("reconciler")
    for pid in caller.granary.worker_pids(reconciler):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: status(caller, running) != "RUNNING", what="its death is told")
    until(caller, running, "RUNNING")


def test_a_deleted_name_starts_empty_and_its_rows_stay(caller: Caller) -> None:
    name = caller.make()
    act(caller, name, "START")
    body = {"user": "u", "id": "first"}
    caller.post(f"/event-types/{name}/events", body, 202)
    wait_for(lambda: len(rows(caller, name)) == 1, what="it is a row")
    caller.delete(f"/event-types/{name}")
    caller.get(STATE.format(name), 404)
    assert len(rows(caller, name)) == 1
    caller.post(
        f"/event-types/{name}",
        {
            "displayName": name,
            "correlationIdExpression": "payload.user",
            "eventIdExpression": "payload.id",
        },
    )
    assert status(caller, name) == "STOPPED"
    act(caller, name, "START")
    caller.post(f"/event-types/{name}/events", {"user": "u", "id": "second"}, 202)
    wait_for(lambda: len(rows(caller, name)) == 2, what="both are rows")
    caller.delete(f"/event-types/{name}")
