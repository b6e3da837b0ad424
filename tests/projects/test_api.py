"""Projects, their members and what they have, over HTTP on a whole running Granary."""

import itertools
from typing import Any

import pytest

from tests.conftest import wait_for
from tests.event_types.calling import Caller, draft
from tests.projects.people import People, Person

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def people(caller: Caller) -> People:
    return People(caller)


@pytest.fixture(scope="module")
def admin(people: People) -> Person:
    return people.admin()


@pytest.fixture
def project(admin: Person) -> str:
    """A project of this test alone, of which `admin` is the owner."""
    made = admin.post("/projects", {"displayName": f"Own {next(_numbers)}"})
    admin.log_in()
    return str(made["name"])


def test_all_fields_of_a_new_project(admin: Person) -> None:
    made = admin.post(
        "/projects", {"displayName": "All: Fields", "description": "of it", "owner": "me"}
    )
    assert admin.answer.headers["x-ignored-fields"] == "owner"
    assert made.pop("createdAt") == made.pop("modifiedAt")
    assert made.pop("createdBy") == made.pop("modifiedBy") == {"name": "Administrator", "email": ""}
    access = made.pop("dataAccess")
    port = int(admin.granary.said["database"].rpartition(":")[2].partition("/")[0])
    assert access == {
        "host": "127.0.0.1",
        "port": port,
        "ssl": False,
        "database": "grnry",
        "schema": "All-Fields",
        "secretName": "grnry_project_All-Fields",
        "secretKeyUser": "username",
        "secretKeyPassword": "password",
    }
    url = f"{admin.granary.said['api']}/projects/All-Fields"
    assert made == {
        "name": "All-Fields",
        "displayName": "All: Fields",
        "description": "of it",
        "_links": {"self": {"href": url}},
    }


def test_a_new_role_is_in_the_next_token(admin: Person) -> None:
    name = admin.post("/projects", {"displayName": "Next token"})["name"]
    admin.get(f"/projects/{name}", 403)
    admin.refresh()
    assert admin.get(f"/projects/{name}")["displayName"] == "Next token"
    assert name in [each["name"] for each in admin.get("/projects?pagesize=250")["projects"]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "must not be empty"),
        ({"displayName": "  "}, "must not be empty"),
        ({"displayName": "!?"}, "must contain a letter or a digit"),
        ({"displayName": "pg stat"}, "leads to the name 'pg-stat', which is reserved"),
        ({"displayName": "Realm Management"}, "which is reserved"),
        ({"displayName": "x" * 257}, "must have at most 256 characters"),
        ({"displayName": 5}, "must be a string but is '5'"),
    ],
)
def test_a_name_that_cannot_be(admin: Person, body: Any, reason: str) -> None:
    refused = admin.post("/projects", body, 400)
    (problem,) = refused["invalidParams"]
    assert problem["name"] == "displayName"
    assert reason in problem["reason"]


def test_a_taken_name_ends_in_digits(admin: Person) -> None:
    first = admin.post("/projects", {"displayName": "Taken"})["name"]
    second = admin.post("/projects", {"displayName": "TAKEN!"})["name"]
    assert first == "Taken"
    assert second[:1] == "T"
    assert second[1:].isdecimal()
    assert len(second) == 5


def test_a_project_is_called_another_name(admin: Person, project: str) -> None:
    found = admin.get(f"/projects/{project}")
    tag = admin.answer.headers["etag"]
    admin.get(f"/projects/{project}", 304, headers={"If-None-Match": tag})
    body = {**found, "displayName": "Renamed", "description": "new"}
    changed = admin.put(f"/projects/{project}", body, headers={"If-Match": tag})
    assert "x-ignored-fields" not in admin.answer.headers
    assert (changed["name"], changed["displayName"], changed["description"]) == (
        project,
        "Renamed",
        "new",
    )
    assert changed["modifiedAt"] > found["modifiedAt"]
    stale = admin.put(f"/projects/{project}", body, 412, headers={"If-Match": tag})
    assert stale["type"] == "precondition_failed"
    assert admin.get(f"/projects/{project}") == changed
    assert admin.answer.headers["etag"] != tag
    refused = admin.put(f"/projects/{project}", {**body, "name": "other"}, 400)
    assert refused["message"] == f"Parameter 'name' must be empty or '{project}' but is 'other'."
    admin.put(f"/projects/{project}", {"description": "no name"}, 400)


def test_pages_of_projects(people: People) -> None:
    person = people.make({"project-api": ["project_creator"]})
    assert person.get("/projects")["totalCount"] == 0
    names = [person.post("/projects", {"displayName": f"Paged {n}"})["name"] for n in range(3)]
    person.log_in()
    first = person.get("/projects?pagesize=2")
    assert first["totalCount"] == 3
    assert "prev" not in first["_links"]
    second = person.get_url(first["_links"]["next"]["href"])
    assert "next" not in second["_links"]
    found = [each["name"] for page in (first, second) for each in page["projects"]]
    assert found == sorted(names)
    assert "dataAccess" not in first["projects"][0]


