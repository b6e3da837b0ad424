"""What all endpoints share, seen at event types and their persisters on a running Granary."""

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.event_types.calling import Caller, draft

PERSISTER = "/projects/global/event-types/{}/eventstores/pg/persister"


def test_wrong_kinds_hide_no_wrong_values(caller: Caller) -> None:
    body = {
        "displayName": 5,
        "partitionCount": "many",
        "correlationIdExpression": "payload.",
        "eventstoreTTL": "a week",
        "replication": 0,
        "schema": {"type": "object"},
    }
    reasons = caller.reasons(body, "/event-types/not_a_name")
    assert set(reasons) == {*body, "eventIdExpression", "name"}
    assert reasons["displayName"] == "must be a string but is '5'"
    assert reasons["partitionCount"] == "must be a whole number but is 'many'"
    assert reasons["eventIdExpression"] == "must not be empty"


def test_characters_that_nothing_keeps_are_named_where_they_stand(caller: Caller) -> None:
    body = draft("a\0b", description="\0", partitionCount="x", eventstoreTTL="y", **{"k\0": 1})
    reasons = caller.reasons(body)
    nul = "must not contain the character U+0000"
    assert reasons.pop("eventstoreTTL").startswith("must be an ISO 8601 duration")
    assert reasons.pop("partitionCount") == "must be a whole number but is 'x'"
    assert reasons == {"displayName": nul, "description": nul, "k": nul}


def test_all_parameters_that_are_wrong_are_named_together(caller: Caller) -> None:
    refused = caller.get("/event-types?pagesize=0&offset=x&expand=belts", 400)
    names = [problem["name"] for problem in refused["invalidParams"]]
    assert sorted(names) == ["expand", "offset", "pagesize"]
    refused = caller.get(PERSISTER.format("x") + "?expand=all", 400)
    assert refused["message"] == "Parameter 'expand' must be 'state' but is 'all'."


def paths_of(name: str) -> list[str]:
    scoped = f"/projects/global/event-types/{name}"
    return [
        scoped, f"{scoped}/1", f"{scoped}/latest", f"{scoped}/latest?export=true",
        f"/event-types/{name}", f"/event-types/{name}/1", PERSISTER.format(name),
        PERSISTER.format(name) + "?expand=state", PERSISTER.format(name) + "/state",
    ]  # fmt: skip


def test_every_single_resource_has_a_tag_and_is_not_sent_twice(caller: Caller) -> None:
    name = caller.make()
    for path in paths_of(name):
        first = caller.http.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        known = caller.http.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
        other = caller.http.get(path, headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.json()) == (200, first.json())
    caller.delete(f"/event-types/{name}")


def test_a_tag_is_another_where_the_state_is(caller: Caller) -> None:
    name = caller.make()
    path = PERSISTER.format(name)

    def tags() -> list[str]:
        ends = ("", "?expand=state", "/state")
        return [caller.http.get(path + end).headers["etag"] for end in ends]

    before = tags()
    caller.post(f"{path}/state", {"action": "START"})
    after = tags()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, False]
    caller.delete(f"/event-types/{name}")


def test_a_stale_deletion_changes_nothing(caller: Caller) -> None:
    name = caller.make()
    path = f"/projects/global/event-types/{name}"
    old = caller.http.get(path).headers["etag"]
    caller.delete(path)
    caller.post(f"/event-types/{name}", draft(name))
    for stale in (old, '"x"', ""):
        refused = caller.http.delete(path, headers={"If-Match": stale})
        assert caller.expect(refused, 412)["type"] == "precondition_failed"
    assert caller.get(f"{path}/latest")["name"] == name
    tags = {caller.http.get(each).headers["etag"] for each in paths_of(name)[:6]}
    assert len(tags) == 1
    caller.expect(caller.http.delete(path, headers={"If-Match": f'"x", {tags.pop()}'}), 204)
    absent = caller.http.delete(path, headers={"If-Match": "*"})
    assert absent.status_code == 404


def test_of_two_deletions_at_once_one_is_done(caller: Caller) -> None:
    name = caller.make()
    tag = caller.http.get(f"/event-types/{name}").headers["etag"]
    statuses: list[int] = []

    def delete() -> None:
        answer = caller.http.delete(f"/event-types/{name}", headers={"If-Match": tag})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=delete) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204, 404, 404]


def export(caller: Caller, name: str, project: str = "/projects/global") -> bytes:
    answer = caller.http.get(f"{project}/event-types/{name}/latest?export=TRUE")
    assert answer.status_code == 200, answer.text
    return answer.content


def test_an_export_says_what_is_no_default(caller: Caller) -> None:
    full = draft("Said", description="what it is", retentionMs=60_000, eventstoreTTL="P1D",
                 timestampExpression="payload.at", consumer="readers", replication=1,
                 deletionExpression="payload.gone")  # fmt: skip
    for name, body in (("exported", full), ("exported2", draft("Short") | {"partitionCount": 32})):
        caller.post(f"/event-types/{name}", body | {"type": "data_in"})
        said = {key: value for key, value in body.items() if value != 32}
        assert caller.get(f"/projects/global/event-types/{name}/1?export=true") == (
            {"name": name, **said}
        )
        assert export(caller, name) == export(caller, name, project="")
        caller.delete(f"/event-types/{name}")


def test_an_export_of_all_projects_needs_a_role_in_the_things_own(caller: Caller) -> None:
    assert caller.anonymous.get("/event-types/x/latest?export=true").status_code == 401
    caller.get("/event-types/not-there/latest?export=true", 404)


BODIES = st.fixed_dictionaries(
    {
        "displayName": st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200
        ).filter(str.strip),
        "correlationIdExpression": st.sampled_from(["payload.user", "headers['x']"]),
        "eventIdExpression": st.sampled_from(["payload.id", "#randomUUID()"]),
        "partitionCount": st.just(1),
    },
    optional={
        "description": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        "timestampExpression": st.sampled_from(["", "#nowMillis()", "payload.at"]),
        "deletionExpression": st.sampled_from(["", "payload.gone"]),
        "consumer": st.none() | st.sampled_from(["", "readers"]),
        "eventstoreTTL": st.sampled_from(["", "P100Y", "P3DT4H"]),
        "replication": st.integers(1, 5),
        "retentionMs": st.integers(1000, 10**9),
        "type": st.sampled_from(["", "data_in"]),
    },
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(BODIES)
def test_what_is_exported_makes_the_same_again(caller: Caller, body: dict[str, Any]) -> None:
    name = "round-trip"
    path = f"/projects/global/event-types/{name}/latest"
    caller.post(f"/event-types/{name}", body)
    first, shown = export(caller, name), caller.get(path)
    caller.delete(f"/event-types/{name}")
    made = caller.http.post(
        "/event-types", content=first, headers={"Content-Type": "application/json"}
    )
    assert made.status_code == 200, made.text
    # One broker keeps one replica.
    is_said = body.get("replication", 3) not in (1, 3)
    assert made.headers.get("x-ignored-fields") == ("replication" if is_said else None)
    generated = {"createdAt": None, "modifiedAt": None}
    assert {**caller.get(path), **generated} == {**shown, **generated}
    assert export(caller, name) == first
    caller.delete(f"/event-types/{name}")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_but_what_is_tagged_may_be_kept(caller: Caller, method: str) -> None:
    for path, kept in (("/event-types", "no-store"), ("/nowhere", "no-store")):
        assert caller.http.request(method, path).headers["cache-control"] == kept
