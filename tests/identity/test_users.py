"""Users of the built-in issuer, managed over HTTP on a whole running Granary."""

import itertools
import subprocess
from typing import Any

import pytest

from tests.event_types.calling import Caller
from tests.projects.people import PASSWORD, People, Person

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def people(caller: Caller) -> People:
    return People(caller)


@pytest.fixture
def admin(people: People) -> Person:
    return people.admin()


def body(**others: Any) -> dict[str, Any]:
    return {"username": f"user-{next(_numbers)}", "password": PASSWORD, **others}


def test_a_user_is_made_and_logs_in(admin: Person, caller: Caller) -> None:
    wanted = body(name="Ada Lovelace", email="ada@example.com")
    made = admin.post("/identity/users", wanted)
    assert "password" not in str(made).lower()
    created = made.pop("createdAt")
    assert made == {
        "id": made["id"],
        "username": wanted["username"],
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "enabled": True,
        "roles": {},
    }
    assert admin.get(f"/identity/users/{made['id']}") == {**made, "createdAt": created}
    ada = Person(caller, wanted["username"].upper(), PASSWORD, made["id"])
    assert ada.get("/projects")["projects"] == []
    refused = admin.post("/identity/users", {**wanted, "username": ada.username}, 409)
    assert "already exists" in refused["message"]
    listed = admin.get(f"/identity/users?search={wanted['username']}")
    assert made["id"] in [each["id"] for each in listed["users"]]


def test_all_that_is_wrong_is_named(admin: Person) -> None:
    wrong = {"username": "a b", "password": "short", "name": "x" * 257, "email": "nowhere"}
    refused = admin.post("/identity/users", wrong, 400)
    assert {each["name"] for each in refused["invalidParams"]} == set(wrong)
    assert "short" not in refused["message"]
    admin.post("/identity/users", {}, 400)
    admin.post("/identity/users", body(password="x" * 1025), 400)


def test_a_disabled_user_gets_no_more_tokens(admin: Person, people: People) -> None:
    ada = people.make({"project-api": ["user_viewer"]})
    path = f"/identity/users/{ada.id}"
    before = admin.get(path)
    tag = admin.answer.headers["etag"]
    admin.get(path, 304, {"If-None-Match": tag})
    changed = admin.put(path, {**before, "enabled": False}, headers={"If-Match": tag})
    assert changed == {**before, "enabled": False}
    assert "x-ignored-fields" not in admin.answer.headers
    admin.put(path, {"enabled": True}, 412, {"If-Match": tag})
    for form in (
        {"grant_type": "password", "username": ada.username, "password": PASSWORD},
        {"grant_type": "refresh_token", "refresh_token": ada.refresh_token},
    ):
        assert ada.ask(**form).status_code == 400
    ada.get("/users")  # until the access token ends, as no request looks a user up
    admin.put(path, {"enabled": True})
    ada.log_in()


def test_a_new_password_ends_what_the_old_one_began(admin: Person, people: People) -> None:
    ada = people.make({})
    admin.put(f"/identity/users/{ada.id}/password", {"password": "another of them"}, 204)
    refused = ada.ask(grant_type="refresh_token", refresh_token=ada.refresh_token)
    assert refused.json()["error"] == "invalid_grant"
    assert ada.ask(grant_type="password", username=ada.username, password=PASSWORD).is_error
    ada.password = "another of them"
    ada.log_in()
    ada.refresh()
    admin.put(f"/identity/users/{ada.id}/password", {"password": "short"}, 400)


def test_everybody_changes_their_own_password(people: People) -> None:
    ada = people.make({})
    wrong = {"currentPassword": "not it", "password": "another of them"}
    refused = ada.put("/identity/me/password", wrong, 400)
    assert refused["message"] == "Parameter 'currentPassword' is wrong."
    old = ada.refresh_token
    ada.put("/identity/me/password", {**wrong, "currentPassword": PASSWORD}, 204)
    assert ada.ask(grant_type="refresh_token", refresh_token=old).is_error
    ada.password = "another of them"
    ada.log_in()


def test_guessing_ones_own_password_is_slowed_down(people: People) -> None:
    ada = people.make({})
    wrong = {"currentPassword": "not it", "password": "another of them"}
    statuses = [ada.call("PUT", "/identity/me/password", json=wrong).status_code for _ in range(7)]
    assert statuses[:5] == [400] * 5
    assert statuses[-1] == 429


