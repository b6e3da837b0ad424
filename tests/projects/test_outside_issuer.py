"""With an outside issuer, users and roles are its own: the answer says where to change them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from grnry.database.address import Place
from grnry.database.pool import Database
from grnry.http.app import create_app
from grnry.http.links import Links
from grnry.identity import users_api
from grnry.identity.tokens import TokenVerifier
from grnry.identity.users import Users
from grnry.projects import api
from grnry.projects.members import Members
from grnry.projects.service import Projects
from grnry.settings import Settings
from tests.identity.signing import EXPECTED, RSA, FixedKeys, claims, sign

ISSUER = "https://keycloak.example.com/realms/data"
ID = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    users = Users(database, outside_issuer=ISSUER)
    projects = Projects(database, tmp_path)
    members = Members(database, lambda project: (), outside_issuer=ISSUER)
    place = Place("database", 5432, "grnry", ssl=False)
    app = create_app(
        settings=Settings(),
        authenticator=TokenVerifier(FixedKeys(RSA), EXPECTED),
        projects=projects,
        routers=[
            api.projects_router(projects, place, Links()),
            api.members_router(members, Links()),
            users_api.search_router(users, Links()),
            users_api.management_router(users, Links()),
        ],
    )
    with TestClient(app, "http://granary.test") as client:
        yield client


def with_roles(**roles: list[str]) -> dict[str, str]:
    access = {name.replace("_", "-"): {"roles": given} for name, given in roles.items()}
    return {"Authorization": f"Bearer {sign(claims() | {'resource_access': access})}"}


CALLS = [
    ("GET", "/users", {}),
    ("GET", "/projects/global/users", {}),
    ("POST", f"/projects/global/users/{ID}", {"roles": ["viewer"]}),
    ("PUT", f"/projects/global/users/{ID}", {"roles": []}),
    ("GET", "/identity/users", {}),
    ("POST", "/identity/users", {"username": "ada", "password": "long enough"}),
    ("GET", f"/identity/users/{ID}", {}),
    ("PUT", f"/identity/users/{ID}", {"enabled": False}),
    ("DELETE", f"/identity/users/{ID}", {}),
    ("PUT", f"/identity/users/{ID}/password", {"password": "long enough"}),
    ("PUT", f"/identity/users/{ID}/roles/global/viewer", {}),
    ("DELETE", f"/identity/users/{ID}/roles/global/viewer", {}),
    ("PUT", "/identity/me/password", {"currentPassword": "x", "password": "long enough"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_the_answer_says_where(
    client: TestClient, method: str, path: str, body: dict[str, object]
) -> None:
    headers = with_roles(project_api=["user_viewer", "user_manager"], **{"global": ["data_owner"]})
    answer = client.request(method, path, json=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "bad_parameter_value")
    assert f"issuer {ISSUER}" in answer.json()["message"]
    if path != "/identity/me/password":
        assert client.request(method, path, json=body, headers=with_roles()).status_code == 403


def test_projects_are_made_and_their_roles_are_given_outside(client: TestClient) -> None:
    creator = with_roles(project_api=["project_creator"])
    name = client.post("/projects", json={"displayName": "Beyond"}, headers=creator).json()["name"]
    assert client.get(f"/projects/{name}", headers=creator).status_code == 403
    owner = with_roles(**{name: ["data_owner"]})
    assert client.get(f"/projects/{name}", headers=owner).json()["name"] == name
    assert client.get("/projects", headers=owner).json()["totalCount"] == 1


def test_a_client_of_the_issuer_is_no_project(client: TestClient) -> None:
    headers = with_roles(elsewhere=["data_owner", "editor", "viewer"])
    assert client.get("/projects", headers=headers).json()["totalCount"] == 0
    for path in ("/projects/elsewhere", "/projects/elsewhere/users"):
        assert client.get(path, headers=headers).status_code == 403