def test_members_come_and_go(admin: Person, people: People, project: str) -> None:
    ada = people.make({})
    member = f"/projects/{project}/users/{ada.id}"
    ada.get(f"/projects/{project}", 403)
    added = admin.post(member, {"roles": ["viewer", "viewer"]})
    assert added == {
        "id": ada.id,
        "username": ada.username,
        "name": ada.username,
        "email": "",
        "roles": ["viewer"],
    }
    refused = admin.post(member, {"roles": ["editor"]}, 409)
    assert "is a member of project" in refused["message"]
    ada.log_in()
    assert ada.get(f"/projects/{project}")["name"] == project
    ada.put(f"/projects/{project}", {"displayName": "x"}, 403)
    assert admin.put(member, {"roles": ["producer", "editor"]})["roles"] == ["editor", "producer"]
    listed = admin.get(f"/projects/{project}/users")
    assert listed["totalCount"] == 2
    assert [each["username"] for each in listed["users"]] == ["admin", ada.username]
    paged = admin.get(f"/projects/{project}/users?pagesize=1&offset=1")
    assert [each["id"] for each in paged["users"]] == [ada.id]
    assert set(paged["_links"]) == {"self", "prev"}
    assert admin.put(member, {"roles": []})["roles"] == []
    assert admin.get(f"/projects/{project}/users")["totalCount"] == 1
    ada.log_in()
    ada.get(f"/projects/{project}", 403)


def test_roles_are_those_there_are(admin: Person, people: People, project: str) -> None:
    member = f"/projects/{project}/users/{people.make({}).id}"
    for method, roles, reason in (
        (admin.post, [], "must not be empty"),
        (admin.post, ["boss", "viewer", "king"], "but is 'boss, king'"),
        (admin.put, ["Viewer"], "but is 'Viewer'"),
    ):
        (problem,) = method(member, {"roles": roles}, 400)["invalidParams"]
        assert problem["name"] == "roles"
        assert reason in problem["reason"]
    admin.put(member, {}, 400)
    name = f"r{next(_numbers)}"
    admin.post(
        f"/projects/{project}/event-types/{name}",
        draft(name, consumer="reads-it", partitionCount=1),
    )
    assert admin.put(member, {"roles": ["reads-it"]})["roles"] == ["reads-it"]


def test_users_that_are_not_there(admin: Person, project: str) -> None:
    for unknown in ("nobody", "00000000-0000-0000-0000-000000000000", "%27", "a b"):
        for method in (admin.post, admin.put):
            refused = method(f"/projects/{project}/users/{unknown}", {"roles": ["viewer"]}, 404)
            assert "User with ID" in refused["message"]


def test_the_last_owner_stays(admin: Person, people: People, project: str) -> None:
    me, ada = f"/projects/{project}/users/{admin.id}", people.make({})
    other = f"/projects/{project}/users/{ada.id}"
    for roles in ([], ["editor", "viewer"]):
        (problem,) = admin.put(me, {"roles": roles}, 400)["invalidParams"]
        assert "must contain 'data_owner', as nobody else owns" in problem["reason"]
    admin.put(other, {"roles": ["data_owner"]})
    admin.put(f"/identity/users/{ada.id}", {"enabled": False})
    admin.put(me, {"roles": []}, 400)
    admin.put(f"/identity/users/{ada.id}", {"enabled": True})
    assert admin.put(me, {"roles": []})["roles"] == []
    ada.log_in()
    ada.put(other, {"roles": []}, 400)


def test_two_owners_cannot_leave_at_once(admin: Person, people: People, project: str) -> None:
    ada = people.make({})
    paths = [f"/projects/{project}/users/{person.id}" for person in (admin, ada)]
    for _ in range(5):
        admin.put(paths[1], {"roles": ["data_owner"]})
        statuses = people.at_once(lambda path: admin.call("PUT", path, json={"roles": []}), paths)
        assert sorted(statuses) == [200, 400]
        for path in paths:
            admin.put(path, {"roles": ["data_owner", "editor"]})


def test_what_a_project_has_is_in_its_schema(admin: Person, project: str) -> None:
    name = f"p{next(_numbers)}"
    path = f"/projects/{project}/event-types"
    made = admin.post(f"{path}/{name}", draft(name, partitionCount=1))
    assert made["projectName"] == project
    assert made["physicalLocations"][0]["locationName"] == f"{project}.eventstore_{name}"
    admin.get(f"/event-types/{name}")
    admin.get(f"/projects/global/event-types/{name}", 404)
    admin.get(f"/event-types/{name}/eventstores/pg/persister", 404)
    admin.post(f"{path}/{name}/eventstores/pg/persister/state", {"action": "START"})
    sent = admin.post(f"{path}/{name}/events", {"user": "u1", "id": "1"}, 202)
    assert sent["accepted"] == 1
    question = f'select correlation_id from "{project}"."eventstore_{name}"'

    def rows(where: str) -> str:
        return admin.granary.grnry("sql", "--project", where, question).stdout

    wait_for(lambda: "u1" in rows(project), seconds=60, what="the event is a row")
    refused = admin.granary.grnry("sql", question)
    assert "permission denied for schema" in refused.stderr
    admin.delete(f"{path}/{name}")


def test_searching_users(admin: Person, people: People) -> None:
    viewer = people.make({"project-api": ["user_viewer"]})
    found = viewer.get(f"/users?search={viewer.username[:-1].upper()}&pagesize=1")
    assert found["totalCount"] >= 1
    assert set(found["users"][0]) == {"id", "username", "name", "email"}
    assert viewer.get("/users?search=nobody-has-this")["users"] == []
    assert viewer.get("/users")["totalCount"] >= 2
    viewer.get("/users?pagesize=0", 400)
    admin.get("/users")


def test_the_header_of_the_seeds_is_accepted(admin: Person) -> None:
    for value in (admin.token, f"Bearer {admin.token}"):
        answer = admin.anonymous.get("/projects", headers={"Authentication": value})
        assert answer.status_code == 200
