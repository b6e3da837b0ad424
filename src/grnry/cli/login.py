"""`grnry login`, `grnry logout`, `grnry whoami`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_fields, print_json

Url = Annotated[str, typer.Option(help="Address of the API.", metavar="URL")]


@command
def login(
    url: Url,
    user: Annotated[str, typer.Option(help="Who logs in; else it is asked.")] = "",
    issuer: Annotated[
        str, typer.Option(help="Issuer of tokens; else the one that the API names.", metavar="URL")
    ] = "",
    client_id: Annotated[str, typer.Option(help="Client of the issuer.")] = "grnry",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin, not a prompt.")
    ] = False,
) -> None:
    """Log in to a Granary elsewhere; commands then go there."""
    from grnry.cli import oauth
    from grnry.cli.client import clean_url
    from grnry.cli.failures import CallFailed
    from grnry.cli.logins import Login, Logins

    url = clean_url(url)
    client = oauth.http_client(url)
    named = issuer or oauth.find_issuer(client, url)
    endpoints = oauth.discover(client, named)
    user = user or _ask_user(password_stdin)
    password = _password(user, named, password_stdin)
    form = {"grant_type": "password", "client_id": client_id}
    form |= {"username": user, "password": password, "scope": "openid"}
    try:
        answer = oauth.ask_token(client, endpoints.token, form)
    except oauth.Refused as error:
        raise CallFailed(f"{named} does not log '{user}' in: {error}") from error
    made = Login(url, named, endpoints.token, client_id, user, "", 0, "", endpoints.revocation)
    made = made.with_answer(answer, time.time())
    _check(client, made)
    Logins().save(made, current=True)
    print(f"Logged in at {url} as '{user}'.")
    if Path(".grnry").is_dir():
        print(
            "Commands in this folder still go to the data folder .grnry here; "
            f"with GRNRY_URL={url} they go there."
        )


def _ask_user(password_stdin: bool) -> str:
    from grnry.cli.failures import CallFailed

    if password_stdin or not sys.stdin.isatty():
        raise CallFailed("Say who logs in, with --user.")
    return str(typer.prompt("User", err=True))


def _password(user: str, issuer: str, from_stdin: bool) -> str:
    from getpass import getpass

    from grnry.cli.failures import CallFailed

    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            raise CallFailed("There is no password on stdin.")
        return given
    if not sys.stdin.isatty():
        raise CallFailed("There is no terminal to ask for the password. Use --password-stdin.")
    return getpass(f"Password of {user} at {issuer}: ")


def _check(client: Any, made: Any) -> None:
    """A token that the API does not take is no login."""
    from grnry.cli import oauth
    from grnry.cli.failures import CallFailed

    headers = {"Authorization": f"Bearer {made.access_token}"}
    answer = oauth.request(client, "GET", f"{made.url}/projects", headers=headers)
    if answer.status_code == 401:
        trusted = oauth.find_issuer(client, made.url)
        raise CallFailed(
            f"{made.issuer} logged '{made.user}' in, but {made.url} does not take its token: "
            f"it takes those of {trusted}, for the audience that its operator has set."
        )


@command
def logout(url: Annotated[str, typer.Option(help="Else the current login.")] = "") -> None:
    """End a login: at the issuer, and here."""
    from grnry.cli import oauth
    from grnry.cli.client import clean_url
    from grnry.cli.failures import CallFailed
    from grnry.cli.logins import Logins

    logins = Logins()
    found = logins.find(clean_url(url) if url else "")
    if found is None:
        raise CallFailed(f"There is no login{f' at {url}' if url else ''}.")
    logins.remove(found.url)
    if found.revocation_endpoint and found.refresh_token:
        form = {"client_id": found.client_id, "token": found.refresh_token}
        form |= {"token_type_hint": "refresh_token"}
        try:
            oauth.request(oauth.http_client(), "POST", found.revocation_endpoint, data=form)
        except CallFailed as error:
            print(f"The login is forgotten here, but it lives on: {error}", file=sys.stderr)
    print(f"Logged out '{found.user}' at {found.url}.")


@command
def whoami(data: Data = None, as_json: AsJson = False) -> None:
    """Show where commands go, as whom, and with which roles."""
    from grnry.cli.client import Api, Place

    place = Place.of(data)
    api = Api(place)
    claims = claims_of(api.token())
    api.check()
    access = claims.get("resource_access") or {}
    roles = {client: sorted(entry.get("roles", [])) for client, entry in sorted(access.items())}
    shown = {
        "url": place.url or place.running().api,
        "user": claims.get("preferred_username") or claims.get("azp") or claims.get("sub"),
        "name": claims.get("name"),
        "email": claims.get("email"),
        "issuer": claims.get("iss"),
    }
    if as_json:
        print_json(shown | {"roles": roles})
    else:
        lines = {f"role {client}": ", ".join(given) for client, given in roles.items()}
        print_fields({name: value for name, value in (shown | lines).items() if value})


def claims_of(token: str) -> dict[str, Any]:
    """What a token says; whether it is true is the API's to judge."""
    import base64
    import json

    from grnry.cli.failures import CallFailed

    payload = token.partition(".")[2].partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise CallFailed("The token is no JSON Web Token.")
    return claims
