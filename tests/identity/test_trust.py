"""With an issuer elsewhere: what is left of the built-in one, and who is told what."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from grnry.database.pool import Database
from grnry.errors import AuthenticationFailed, ServiceAway, StartError
from grnry.http.app import create_app
from grnry.http.links import Links
from grnry.identity.api import OPEN_PATHS, basic_credentials
from grnry.identity.issuer import TokenRequest
from grnry.identity.trust import Trust, checked_url
from grnry.settings import Settings
from tests.identity.signing import claims, sign
from tests.identity.test_issuer import me

OUTSIDE = "http://127.0.0.1:1/realms/granary"
SECRET = "the-secret-of-the-command-line"
TOKEN = "/auth/realms/grnry/protocol/openid-connect/token"
FORM = {"grant_type": "client_credentials", "client_id": "grnry-cli", "client_secret": SECRET}


def trust_of(database: Database, **settings: str) -> Trust:
    given_settings = {"admin_password": "password", "cli_secret": SECRET, **settings}
    trust = Trust(Settings(**given_settings), database, "http://granary.test")  # type: ignore[arg-type]
    trust.prepare()
    return trust


@contextmanager
def serve(trust: Trust, address: str = "127.0.0.1") -> Iterator[TestClient]:
    app = create_app(
        settings=Settings(),
        authenticator=trust.verifier,
        routers=[me()],
        raw_routes=trust.routes(Links()),
        open_paths=OPEN_PATHS,
        challenge=trust.challenge,
    )
    with TestClient(app, "http://granary.test", client=(address, 1)) as client:
        yield client


def granted(trust: Trust, *request: str, **others: str) -> str:
    return str(trust.issuer.grant(TokenRequest(*request, **others))["access_token"])


def test_only_the_command_lines_tokens_of_our_own_count(database: Database) -> None:
    trust = trust_of(database, oidc_issuer=OUTSIDE)
    own = granted(trust, "client_credentials", "grnry-cli", SECRET)
    assert trust.verifier.recall(own) is None
    assert trust.verifier.authenticate(own).username == "admin"
    assert trust.verifier.recall(own) is not None
    password = granted(trust, "password", "grnry", username="admin", password="password")
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            trust.verifier.authenticate(password)
    assert trust.verifier.recall(password) is None


def test_without_a_secret_nothing_of_our_own_counts(database: Database) -> None:
    own = granted(trust_of(database), "client_credentials", "grnry-cli", SECRET)
    trust = trust_of(database, oidc_issuer=OUTSIDE, cli_secret="")
    with pytest.raises(AuthenticationFailed):
        trust.verifier.authenticate(own)
    with pytest.raises(ServiceAway):  # it says that it is the outside issuer's, which is away
        trust.verifier.authenticate(sign(claims(iss=OUTSIDE)))
    with serve(trust) as client:
        assert client.post(TOKEN, data=FORM).status_code == 400


def test_an_api_alone_with_an_issuer_elsewhere_needs_no_admin(database: Database) -> None:
    trust_of(database, oidc_issuer=OUTSIDE, cli_secret="", admin_password="")


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 400), ("testing", 400)]
)
def test_the_command_line_has_to_be_on_this_machine(
    database: Database, address: str, status: int
) -> None:
    with serve(trust_of(database, oidc_issuer=OUTSIDE), address) as client:
        assert client.post(TOKEN, data=FORM).status_code == status


@pytest.mark.parametrize(
    "form",
    [
        {**FORM, "client_id": "grnry"},
        {**FORM, "grant_type": "password", "username": "admin", "password": "password"},
        {"grant_type": "password", "client_id": "grnry", "username": "admin", "password": "x"},
        {"grant_type": "refresh_token", "client_id": "grnry", "refresh_token": "x"},
        {},
    ],
)
def test_others_are_told_where_tokens_come_from(database: Database, form: dict[str, str]) -> None:
    with serve(trust_of(database, oidc_issuer=OUTSIDE)) as client:
        answer = client.post(TOKEN, data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
        assert OUTSIDE in answer.json()["error_description"]
        assert client.post(TOKEN, data={**FORM, "client_secret": "wrong"}).status_code == 401
        refused = client.get("/me")
        assert refused.headers["www-authenticate"] == f'Bearer issuer="{OUTSIDE}"'
        assert client.get("/segments").headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("url", ["https://host/realms/x", "http://[::1]:8080", "https://host/"])
def test_addresses_of_issuers(url: str) -> None:
    assert checked_url("GRNRY_OIDC_ISSUER", url) == url


@pytest.mark.parametrize(
    "url", ["host", "ftp://host", "https://", "https://a b", 'https://a"b', "http://[", "https://ä"]
)
def test_what_is_no_address_stops_the_start(database: Database, url: str) -> None:
    with pytest.raises(StartError, match=r"GRNRY_OIDC_ISSUER: .* is no address of an issuer"):
        trust_of(database, oidc_issuer=url)
    with pytest.raises(StartError, match="GRNRY_OIDC_JWKS_URL"):
        trust_of(database, oidc_issuer=OUTSIDE, oidc_jwks_url=url)


@given(st.text())
def test_any_setting_is_an_address_or_refused(url: str) -> None:
    try:
        assert checked_url("GRNRY_OIDC_ISSUER", url) == url
    except StartError:
        return
    assert '"' not in url


@given(st.text())
def test_any_authorization_of_a_client_is_read(header: str) -> None:
    assert set(basic_credentials(header)) in (set(), {"client_id", "client_secret"})
    assert set(basic_credentials("Basic " + header)) in (set(), {"client_id", "client_secret"})


@given(st.text(st.characters(codec="ascii", categories=["L", "N"])), st.text())
def test_a_clients_credentials_are_found_whole(client_id: str, secret: str) -> None:
    def quoted(text: str) -> str:
        from urllib.parse import quote_plus

        return quote_plus(text, errors="surrogatepass")

    pair: Any = f"{quoted(client_id)}:{quoted(secret)}".encode()
    found = basic_credentials(f"basic {base64.b64encode(pair).decode()}")
    assert found["client_id"] == client_id
    if secret.isprintable():
        assert found["client_secret"] == secret
