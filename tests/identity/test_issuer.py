"""The built-in issuer over HTTP, on a real database, as Keycloak's clients use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from psycopg import sql
from starlette.testclient import TestClient

from grnry.database.pool import Database
from grnry.http.app import create_app
from grnry.http.context import CurrentIdentity
from grnry.http.links import Links
from grnry.http.routing import Router
from grnry.identity import store
from grnry.identity.access import SIGNED_IN
from grnry.identity.api import OPEN_PATHS, routes
from grnry.identity.bootstrap import bootstrap
from grnry.identity.issuer import Issuer, issuer_url
from grnry.identity.keys import SigningKeys
from grnry.identity.tokens import Expected, TokenVerifier, verified_claims
from grnry.settings import Settings
from tests.conftest import Postgres
from tests.identity.signing import FixedKeys

TOKEN = "/auth/realms/grnry/protocol/openid-connect/token"
PASSWORD = "correct horse"
SECRET = "the-secret-of-the-command-line"


def me() -> Router:
    router = Router(permission=SIGNED_IN)

    @router.get("/me")
    def show(identity: CurrentIdentity) -> dict[str, Any]:
        roles = {client: sorted(given) for client, given in identity.roles.items()}
        return {"username": identity.username, "roles": roles}

    return router


@contextmanager
def serve(database: Database) -> Iterator[TestClient]:
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


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[TestClient]:
    """For tests that change nothing."""
    name = postgres.make_database()
    database = Database(postgres.url(name)).open()
    with serve(database) as client:
        yield client
    database.close()
    postgres.drop_database(name)


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    """For tests that change what is stored."""
    with serve(database) as client:
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
        "project-api": ["project_creator", "user_manager", "user_viewer"],
        "segment-management-api": ["segment_job_edit", "segment_job_view"],
    },
}


def who(client: TestClient, token: str) -> Any:
    answer = client.get("/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_password_is_a_token_with_all_roles(shared: TestClient) -> None:
    answer = log_in(shared)
    assert answer["expires_in"] == 300
    assert answer["refresh_expires_in"] == 1800
    assert answer["token_type"] == "Bearer"
    assert who(shared, answer["access_token"]) == ADMIN


@pytest.mark.parametrize(
    "name", ["grnry", "project-api", "profile-api", "event-api", "segment-management-api", "global"]
)
def test_users_log_in_through_the_clients_they_know(shared: TestClient, name: str) -> None:
    answer = log_in(shared, client_id=name, username="ADMIN")
    assert who(shared, answer["access_token"]) == ADMIN


def test_a_refresh_token_is_a_new_token(shared: TestClient) -> None:
    first = log_in(shared)
    form = {"grant_type": "refresh_token", "client_id": "grnry"}
    answer = shared.post(TOKEN, data=form | {"refresh_token": first["refresh_token"]}).json()
    assert answer["access_token"] != first["access_token"]
    assert who(shared, answer["access_token"]) == ADMIN


def test_the_command_line_logs_in_with_its_secret(shared: TestClient) -> None:
    form = {"grant_type": "client_credentials", "client_id": "grnry-cli"}
    answer = shared.post(TOKEN, data=form | {"client_secret": SECRET})
    assert "refresh_token" not in answer.json()
    assert who(shared, answer.json()["access_token"]) == ADMIN
    basic = shared.post(
        TOKEN, data={"grant_type": "client_credentials"}, auth=("grnry-cli", SECRET)
    )
    assert who(shared, basic.json()["access_token"]) == ADMIN


OAUTH_ERRORS: list[tuple[dict[str, str], int, str, str]] = [
    ({}, 400, "invalid_request", "Missing form parameter: grant_type"),
    ({"grant_type": "implicit"}, 400, "unsupported_grant_type", "Unsupported grant_type"),
    ({"grant_type": "password"}, 401, "invalid_client", "Invalid client or Invalid client"),
    ({"grant_type": "password", "client_id": "none"}, 401, "invalid_client", "Invalid client"),
    (
        {"grant_type": "password", "client_id": "grnry"},
        401, "invalid_request", "Missing parameter: username",
    ),
    (
        {"grant_type": "password", "client_id": "grnry", "username": "admin"},
        401, "invalid_grant", "Invalid user credentials",
    ),
    (
        {"grant_type": "password", "client_id": "grnry", "username": "nobody", "password": "x"},
        401, "invalid_grant", "Invalid user credentials",
    ),
    (
        {"grant_type": "password", "client_id": "grnry", "username": "a", "password": "x" * 2000},
        401, "invalid_grant", "Invalid user credentials",
    ),
    (
        {"grant_type": "password", "client_id": "grnry-cli", "client_secret": "no"},
        401, "unauthorized_client", "Invalid client or Invalid client credentials",
    ),
    (
        {"grant_type": "password", "client_id": "grnry-cli", "client_secret": SECRET},
        400, "unauthorized_client", "Client not allowed for direct access grants",
    ),
    (
        {"grant_type": "client_credentials", "client_id": "grnry"},
        401, "unauthorized_client", "Public client not allowed to retrieve service account",
    ),
    (
        {"grant_type": "refresh_token", "client_id": "grnry"},
        400, "invalid_request", "No refresh token",
    ),
    (
        {"grant_type": "refresh_token", "client_id": "grnry", "refresh_token": "abc"},
        400, "invalid_grant", "Invalid refresh token",
    ),
    (
        {"grant_type": "password", "client_id": "gr\0nry"},
        400, "invalid_request", "Missing form parameter",
    ),
]  # fmt: skip


def test_refusals_are_those_of_keycloak(shared: TestClient) -> None:
    for form, status, code, description in OAUTH_ERRORS:
        answer = shared.post(TOKEN, data=form)
        assert (answer.status_code, answer.json()["error"]) == (status, code), form
        assert answer.json()["error_description"].startswith(description)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"grant_type": "password"}},
        {"content": b"grant_type=password&grant_type=password", "headers": {
            "content-type": "application/x-www-form-urlencoded"}},
        {"data": {"grant_type": "x" * 70_000}},
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(shared: TestClient, request_: dict[str, Any]) -> None:
    answer = shared.post(TOKEN, **request_)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing(
    shared: TestClient,
) -> None:
    tokens = log_in(shared)
    refused = shared.get("/me", headers={"Authorization": f"Bearer {tokens['refresh_token']}"})
    assert refused.status_code == 401
    form = {"grant_type": "refresh_token", "client_id": "grnry"}
    answer = shared.post(TOKEN, data=form | {"refresh_token": tokens["access_token"]})
    assert answer.json()["error"] == "invalid_grant"
    other = {"client_id": "profile-api", "refresh_token": tokens["refresh_token"]}
    assert shared.post(TOKEN, data=form | other).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "change",
    [
        "update grnry.users set enabled = false",
        "update grnry.users set sessions_since = now() + interval '1 second'",
        "delete from grnry.users",
    ],
)
def test_a_refresh_ends_with_its_session(
    client: TestClient, database: Database, change: str
) -> None:
    tokens = log_in(client)
    with database.transaction() as transaction:
        transaction.run(sql.SQL(change))
    form = {"grant_type": "refresh_token", "client_id": "grnry"}
    answer = client.post(TOKEN, data=form | {"refresh_token": tokens["refresh_token"]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_role_granted_is_in_the_next_token(client: TestClient, database: Database) -> None:
    tokens = log_in(client)
    with database.transaction() as transaction:
        admin = store.find_user(transaction, "admin")
        assert admin
        store.grant_roles(transaction, admin.id, "shop", ["editor"])
    form = {"grant_type": "refresh_token", "client_id": "grnry"}
    answer = client.post(TOKEN, data=form | {"refresh_token": tokens["refresh_token"]})
    assert who(client, answer.json()["access_token"])["roles"]["shop"] == ["editor"]


def test_a_disabled_user_cannot_log_in(client: TestClient, database: Database) -> None:
    with database.transaction() as transaction:
        transaction.run(sql.SQL("update grnry.users set enabled = false"))
    form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
    answer = client.post(TOKEN, data=form | {"password": PASSWORD})
    assert answer.json() == {"error": "invalid_grant", "error_description": "Account disabled"}


def test_guessing_is_slowed_down(client: TestClient) -> None:
    form = {"grant_type": "password", "client_id": "grnry", "username": "admin"}
    statuses = [
        client.post(TOKEN, data=form | {"password": f"guess {number}"}).status_code
        for number in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2
    refused = client.post(TOKEN, data=form | {"password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1


def test_discovery_leads_to_keys_and_tokens(shared: TestClient) -> None:
    found = shared.get("/auth/realms/grnry/.well-known/openid-configuration").json()
    assert found["issuer"] == "http://granary.test/auth/realms/grnry"
    assert found["token_endpoint"] == f"http://granary.test{TOKEN}"
    keys = shared.get(found["jwks_uri"]).json()["keys"]
    source = FixedKeys(*(RSAKey.import_key(key) for key in keys))
    token = log_in(shared)["access_token"]
    verified = verified_claims(token, source)
    assert verified["iss"] == found["issuer"]
    assert verified["azp"] == "grnry"
    assert {"sub", "jti", "iat", "exp", "name", "preferred_username"} <= set(verified)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/auth/realms/master/protocol/openid-connect/token"),
        ("GET", "/auth/realms/master/protocol/openid-connect/certs"),
        ("GET", "/auth/realms/master/.well-known/openid-configuration"),
    ],
)
def test_other_realms_do_not_exist(shared: TestClient, method: str, path: str) -> None:
    answer = shared.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Realm does not exist"})