def test_roles_are_given_and_taken(admin: Person, people: People) -> None:
    ada = people.make({})
    roles = f"/identity/users/{ada.id}/roles"
    ada.get("/event-types/x/eventstores/pg/persister", 403)
    admin.put(f"{roles}/global/viewer", None, 204)
    admin.put(f"{roles}/global/viewer", None, 204)
    admin.put(f"{roles}/event-api/calls_adobe_read", None, 204)
    found = admin.get(f"/identity/users/{ada.id}")["roles"]
    assert found == {"event-api": ["calls_adobe_read"], "global": ["viewer"]}
    ada.refresh()
    ada.get("/event-types/x/eventstores/pg/persister", 404)
    admin.delete(f"{roles}/global/viewer")
    admin.delete(f"{roles}/global/viewer", 404)
    for client, role, name in (
        ("nowhere", "viewer", "client"),
        ("global", "edtor", "role"),
        ("project-api", "editor", "role"),
        ("event-api", "a%20b", "role"),
    ):
        refused = admin.put(f"{roles}/{client}/{role}", None, 400)
        assert refused["invalidParams"][0]["name"] == name


def test_a_deleted_user_is_gone(admin: Person, people: People) -> None:
    ada = people.make({"global": ["viewer"]})
    admin.delete(f"/identity/users/{ada.id}")
    admin.delete(f"/identity/users/{ada.id}", 404)
    admin.get(f"/identity/users/{ada.id}", 404)
    assert ada.ask(grant_type="refresh_token", refresh_token=ada.refresh_token).is_error


def test_somebody_can_always_manage_users(admin: Person, people: People) -> None:
    path = f"/identity/users/{admin.id}"
    for refused in (
        admin.put(path, {"enabled": False}, 412),
        admin.delete(path, 412),
        admin.delete(f"{path}/roles/project-api/user_manager", 412),
    ):
        assert "nobody else could manage users" in refused["message"]
    other = people.make({"project-api": ["user_manager"]})
    in_use = other.delete(path, 412)
    assert "grnry-cli acts as them" in in_use["message"]
    own = f"/identity/users/{other.id}/roles/project-api/user_manager"
    statuses = people.at_once(
        lambda each: admin.call("DELETE", each), [own, f"{path}/roles/project-api/user_manager"]
    )
    assert sorted(statuses) == [204, 412]
    for person in (admin, other):  # by whoever is the manager still, with a token that says so
        assert person.call(
            "PUT", f"{path}/roles/project-api/user_manager", headers=None
        ).status_code in (204, 403)
    admin.log_in()
    assert "user_manager" in admin.get(path)["roles"]["project-api"]


def test_a_service_account_is_no_person(admin: Person, caller: Caller) -> None:
    caller.granary.do("client", "create", "robot", "--role", "global:producer")
    with caller.granary.platform() as database:
        query = "select acts_as::text as id from grnry.clients where client_id = 'robot'"
        robot = database.execute(query).fetchone()
    assert robot
    path = f"/identity/users/{robot['id']}"
    assert admin.get(path)["roles"] == {"global": ["producer"]}
    assert admin.get("/users?search=robot")["totalCount"] == 0
    refused = admin.put(f"{path}/password", {"password": "another of them"}, 412)
    assert "has a secret, no password" in refused["message"]
    assert "robot acts as them" in admin.delete(path, 412)["message"]


def test_the_command_line_manages_users(caller: Caller) -> None:
    granary = caller.granary
    made = granary.do("user", "create", "grace", "--generate", "--email", "grace@example.com")
    assert "Password (shown this once): " in made
    password = made.rsplit(": ", 1)[1].strip()
    grace = next(
        each for each in caller.get("/identity/users?search=grace")["users"] if each["name"]
    )
    person = Person(caller, "grace", password, grace["id"])
    done = granary.grnry(
        "user", "set-password", "grace", "--password-stdin", stdin="typed by herself\n"
    )
    assert done.returncode == 0, done.stderr
    person.password = "typed by herself"
    person.log_in()
    assert "grace@example.com" in granary.do("user", "list", "--search", "grac")
    granary.do("user", "grant", "grace", "global", "viewer")
    assert "roles.global  viewer" in granary.do("user", "show", "grace")
    granary.do("user", "revoke", "grace", "global", "viewer")
    assert "false" in granary.do("user", "disable", "grace")
    assert person.ask(grant_type="password", username="grace", password=person.password).is_error
    assert "true" in granary.do("user", "enable", "grace")
    assert said(granary.grnry("user", "create", "hedy")) == (
        "Give the password by --password-stdin, or let one be made: --generate.\n"
    )
    assert said(granary.grnry("user", "show", "nobody")) == "There is no user 'nobody'.\n"
    granary.do("user", "delete", "grace")


def said(done: "subprocess.CompletedProcess[str]") -> str:
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr
