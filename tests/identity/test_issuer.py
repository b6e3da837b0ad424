"""The built-in issuer over HTTP, on a real database, as Keycloak's clients use it."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from grnry.database.pool import Database
from grnry.http.app import create_app
from grnry.http.context import CurrentIdentity
from grnry.http.links import Links
from grnry.http.routing import Router
from grnry.identity.api import OPEN_PATHS, routes
from grnry.identity.bootstrap import bootstrap
from grnry.identity.issuer import Issuer, issuer_url
from grnry.identity.keys import SigningKeys
from grnry.identity.tokens import Expected, TokenVerifier
from grnry.settings import Settings

TOKEN = "/auth/realms/grnry/protocol/openid-connect/token"
PASSWORD = "correct horse"
SECRET = "the-secret-of-the-command-line"


def me() -> Router:
    router = Router()

    @router.get("/me")
    def show(identity: CurrentIdentity) -> dict[str, Any]:
        roles = {client: sorted(given) for client, given in identity.roles.items()}
        return {"username": identity.username, "roles": roles}

    return router


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    bootstrap(database, PASSWORD, SECRET)
    keys = SigningKeys(database)
    issuer = Issuer(database, keys, url=issuer_url("http://granary.test"))
    app = create_app(
        settings=Settings(),
        authenticator=TokenVerifier(keys, Expected(issuer.url)),
        routers=[me()],
        raw_routes=routes(issuer, Links()),
        open_paths=OPEN_PATHS,
    )
    with TestClient(app, "http://granary.test") as client:
        yield client


def log_in(client: TestClient, **others: str) -> dict[str, Any]:
    form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
    answer = client.post(TOKEN, data=form | {"password": PASSWORD} | others)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


ADMIN = {
    "username": "admin",
    "roles": {
        "global": ["data_owner", "editor", "producer", "viewer"],
        "project-api": ["project_creator", "user_viewer"],
        "segment-management-api": ["segment_job_edit", "segment_job_view"],
    },
}


def who(client: TestClient, token: str) -> Any:
    answer = client.get("/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_password_is_a_token_with_all_roles(client: TestClient) -> None:
    answer = log_in(client)
    assert answer["expires_in"] == 300
    assert answer["refresh_expires_in"] == 1800
    assert answer["token_type"] == "Bearer"
    assert who(client, answer["access_token"]) == ADMIN


@pytest.mark.parametrize(
    "name", ["grnry", "project-api", "profile-api", "event-api", "segment-management-api", "global"]
)
def test_users_log_in_through_the_clients_they_know(client: TestClient, name: str) -> None:
    answer = log_in(client, client_id=name, username="ADMIN")
    assert who(client, answer["access_token"]) == ADMIN


def test_a_refresh_token_is_a_new_token(client: TestClient) -> None:
    first = log_in(client)
    form = {"grant_type": "refresh_token", "client_id": "grnry"}
    answer = client.post(TOKEN, data=form | {"refresh_token": first["refresh_token"]}).json()
    assert answer["access_token"] != first["access_token"]
    assert who(client, answer["access_token"]) == ADMIN


def test_the_command_line_logs_in_with_its_secret(client: TestClient) -> None:
    form = {"grant_type": "client_credentials", "client_id": "grnry-cli"}
    answer = client.post(TOKEN, data=form | {"client_secret": SECRET})
    assert "refresh_token" not in answer.json()
    assert who(client, answer.json()["access_token"]) == ADMIN
    basic = client.post(
        TOKEN, data={"grant_type": "client_credentials"}, auth=("grnry-cli", SECRET)
    )
    assert who(client, basic.json()["access_token"]) == ADMIN
