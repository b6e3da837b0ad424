"""The contract of a persister's five endpoints, sample by sample, with a project and without."""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.conftest import wait_for
from tests.event_types.calling import Caller

STATUSES = {"STOPPING", "STOPPED", "DEPLOYING", "RUNNING", "FAILED"}
PLACES = ["/projects/global", ""]

# What a PUT of the contract sends and gets back.
APP_CONFIG = {
    "eventstore.tableName": "public.eventstore",
    "spring.datasource.url": "jdbc:postgresql://grnry-pg-citus:5432/postgres?currentSchema=public",
    "spring.datasource.password": "${superuser-password}",
    "spring.datasource.username": "${superuser-username}",
    "spring.cloud.kubernetes.secrets.paths": "/usr/src/app/db-secret",
    "spring.cloud.stream.bindings.input.consumer.concurrency": "6",
    "spring.cloud.stream.bindings.input.consumer.partitioned": "true",
}
DEPLOYER_CONFIG = {
    "kubernetes.volumes": (
        "[{name: 'secret', secret: { secretName : 'grnry-base-encryption-token' ,"
        " defaultMode : '256' }}]"
    ),
    "kubernetes.limits.cpu": "700m",
    "kubernetes.requests.cpu": "700m",
    "kubernetes.volumeMounts": "[{name: 'secret', mountPath: '/usr/src/app/rsa_privatekey.key'}]",
    "kubernetes.limits.memory": "512Mi",
    "kubernetes.imagePullPolicy": "Always",
    "kubernetes.requests.memory": "512Mi",
    "kubernetes.livenessProbeDelay": "120",
    "kubernetes.readinessProbeDelay": "120",
}
FIELDS = {
    "streamName",
    "projectName",
    "appName",
    "appVersion",
    "appConfig",
    "deployerConfig",
    "eventTypeName",
    "eventstoreType",
    "lastUpdated",
    "_links",
}


def path(name: str, rest: str = "") -> str:
    return f"/event-types/{name}/eventstores/pg/persister{rest}"


def put(caller: Caller, url: str, body: Any, status: int = 200, if_match: str = "") -> Any:
    headers = {"If-Match": if_match} if if_match else {}
    return caller.expect(caller.http.put(url, json=body, headers=headers), status)


@pytest.fixture(scope="module")
def name(caller: Caller) -> Iterator[str]:
    made = caller.make()
    yield made
    caller.delete(f"/event-types/{made}")


@pytest.fixture
def fresh(caller: Caller) -> Iterator[str]:
    made = caller.make()
    yield made
    caller.delete(f"/event-types/{made}")


@pytest.mark.parametrize("place", PLACES)
def test_get(caller: Caller, name: str, place: str) -> None:
    found = caller.get(place + path(name))
    assert set(found) == FIELDS
    assert found["streamName"] == f"grnry-p-pg-{name}"
    assert found["projectName"] == "global"
    assert found["appName"] == "grnry-eventstore-pg"
    assert found["appVersion"] == "latest"
    assert found["appConfig"]["eventstore.tablename"] == "public.eventstore"
    assert found["deployerConfig"]["kubernetes.limits.memory"] == "512Mi"
    assert (found["eventTypeName"], found["eventstoreType"]) == (name, "pg")
    assert found["lastUpdated"] > 1574417165615
    assert found["_links"]["self"]["href"].endswith("/projects/global" + path(name))
    assert all(isinstance(v, str) for v in [*found["appConfig"].values()])


@pytest.mark.parametrize("place", PLACES)
def test_get_with_its_state(caller: Caller, name: str, place: str) -> None:
    found = caller.get(place + path(name, "?expand=state"))
    assert set(found) == FIELDS | {"state"}
    assert found["state"] == caller.get(place + path(name, "/state"))
    assert set(caller.get(place + path(name, "?expand="))) == FIELDS
    refused = caller.get(place + path(name, "?expand=other"), 400)
    assert refused["message"] == "Parameter 'expand' must be 'state' but is 'other'."


@pytest.mark.parametrize("place", PLACES)
def test_put(caller: Caller, fresh: str, place: str) -> None:
    before = caller.get(place + path(fresh))
    body = {"appConfig": APP_CONFIG, "deployerConfig": DEPLOYER_CONFIG, "appVersion": "latest"}
    changed = put(caller, place + path(fresh), body)
    assert set(changed) == FIELDS
    assert changed["appConfig"] == APP_CONFIG
    assert changed["deployerConfig"] == DEPLOYER_CONFIG
    assert changed["lastUpdated"] >= before["lastUpdated"]
    assert changed["_links"]["self"]["href"].endswith("/persister?expand=")
    found = caller.get(path(fresh))
    assert {**found, "_links": 0} == {**changed, "_links": 0}


