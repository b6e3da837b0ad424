"""How a command proves who calls: each way gives a token, and another where that is refused.

LocalCredential     the machine of `grnry up`: a secret that only the data folder's owner can read
GivenToken          GRNRY_TOKEN
ClientSecret        GRNRY_CLIENT_ID and GRNRY_CLIENT_SECRET: a service account
SavedLogin          `grnry login`
"""

import os
import time
from typing import Any, Protocol

from grnry.cli import oauth
from grnry.cli.failures import CallFailed
from grnry.cli.logins import Login, Logins

CLIENT_ID = "grnry-cli"
# A token is renewed a little before it ends, as it has to last for the whole call.
EARLY_SECONDS = 20


class Credential(Protocol):
    """Where tokens come from."""

    def token(self) -> str:
        """A token that is good for now."""

    def refused(self) -> str:
        """What to tell when the API does not take the token."""


class LocalCredential:
    """The client `grnry-cli` with the data folder's secret."""

    def __init__(self, client: Any, secret: str) -> None:
        self._client = client
        self._secret = secret
        self._token = ""

    def token(self) -> str:
        if not self._token:
            endpoint = f"{oauth.BUILT_IN}/protocol/openid-connect/token"
            self._token = _act(self._client, endpoint, CLIENT_ID, self._secret)
        return self._token

    def refused(self) -> str:
        return "The API does not take the command line's own token. Was the data folder changed?"


class GivenToken:
    """A token from outside, used as it is."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()

    def token(self) -> str:
        if not self._token.isascii() or not self._token.isprintable():
            raise CallFailed("GRNRY_TOKEN holds no token: it has characters that none can have.")
        return self._token

    def refused(self) -> str:
        return "The API does not take the token of GRNRY_TOKEN: it ran out, or is another issuer's."


class ClientSecret:
    """A service account."""

    def __init__(self, client: Any, url: str, client_id: str, secret: str, issuer: str) -> None:
        self._client = client
        self._url = url
        self._client_id = client_id
        self._secret = secret
        self._issuer = issuer
        self._token = ""

    def token(self) -> str:
        if not self._token:
            issuer = self._issuer or oauth.find_issuer(self._client, self._url)
            endpoint = oauth.discover(self._client, issuer).token
            try:
                self._token = _act(self._client, endpoint, self._client_id, self._secret)
            except oauth.Refused as error:
                raise CallFailed(
                    f"{issuer} does not take GRNRY_CLIENT_ID '{self._client_id}' with "
                    f"GRNRY_CLIENT_SECRET: {error}"
                ) from error
        return self._token

    def refused(self) -> str:
        return f"The API does not take the token of the client '{self._client_id}'."


class SavedLogin:
    """A login of a person, refreshed when its token ran out."""

    def __init__(self, client: Any, logins: Logins, login: Login) -> None:
        self._client = client
        self._logins = logins
        self._login = login

    def token(self) -> str:
        if self._is_good():
            return self._login.access_token
        # One command refreshes; others that wait find what it was given.
        with self._logins.locked("refresh.lock"):
            self._login = self._logins.find(self._login.url) or self._login
            if not self._is_good():
                self._refresh()
        return self._login.access_token

    def _is_good(self) -> bool:
        return time.time() < self._login.access_until - EARLY_SECONDS

    def _refresh(self) -> None:
        login = self._login
        if not login.refresh_token:
            raise self._over("it cannot be renewed")
        form = {
            "grant_type": "refresh_token",
            "client_id": login.client_id,
            "refresh_token": login.refresh_token,
        }
        try:
            answer = oauth.ask_token(self._client, login.token_endpoint, form)
        except oauth.Refused as error:
            raise self._over(str(error)) from error
        self._login = login.with_answer(answer, time.time())
        self._logins.save(self._login)

    def _over(self, why: str) -> CallFailed:
        login = self._login
        return CallFailed(
            f"The login of '{login.user}' at {login.url} is over ({why}). "
            f"Log in again: {login_command(login.url, login.user)}"
        )

    def refused(self) -> str:
        login = self._login
        return (
            f"{login.url} does not take the token of '{login.user}'. Log in again: "
            f"{login_command(login.url, login.user)}"
        )


def login_command(url: str, user: str = "") -> str:
    return f"grnry login --url {url}" + (f" --user {user}" if user else "")


def _act(client: Any, endpoint: str, client_id: str, secret: str) -> str:
    form = {"grant_type": "client_credentials"}
    form |= {"client_id": client_id, "client_secret": secret}
    return str(oauth.ask_token(client, endpoint, form)["access_token"])


def choose(client: Any, url: str) -> Credential:
    """How to call the Granary at that address: what the environment says, else the login there."""
    env = os.environ
    if token := env.get("GRNRY_TOKEN"):
        return GivenToken(token)
    if client_id := env.get("GRNRY_CLIENT_ID"):
        secret = env.get("GRNRY_CLIENT_SECRET", "")
        if not secret:
            raise CallFailed("GRNRY_CLIENT_ID needs GRNRY_CLIENT_SECRET beside it.")
        return ClientSecret(client, url, client_id, secret, env.get("GRNRY_ISSUER", ""))
    logins = Logins()
    if login := logins.find(url):
        return SavedLogin(client, logins, login)
    raise CallFailed(f"There is no login at {url}. Log in: {login_command(url)}")
