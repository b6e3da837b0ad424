"""Tokens of an issuer elsewhere; the built-in one stands in for it, over real HTTP."""

import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import uvicorn
from joserfc.jwk import OKPKey
from starlette.types import ASGIApp, Receive, Scope, Send

from grnry.database.pool import Database
from grnry.errors import AuthenticationFailed, StartError
from grnry.http.app import create_app
from grnry.http.links import Links
from grnry.identity import keys as keys_module
from grnry.identity.api import OPEN_PATHS, routes
from grnry.identity.bootstrap import bootstrap
from grnry.identity.issuer import Issuer, TokenRequest, issuer_url
from grnry.identity.keys import SigningKeys
from grnry.identity.oidc import (
    AT_ONCE,
    MOST_WAITING,
    REFRESH_SECONDS,
    REREAD_SECONDS,
    RETRY_SECONDS,
    Fetcher,
    IssuerAway,
    OidcKeys,
)
from grnry.identity.tokens import Expected, TokenVerifier
from grnry.settings import Settings
from tests.conftest import wait_for
from tests.identity.signing import EXPECTED, ISSUER, RSA, claims, sign


class Elsewhere:
    """An issuer in a server of its own, that counts who asks."""

    def __init__(self, database: Database) -> None:
        bootstrap(database, "password", "")
        self._socket = socket.socket()  # taken, and refusing connections before the start
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.keys = SigningKeys(database)
        self.issuer = Issuer(database, self.keys, url=issuer_url(f"http://127.0.0.1:{self.port}"))
        self.asked = 0
        app = create_app(
            settings=Settings(),
            authenticator=TokenVerifier(self.keys, Expected(self.issuer.url)),
            raw_routes=routes(self.issuer, Links()),
            open_paths=OPEN_PATHS,
        )
        self._server = uvicorn.Server(
            uvicorn.Config(self._counting(app), log_config=None, ws="none")
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def _counting(self, app: ASGIApp) -> ASGIApp:
        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            self.asked += scope["type"] == "http"
            await app(scope, receive, send)

        return counting

    def token(self) -> str:
        request = TokenRequest("password", "grnry", username="admin", password="password")
        return str(self.issuer.grant(request)["access_token"])

    def start(self) -> None:
        self._thread.start()
        wait_for(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread.ident:
            self._thread.join()
        self._socket.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def elsewhere(database: Database) -> Iterator[Elsewhere]:
    server = Elsewhere(database)
    yield server
    server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def verifier_of(elsewhere: Elsewhere, clock: Callable[[], float]) -> TokenVerifier:
    url = elsewhere.issuer.url
    return TokenVerifier(OidcKeys(url, clock=clock), Expected(url))


def test_tokens_of_another_issuer_count(elsewhere: Elsewhere, clock: Clock) -> None:
    elsewhere.start()
    verifier = verifier_of(elsewhere, clock)
    for _ in range(3):
        identity = verifier.authenticate(elsewhere.token())
        assert identity.username == "admin"
        assert "editor" in identity.roles["global"]
    assert elsewhere.asked == 2, "its description and its keys, once"


def test_a_key_rotated_while_running(
    elsewhere: Elsewhere, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.start()
    verifier = verifier_of(elsewhere, clock)
    verifier.authenticate(elsewhere.token())
    monkeypatch.setattr(keys_module, "PUBLISHED_SECONDS", 0)
    elsewhere.keys.rotate()
    assert verifier.authenticate(elsewhere.token()).username == "admin"


def test_made_up_key_ids_cause_no_storm(elsewhere: Elsewhere, clock: Clock) -> None:
    elsewhere.start()
    keys = OidcKeys(elsewhere.issuer.url, clock=clock)
    for number in range(100):
        assert keys.key(f"made up {number}") is None
    assert elsewhere.asked == 2 * AT_ONCE
    for _ in range(3):
        clock.now += REREAD_SECONDS
        for number in range(10):
            assert keys.key(f"made up {number}") is None
    assert elsewhere.asked == 2 * (AT_ONCE + 3)


def test_an_issuer_that_is_away_is_asked_again_soon_but_not_for_each_token(clock: Clock) -> None:
    asked = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        raise IssuerAway

    keys = OidcKeys("https://issuer.example", fetch, clock=clock)
    for moment in (0, 0.2, 0.4, RETRY_SECONDS):
        clock.now = moment
        with pytest.raises(IssuerAway):
            keys.key("any")
    assert len(asked) == 2


def test_an_issuer_that_hangs_holds_few_requests_and_none_of_known_keys(clock: Clock) -> None:
    """Threads are everybody's: those beyond the places are told at once to come again."""
    hangs, goes_on = threading.Event(), threading.Event()
    known = sign(claims())
    document = msgspec.json.encode({"keys": [RSA.as_dict(private=False)]})

    def fetch(url: str) -> bytes:
        if hangs.is_set():
            goes_on.wait(60)
        return document

    keys = OidcKeys(ISSUER, fetch, jwks_url="x", clock=clock)
    verifier = TokenVerifier(keys, EXPECTED)
    verifier.authenticate(known)
    hangs.set()
    clock.now += REFRESH_SECONDS
    with ThreadPoolExecutor(MOST_WAITING * 3) as threads:
        waiting = [threads.submit(keys.key, "unknown") for _ in range(MOST_WAITING * 3)]
        wait_for(lambda: sum(each.done() for each in waiting) == MOST_WAITING * 2)
        assert all(isinstance(each.exception(), IssuerAway) for each in waiting if each.done())
        assert verifier.authenticate(sign(claims(jti="2"))).username == "ada"
        goes_on.set()


def test_the_keys_address_may_be_given(elsewhere: Elsewhere, clock: Clock) -> None:
    elsewhere.start()
    place = f"{elsewhere.issuer.url}/protocol/openid-connect/certs"
    keys = OidcKeys("https://known.elsewhere", jwks_url=place, clock=clock)
    assert keys.key(str(elsewhere.keys.signing_key().kid)) is not None
    assert elsewhere.asked == 1


@pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
def test_a_key_may_say_either_name_of_its_algorithm(name: str) -> None:
    key = OKPKey.generate_key("Ed25519", {"kid": "okp"}, private=True)
    published = {**key.as_dict(private=False), "use": "sig", "alg": name}
    document = msgspec.json.encode({"keys": [published]})
    verifier = TokenVerifier(OidcKeys(ISSUER, lambda _: document, jwks_url="x"), EXPECTED)
    with warnings.catch_warnings(action="ignore"):
        token = sign(claims(), key, "EdDSA")
    assert verifier.authenticate(token).username == "ada"


def test_a_file_without_authorities_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(StartError, match="GRNRY_OIDC_CA"):
            Fetcher(str(tmp_path / name))


def test_an_issuer_that_is_away_is_told_apart_from_a_wrong_token(
    elsewhere: Elsewhere, clock: Clock
) -> None:
    verifier = verifier_of(elsewhere, clock)
    token = elsewhere.token()
    with pytest.raises(IssuerAway):
        verifier.authenticate(token)
    elsewhere.start()
    clock.now += REREAD_SECONDS
    assert verifier.authenticate(token).username == "admin"


def test_known_keys_outlive_an_issuer_that_is_away(elsewhere: Elsewhere, clock: Clock) -> None:
    elsewhere.start()
    verifier = verifier_of(elsewhere, clock)
    verifier.authenticate(elsewhere.token())
    elsewhere.stop()
    clock.now += REFRESH_SECONDS
    assert verifier.authenticate(elsewhere.token()).username == "admin"


ANSWERS = {
    "no json": b"<html>",
    "no object": b"[]",
    "no address": b"{}",
    "keys no list": b'{"issuer": "x", "jwks_uri": "x", "keys": 5}',
    "another's": b'{"issuer": "y", "jwks_uri": "x", "keys": []}',
    "not UTF-8": b'{"issuer": "\xff"}',
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_issuer_that_talks_nonsense_is_away(answer: bytes) -> None:
    with pytest.raises(IssuerAway):
        OidcKeys("x", lambda _: answer).key("any")


def test_keys_of_other_kinds_are_left_out() -> None:
    document = b"""{"issuer": "x", "jwks_uri": "x", "keys": [
        {"kty": "oct", "kid": "a", "k": "c2VjcmV0"}, {"kty": "new", "kid": "b"},
        {"kty": "RSA", "kid": "c"}, {"kty": "OKP", "kid": "d", "use": "enc"}, {"kty": "RSA"}]}"""
    keys = OidcKeys("x", lambda _: document)
    assert [keys.key(kid) for kid in "abcd"] == [None] * 4
    with pytest.raises(AuthenticationFailed):
        TokenVerifier(keys, Expected("x")).authenticate("a.b.c")
