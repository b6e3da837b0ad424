"""Every operation of the contract is called with every role, and each of both is expected here.

The expectation is written down by itself, from what the operations mean, not from the table that
decides: each operation names who may call it, as roles of the project that the path is about (or of
`global`, where it names none) and of other clients.
"""

import re
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg
import pytest

from tests.event_types.calling import Caller
from tests.projects.people import People, Person

READ = {"viewer", "editor"}
WRITE = {"editor"}
SEND = {"editor", "producer"}
OWN = {"data_owner"}
MEMBER = {"viewer", "editor", "producer", "data_owner"}
CREATE = {"project-api/project_creator"}
SEARCH = {"project-api/user_viewer"}
MANAGE = {"project-api/user_manager"}
ALL = {"everybody"}
OPEN = {"everybody", "without a token"}

REALM = "/auth/realms/{realm}"
EVENT_TYPE = "event-types/{event_type_name}"
PERSISTER = f"{EVENT_TYPE}/eventstores/pg/persister"
LIVE = f"{EVENT_TYPE}/eventstores/live-segment/persister"

EXPECTED: dict[str, set[str]] = {
    "GET /health/live": OPEN,
    "GET /health/ready": OPEN,
    "GET /docs": OPEN,
    f"GET {REALM}/.well-known/openid-configuration": OPEN,
    f"GET {REALM}/protocol/openid-connect/certs": OPEN,
    f"POST {REALM}/protocol/openid-connect/token": OPEN,
    f"POST {REALM}/protocol/openid-connect/revoke": OPEN,
    f"POST {REALM}/protocol/openid-connect/logout": OPEN,
    "GET /metrics": ALL,
    "GET /projects": ALL,
    "POST /projects": CREATE,
    "GET /projects/{project_name}": MEMBER,
    "PUT /projects/{project_name}": OWN,
    "GET /projects/{project_name}/users": OWN,
    "POST /projects/{project_name}/users/{user_id}": OWN,
    "PUT /projects/{project_name}/users/{user_id}": OWN,
    "GET /users": SEARCH,
    "GET /identity/users": MANAGE,
    "POST /identity/users": MANAGE,
    "GET /identity/users/{user_id}": MANAGE,
    "PUT /identity/users/{user_id}": MANAGE,
    "DELETE /identity/users/{user_id}": MANAGE,
    "PUT /identity/users/{user_id}/password": MANAGE,
    "PUT /identity/users/{user_id}/roles/{client}/{role}": MANAGE,
    "DELETE /identity/users/{user_id}/roles/{client}/{role}": MANAGE,
    "PUT /identity/me/password": ALL,
    "GET /event-types": ALL,
    f"GET /{EVENT_TYPE}": ALL,
    f"GET /{EVENT_TYPE}/{{version}}": ALL,
    "GET /events": ALL,
    "GET /events/{correlation_id}": ALL,
    "GET /events/{correlation_id}/{event_id}": ALL,
}
IN_PROJECT: dict[str, set[str]] = {
    "POST event-types": WRITE,
    f"POST {EVENT_TYPE}": WRITE,
    "POST event-types:evaluate": READ,
    f"PUT {EVENT_TYPE}": WRITE,
    f"DELETE {EVENT_TYPE}": WRITE,
    f"POST {EVENT_TYPE}:purge": WRITE,
    f"POST {EVENT_TYPE}/events": SEND,
    f"GET {EVENT_TYPE}/trace": READ,
    "GET dead-letters": READ,
    "GET dead-letters/{deployment}": READ,
    "GET dead-letters/{deployment}/{partition}/{offset}": READ,
    "POST dead-letters/{deployment}:replay": WRITE,
    "DELETE dead-letters/{deployment}": WRITE,
    f"GET {PERSISTER}": READ,
    f"PUT {PERSISTER}": WRITE,
    f"GET {PERSISTER}/logs": READ,
    f"GET {PERSISTER}/state": READ,
    f"POST {PERSISTER}/state": WRITE,
    f"GET {LIVE}": READ,
    f"PUT {LIVE}": WRITE,
    f"GET {LIVE}/logs": READ,
    f"GET {LIVE}/state": READ,
    f"POST {LIVE}/state": WRITE,
}
for operation, roles in IN_PROJECT.items():
    method, path = operation.split()
    EXPECTED[f"{method} /{path}"] = roles
    EXPECTED[f"{method} /projects/{{project_name}}/{path}"] = roles
for path in ("event-types", EVENT_TYPE, f"{EVENT_TYPE}/{{version}}"):
    EXPECTED[f"GET /projects/{{project_name}}/{path}"] = READ