@pytest.mark.parametrize("truth", ["true", "True", "TRUE"])
def test_put_of_what_was_exported(caller: Caller, fresh: str, truth: str) -> None:
    original = caller.get(path(fresh))
    assert caller.get(path(fresh, f"?export={truth}")) == {"appConfig": {}, "deployerConfig": {}}
    own = {"eventstore.batchSize": "77", "mine": "x"}
    put(caller, path(fresh, f"?imported={truth}"), {"appConfig": own, "deployerConfig": {}})
    changed = caller.get(path(fresh))
    assert changed["appConfig"] == {**original["appConfig"], **own}
    assert changed["deployerConfig"] == original["deployerConfig"]
    exported = caller.get(path(fresh, f"?export={truth}"))
    assert exported == {"appConfig": own, "deployerConfig": {}}
    put(caller, path(fresh, f"?imported={truth}"), exported)
    assert caller.get(path(fresh, f"?export={truth}")) == exported
    put(caller, path(fresh), exported)  # both maps are replaced
    assert caller.get(path(fresh))["appConfig"] == own
    assert caller.get(path(fresh))["deployerConfig"] == {}


def test_put_of_what_was_answered_changes_nothing_else(caller: Caller, fresh: str) -> None:
    found = caller.get(path(fresh, "?expand=state"))
    changed = put(caller, path(fresh), found)
    assert changed["appConfig"] == found["appConfig"]
    assert changed["lastUpdated"] > found["lastUpdated"] - 1
    for field in ("streamName", "projectName", "appName", "eventTypeName", "eventstoreType"):
        refused = put(caller, path(fresh), {**found, field: "another"}, 400)
        expected = f"must be '{found[field]}', as it cannot be changed, but is 'another'"
        assert refused["invalidParams"] == [
            {"type": "Parameter", "name": field, "reason": expected}
        ]
        put(caller, path(fresh), {**found, field: None})


@pytest.mark.parametrize("place", PLACES)
def test_put_of_nothing(caller: Caller, name: str, place: str) -> None:
    refused = put(caller, place + path(name), {}, 400)
    assert refused["type"] == "bad_parameter_value"
    assert refused["message"] == "Parameter 'event_type_name' cannot be null"
    assert refused["details"] == f"uri={place}{path(name)}"
    assert [each["name"] for each in refused["invalidParams"]] == [
        "event_type_name",
        "appConfig",
        "deployerConfig",
    ]


def test_put_of_what_is_wrong(caller: Caller, name: str) -> None:
    before = caller.get(path(name))
    refused = put(
        caller,
        path(name),
        {
            "appConfig": {"eventstore.batchSize": "many"},
            "deployerConfig": {"kubernetes.limits.memory": "much"},
            "appVersion": "0.0.0",
        },
        400,
    )
    assert [each["name"] for each in refused["invalidParams"]] == [
        "appConfig.eventstore.batchSize",
        "deployerConfig.kubernetes.limits.memory",
        "appVersion",
    ]
    refused = put(caller, path(name), {"appConfig": {"x": 5}}, 400)
    assert {each["name"] for each in refused["invalidParams"]} == {"appConfig.x", "deployerConfig"}
    assert caller.get(path(name)) == before


def test_put_of_what_is_stale(caller: Caller, fresh: str) -> None:
    tag = caller.http.get(path(fresh)).headers["ETag"]
    body = {"appConfig": {"x": "1"}, "deployerConfig": {}}
    put(caller, path(fresh), body, if_match=tag)
    refused = put(caller, path(fresh), body, 412, if_match=tag)
    assert refused["type"] == "precondition_failed"
    fresh_tag = caller.http.get(path(fresh)).headers["ETag"]
    answer = caller.http.put(path(fresh), json=body, headers={"If-Match": fresh_tag})
    assert answer.headers["ETag"] == caller.http.get(path(fresh)).headers["ETag"] != fresh_tag


