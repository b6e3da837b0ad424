"""Who may not call an operation learns that, and nothing else of it."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from grnry.http.app import create_app
from grnry.http.bodies import RequestBody
from grnry.http.routing import ProjectName, Router, Unscoped
from grnry.identity.access import CHANGE, SIGNED_IN, VIEW_USERS
from grnry.identity.tokens import TokenVerifier
from grnry.settings import Settings
from tests.identity.signing import EXPECTED, RSA, FixedKeys, claims, sign


class Body(RequestBody):
    name: str


def rooms() -> Router:
    router = Router()

    @router.scoped("POST", "/rooms/{name}", permission=CHANGE)
    def make(project: ProjectName, name: str, body: Body) -> dict[str, str]:
        """Make a room."""
        return {"project": project, "name": name}

    everywhere = Unscoped("", "everywhere", "In all projects.", SIGNED_IN)

    @router.scoped("GET", "/rooms", permission=CHANGE, unscoped=everywhere)
    async def find(project: ProjectName) -> dict[str, str]:
        return {"project": project}

    return router


class Here:
    """Only `global` and `shop` are projects."""

    def recall(self, name: str) -> bool:
        return name == "global"

    def exists(self, name: str) -> bool:
        return name == "shop"


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = create_app(
        settings=Settings(),
        authenticator=TokenVerifier(FixedKeys(RSA), EXPECTED),
        projects=Here(),
        routers=[rooms()],
    )
    return TestClient(app, "http://granary.test")


def as_editor_of(*projects: str) -> dict[str, str]:
    access = {project: {"roles": ["editor"]} for project in projects}
    return {"Authorization": f"Bearer {sign(claims() | {'resource_access': access})}"}


def test_a_route_without_a_permission_cannot_be_registered() -> None:
    with pytest.raises(TypeError, match="GET /x has no permission"):
        Router().get("/x")(lambda: None)
    with pytest.raises(TypeError, match=r"POST /projects/.*/x has no permission"):
        Router().scoped("POST", "/x")(lambda project: None)


@pytest.mark.parametrize("path", ["/rooms/a", "/projects/shop/rooms/a", "/projects/none/rooms/a"])
@pytest.mark.parametrize("body", ["{}", "{bad", '{"name": 5}'])
def test_403_comes_before_what_is_wrong_with_the_request(
    client: TestClient, path: str, body: str
) -> None:
    for headers in (as_editor_of("other"), as_editor_of("none"), as_editor_of()):
        for kind in ("application/json", "text/plain"):
            answer = client.post(path, content=body, headers=headers | {"Content-Type": kind})
            assert answer.status_code == 403
            assert answer.json()["message"] == "Access forbidden due to missing roles."


def test_roles_from_outside_make_no_project(client: TestClient) -> None:
    headers = as_editor_of("shop", "none")
    made = client.post("/projects/shop/rooms/a", json={"name": "x"}, headers=headers)
    assert made.json() == {"project": "shop", "name": "a"}
    assert client.get("/projects/none/rooms", headers=headers).status_code == 403


def test_one_handler_is_two_operations(client: TestClient) -> None:
    headers = as_editor_of("global")
    made = client.post("/rooms/a", json={"name": "x"}, headers=headers)
    assert made.json() == {"project": "global", "name": "a"}
    assert client.get("/rooms", headers=as_editor_of()).json() == {"project": ""}
    assert client.get("/projects/global/rooms", headers=as_editor_of()).status_code == 403


def test_both_operations_are_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]

    def named(operation: dict[str, Any]) -> list[str]:
        return [parameter["name"] for parameter in operation.get("parameters", [])]

    scoped = described["/projects/{project_name}/rooms/{name}"]["post"]
    unscoped = described["/rooms/{name}"]["post"]
    assert (named(scoped), named(unscoped)) == (["project_name", "name"], ["name"])
    assert (scoped["summary"], unscoped["summary"]) == ("Make a room", "Make a room")
    assert "In the project `global`." in unscoped["description"]
    assert "Needs the role `editor` of the project." in scoped["description"]
    assert scoped["x-permission"] == unscoped["x-permission"] == CHANGE.name
    assert described["/rooms"]["get"]["x-permission"] == SIGNED_IN.name


def test_a_role_of_another_client_does_not_count() -> None:
    assert "`user_viewer` of the client `project-api`" in VIEW_USERS.sentence
