"""Refresh tokens: each counts once, and what was copied ends the login."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql
from starlette.testclient import TestClient

from grnry.database.pool import Database
from grnry.identity import sessions
from grnry.identity.bootstrap import bootstrap
from grnry.identity.issuer import Issuer, Refused, TokenRequest
from grnry.identity.keys import SigningKeys
from grnry.identity.sessions import REFRESH_SECONDS, REPEAT_SECONDS, Use, judge
from tests.identity.test_issuer import PASSWORD, log_in, serve

REALM = "/auth/realms/grnry/protocol/openid-connect"


class Login:
    """An issuer whose clock is ours, and one login."""

    def __init__(self, database: Database) -> None:
        bootstrap(database, PASSWORD, "secret")
        with database.transaction() as transaction:
            self.now = float(transaction.value(sql.SQL("select extract(epoch from now())"))) + 1
        self.database = database
        self.issuer = self.another_process()
        request = TokenRequest("password", "grnry", username="admin", password=PASSWORD)
        self.first = str(self.issuer.grant(request)["refresh_token"])

    def another_process(self) -> Issuer:
        keys = SigningKeys(self.database)
        return Issuer(self.database, keys, url="http://granary.test", clock=lambda: self.now)

    def refresh(self, token: str, issuer: Issuer | None = None) -> str:
        request = TokenRequest("refresh_token", "grnry", refresh_token=token)
        return str((issuer or self.issuer).grant(request)["refresh_token"])

    def refused(self, token: str) -> str:
        with pytest.raises(Refused) as refusal:
            self.refresh(token)
        assert (refusal.value.status, refusal.value.code) == (400, "invalid_grant")
        return refusal.value.message

    def count(self) -> int:
        with self.database.transaction() as transaction:
            return int(transaction.value(sql.SQL("select count(*) from grnry.sessions")))


@pytest.fixture
def login(database: Database) -> Login:
    return Login(database)


def test_a_refresh_token_that_was_copied_ends_the_login_for_both(login: Login) -> None:
    second = login.refresh(login.first)
    login.now += REPEAT_SECONDS
    third = login.refresh(second)
    login.now += REPEAT_SECONDS
    assert login.refused(login.first) == "Maximum allowed refresh token reuse exceeded"
    assert login.refused(third) == "Session not active"
    assert login.count() == 0


def test_right_after_its_use_it_may_come_again(login: Login) -> None:
    """The answer was lost on its way, or two programs share the login: both go on."""
    one = login.refresh(login.first)
    login.now += REPEAT_SECONDS - 1
    other = login.refresh(login.first)
    login.refresh(one)
    login.refresh(other)


def test_a_login_goes_on_in_another_process_and_after_a_restart(login: Login) -> None:
    second = login.refresh(login.first, login.another_process())
    login.refresh(second, login.another_process())


def test_a_login_lives_as_long_as_it_is_refreshed(login: Login) -> None:
    token = login.first
    for _ in range(3):
        login.now += REFRESH_SECONDS - 1
        token = login.refresh(token)
    login.now += REFRESH_SECONDS + 1
    assert login.refused(token) == "Token is not active"
    login.issuer.grant(TokenRequest("password", "grnry", username="admin", password=PASSWORD))
    assert login.count() == 1, "a login clears away what has run out"


def test_many_at_once_get_one_successor(login: Login) -> None:
    with ThreadPoolExecutor(8) as threads:
        successors = list(threads.map(login.refresh, [login.first] * 8))
    with login.database.transaction() as transaction:
        assert transaction.value(sql.SQL("select generation from grnry.sessions")) == 2
    login.refresh(successors[0])


def test_a_revoked_token_refreshes_nothing(login: Login) -> None:
    login.issuer.revoke(TokenRequest(client_id="grnry", refresh_token=login.first))
    assert login.refused(login.first) == "Session not active"
    login.issuer.revoke(TokenRequest(client_id="grnry", refresh_token=login.first))


def test_tokens_of_an_earlier_version_are_refused(login: Login) -> None:
    claims = {"sub": "x", "typ": "Refresh", "azp": "grnry"}
    assert login.refused(login.issuer._sign(claims, 100)) == "Invalid refresh token"


@given(st.integers(1, 100), st.integers(1, 100), st.floats(0, 100))
def test_only_the_last_one_and_shortly_the_one_before_count(
    last: int, given_: int, seconds: float
) -> None:
    use = judge(given_, last, seconds)
    assert (use is Use.NEXT) == (given_ == last)
    assert (use is Use.REPEATED) == (given_ == last - 1 and seconds < sessions.REPEAT_SECONDS)


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with serve(database) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "field", "status"), [("/revoke", "token", 200), ("/logout", "refresh_token", 204)]
)
def test_a_login_is_ended_over_http(client: TestClient, path: str, field: str, status: int) -> None:
    token = log_in(client)["refresh_token"]

    def post(path: str, **form: str) -> Any:
        return client.post(REALM + path, data={"client_id": "grnry", **form})

    assert post(path).status_code == 400
    assert client.post(REALM + path, data={field: token}).status_code == 401
    assert post(path, **{field: token}).status_code == status
    refused = post("/token", grant_type="refresh_token", refresh_token=token)
    assert refused.json()["error_description"] == "Session not active"
    assert post(path, **{field: token}).status_code == status
    assert post(path, **{field: "abc"}).status_code == status


def test_the_discovery_document_names_every_path(client: TestClient) -> None:
    document = client.get("/auth/realms/grnry/.well-known/openid-configuration").json()
    for name in ("token_endpoint", "revocation_endpoint", "end_session_endpoint"):
        path = document[name].removeprefix("http://granary.test")
        assert client.post(path, data={"x": "y"}).status_code in (400, 401), name
    assert client.get(document["jwks_uri"]).json()["keys"]