def test_a_password_is_kept_and_not_shown(caller: Caller, fresh: str) -> None:
    url = "jdbc:postgresql://db:5432/x"
    app = {"spring.datasource.url": url, "spring.datasource.password": "in clear"}
    changed = put(caller, path(fresh), {"appConfig": app, "deployerConfig": {}})
    assert changed["appConfig"]["spring.datasource.password"] == "******"
    assert "in clear" not in caller.http.get(path(fresh, "?export=true")).text
    put(caller, path(fresh), changed)
    with caller.granary.platform() as connection:
        row = connection.execute(
            "select app_config from grnry.persisters where event_type = %s", [fresh]
        ).fetchone()
    assert row is not None
    assert row["app_config"]["spring.datasource.password"] == "in clear"
    changed["appConfig"]["spring.datasource.url"] = "jdbc:postgresql://another/x"
    refused = put(caller, path(fresh), changed, 400)
    assert refused["invalidParams"][0]["name"] == "appConfig.spring.datasource.password"


@pytest.mark.parametrize("place", PLACES)
def test_state(caller: Caller, name: str, place: str) -> None:
    found = caller.get(place + path(name, "/state"))
    assert found["status"] == "STOPPED"
    url = "/projects/global" + path(name, "/state")
    assert found["_links"]["self"]["href"].endswith(url)
    assert set(found) == {"status", "_links"}


@pytest.mark.parametrize("place", PLACES)
def test_start_and_stop(caller: Caller, fresh: str, place: str) -> None:
    url = place + path(fresh, "/state")
    assert caller.post(url, {"action": "START"})["status"] == "DEPLOYING"
    wait_for(lambda: caller.get(url)["status"] == "RUNNING", what="it runs")
    assert caller.post(url, {"action": "STOP"})["status"] == "STOPPING"
    wait_for(lambda: caller.get(url)["status"] == "STOPPED", what="it is stopped")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("body", [{"action": ""}, {}])
def test_no_action(caller: Caller, name: str, place: str, body: Any) -> None:
    refused = caller.post(place + path(name, "/state"), body, 400)
    assert refused.pop("timestamp") > 1635778655364
    assert refused.pop("traceId").isalnum()
    assert refused == {
        "message": "Parameter 'action' was assigned an invalid value, provided value: ''.",
        "type": "bad_parameter_value",
        "invalidParams": [
            {
                "type": "Parameter",
                "name": "action",
                "reason": "was assigned an invalid value, provided value: ''",
            }
        ],
        "details": f"uri={place}{path(name, '/state')}",
    }


@pytest.mark.parametrize("place", PLACES)
def test_logs(caller: Caller, fresh: str, place: str) -> None:
    assert caller.get(place + path(fresh, "/logs")) == {"logs": []}
    state = path(fresh, "/state")
    for round_ in (1, 2):  # kept over restarts
        caller.post(state, {"action": "START"})
        wait_for(lambda: caller.get(state)["status"] == "RUNNING", what="it runs")
        caller.post(state, {"action": "STOP"})
        wait_for(lambda: caller.get(state)["status"] == "STOPPED", what="it is stopped")
        lines = caller.get(place + path(fresh, "/logs"))["logs"]
        assert len([line for line in lines if "Consuming" in line]) == round_
    assert f"[grnry-p-pg-{fresh},,,]" in lines[-1]
    assert caller.get(place + path(fresh, "/logs?lines=1"))["logs"] == lines[-1:]


@pytest.mark.parametrize("lines", ["0", "501", "750", "-1"])
def test_too_many_lines(caller: Caller, name: str, lines: str) -> None:
    refused = caller.get(path(name, f"/logs?lines={lines}"), 400)
    message = f"Parameter 'lines' must be in between 1 and 500 but is '{lines}'."
    assert refused["message"] == message


ALL = [("GET", ""), ("PUT", ""), ("GET", "/state"), ("POST", "/state"), ("GET", "/logs")]
BODIES = {"PUT": {"appConfig": {}, "deployerConfig": {}}, "POST": {"action": "START"}, "GET": None}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("method", "rest"), ALL)
def test_refusals(caller: Caller, name: str, place: str, method: str, rest: str) -> None:
    url, body = place + path("adobe-s3", rest), BODIES[method]
    missing = caller.expect(caller.http.request(method, url, json=body), 404)
    assert (missing["type"], missing["message"], missing["details"]) == (
        "entity_not_found",
        "Persister 'adobe-s3' not found.",
        f"uri={url}",
    )
    url = place + path(name, rest)
    unknown = caller.expect(caller.anonymous.request(method, url, json=body), 401)
    assert (unknown["type"], unknown["message"], unknown["details"]) == (
        "authentication_error",
        "Authentication failed.",
        f"uri={url}",
    )
    url = "/projects/nothing" + path(name, rest)
    forbidden = caller.expect(caller.http.request(method, url, json=body), 403)
    assert (forbidden["type"], forbidden["message"]) == (
        "entity_not_accessible",
        "Access forbidden due to missing roles.",
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("method", "rest"), ALL)
def test_there_is_no_other_store(
    caller: Caller, name: str, place: str, method: str, rest: str
) -> None:
    url = f"{place}/event-types/{name}/eventstores/pdg/persister{rest}"
    missing = caller.expect(caller.http.request(method, url, json=BODIES[method]), 404)
    assert (missing["type"], missing["message"], missing["details"]) == (
        "entity_not_found",
        f"Persister '{name}' not found.",
        f"uri={url}",
    )
    assert caller.anonymous.request(method, url).status_code == 401


def test_a_configuration_takes_effect_at_the_next_start(caller: Caller, fresh: str) -> None:
    state = path(fresh, "/state")
    caller.post(state, {"action": "START"})
    wait_for(lambda: caller.get(state)["status"] == "RUNNING", what="it runs")
    app = {"spring.cloud.stream.bindings.input.consumer.concurrency": "2"}
    put(caller, path(fresh, "?imported=true"), {"appConfig": app, "deployerConfig": {}})
    assert caller.get(state)["outdated"] is True
    caller.post(state, {"action": "STOP"})
    caller.post(state, {"action": "START"})
    wait_for(lambda: "outdated" not in caller.get(state), what="the new one is in effect")
    wait_for(lambda: caller.get(state)["status"] == "RUNNING", what="it runs again")
    with caller.granary.platform() as connection:
        row = connection.execute(
            "select saved from grnry.deployments where name = %s", [f"grnry-p-pg-{fresh}"]
        ).fetchone()
    assert row is not None
    assert len(row["saved"]["processes"]) == 2


def test_no_placeholder_is_resolved_for_another_database(caller: Caller, fresh: str) -> None:
    put(caller, path(fresh), {"appConfig": APP_CONFIG, "deployerConfig": {}})
    state = path(fresh, "/state")
    caller.post(state, {"action": "START"})
    wait_for(lambda: caller.get(state)["status"] == "FAILED", what="it has failed")
    found = caller.get(state)
    assert (
        "spring.datasource.username is a placeholder, which stands for nothing in the database"
        " postgres on grnry-pg-citus:5432. Give one of its own, or take spring.datasource.url out"
    ) in found["message"]
    assert found["retrying"] is False
    put(caller, path(fresh, "?imported=true"), {"appConfig": {}, "deployerConfig": {}})
    caller.post(state, {"action": "START"})
    wait_for(lambda: caller.get(state)["status"] == "RUNNING", what="it runs")


def test_without_dead_letters_the_first_bad_record_ends_it(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    state = path(name, "/state")
    only = {"eventstore.deadLetter": "false"}
    put(caller, path(name, "?imported=true"), {"appConfig": only, "deployerConfig": {}})
    producer = Producer({"bootstrap.servers": caller.granary.said["kafka"], "log_level": 0})
    for event_id, payload in enumerate((b"{}", b"{", b"{}")):
        ids: dict[str, str | bytes | None] = {"grnry-correlation-id": "u"}
        ids["grnry-event-id"] = str(event_id)
        producer.produce(f"grnry_data_in_{name}", payload, headers=ids)
    assert producer.flush(20) == 0
    caller.post(state, {"action": "START"})
    wait_for(lambda: caller.get(state)["status"] == "FAILED", 60, "it has failed")
    found = caller.get(state + "?expand=progress")
    assert f"Topic grnry_data_in_{name}, partition 0, offset 1: invalid input" in found["message"]
    assert found["retrying"] is False
    assert found["progress"] == {"records": 1, "lag": 2, "deadLetters": 0}
    put(caller, path(name, "?imported=true"), {"appConfig": {}, "deployerConfig": {}})
    caller.post(state, {"action": "START"})
    done = {"records": 3, "lag": 0, "deadLetters": 1}
    wait_for(lambda: caller.get(state + "?expand=progress")["progress"] == done, 60, "it went on")
    caller.delete(f"/event-types/{name}")


def test_progress(caller: Caller, fresh: str) -> None:
    state = path(fresh, "/state?expand=progress")
    assert caller.get(state)["progress"] == {"records": 0, "lag": 0, "deadLetters": 0}
    events = [{"user": "u", "id": str(number)} for number in range(30)]
    caller.post(f"/event-types/{fresh}/events", events, 202)
    assert caller.get(state)["progress"] == {"records": 0, "lag": 30, "deadLetters": 0}
    caller.post(path(fresh, "/state"), {"action": "START"})
    done = {"records": 30, "lag": 0, "deadLetters": 0}
    wait_for(lambda: caller.get(state)["progress"] == done, what="all are done with")