MINE, OTHER, NONE = "Access-mine", "Access-other", "Access-none"
PROJECT_ROLES = ("viewer", "editor", "producer", "data_owner", "consumes-something")
CLIENT_ROLES = {
    "project-api": ("project_creator", "user_viewer", "user_manager"),
    "segment-management-api": ("segment_job_view", "segment_job_edit"),
    "event-api": ("calls_na_read", "editor"),
    "profile-api": ("editor", "_auth"),
    "account": ("editor", "data_owner", "user_manager"),
}


@dataclass(frozen=True)
class Holder:
    """Somebody with one role, or with none."""

    person: Person
    client: str = ""
    role: str = ""

    def may(self, operation: str, project: str) -> bool:
        """What is expected; a project that is not there is nobody's."""
        needed = EXPECTED[operation]
        if needed >= ALL:
            return True
        if f"{self.client}/{self.role}" in needed:
            return True
        return self.role in needed and self.client == project != NONE

    def __str__(self) -> str:
        return f"{self.client}/{self.role}" if self.role else "no role"


@pytest.fixture(scope="module")
def holders(caller: Caller) -> list[Holder]:
    people = People(caller)
    admin = people.admin()
    for name in (MINE, OTHER):
        assert admin.post("/projects", {"displayName": name})["name"] == name
    # Straight into the table, as an outside issuer could give them, with clients unknown here.
    clients = dict.fromkeys((MINE, OTHER, NONE, "global"), PROJECT_ROLES) | CLIENT_ROLES
    found = [Holder(people.make({}))]
    with caller.granary.platform() as database:
        for client, roles in clients.items():
            for role in roles:
                person = people.make({})
                give(database, person.id, client, role)
                found.append(Holder(person, client, role))
    for holder in found:
        holder.person.log_in()
    return found


def give(database: "psycopg.Connection[dict[str, Any]]", id_: str, client: str, role: str) -> None:
    statement = "insert into grnry.user_roles (user_id, client, role) values (%s, %s, %s)"
    database.execute(statement, (id_, client, role))


def operations(caller: Caller) -> list[str]:
    described = caller.anonymous.get("/openapi.json").json()["paths"]
    return [f"{method.upper()} {path}" for path in described for method in described[path]]


def test_each_operation_is_expected_and_each_expectation_is_one(caller: Caller) -> None:
    assert sorted(operations(caller)) == sorted(EXPECTED)


def test_every_role_and_every_operation(caller: Caller, holders: list[Holder]) -> None:
    wrong = []
    for operation in operations(caller):
        is_of_project = "{project_name}" in operation
        for project in (MINE, OTHER, "global", NONE) if is_of_project else ("global",):
            for holder in holders:
                status = call(holder.person, operation, project)
                allowed = status not in (401, 403)
                assert status < 500, f"{operation} of {project} as {holder}: {status}"
                if allowed != holder.may(operation, project):
                    wrong.append(f"{operation} of {project} as {holder}: {status}")
    assert not wrong, "\n".join(wrong)


def call(person: Person, operation: str, project: str) -> int:
    """Name things that are not there, and send what cannot be read: nothing is changed.

    Who may do it learns of these; who may not learns nothing but that.
    """
    method, path = operation.split()
    place = re.sub(r"{\w+}", "nothing", path.replace("{project_name}", project))
    body = b"" if method in ("GET", "DELETE") else b"{not json"
    return person.call(method, place, content=body).status_code


def test_an_anonymous_caller_gets_nowhere(caller: Caller) -> None:
    for operation in operations(caller):
        method, path = operation.split()
        place = re.sub(r"{\w+}", "nothing", path)
        status = caller.anonymous.request(method, place).status_code
        assert (status == 401) != (EXPECTED[operation] == OPEN), f"{operation}: {status}"


def test_an_anonymous_caller_cannot_tell_what_exists(caller: Caller) -> None:
    """Neither by the status nor by anything else of the answer."""
    name = caller.make()
    made = caller.anonymous.get(f"/event-types/{name}")
    missing = caller.anonymous.get(f"/event-types/{'x' * len(name)}")
    nowhere = caller.anonymous.patch(f"/nowhere/{name}?pagesize=x", content=b"{not json")

    def told(answer: httpx2.Response) -> dict[str, Any]:
        body: dict[str, Any] = answer.json()
        varying = ("timestamp", "traceId", "details")
        return {**answer.headers, **body} | dict.fromkeys((*varying, "date", "content-length"))

    assert told(made) == told(missing) == told(nowhere)
    assert made.status_code == 401
