"""The API as the command line calls it: finds it, logs in, and turns its errors into sentences."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grnry.cli.failures import CallFailed
from grnry.errors import StartError
from grnry.household.folder import DataFolder, Running

__all__ = ["Api", "CallFailed", "Place"]

SECONDS = 60.0
LARGEST_PAGE = 250
DATA = ".grnry"


@dataclass(frozen=True, slots=True)
class Place:
    """Which Granary is meant: the one of a data folder of this machine, or one elsewhere.

    In this order: `--data`; GRNRY_URL; GRNRY_DATA; a data folder `.grnry` in the current folder;
    the login last made with `grnry login`. A folder here goes before a login, so that what is tried
    out in a checkout is not done to a Granary that others use.
    """

    data: Path
    url: str = ""

    @classmethod
    def of(cls, data: Path | None) -> "Place":
        if data:
            return cls(data)
        if url := os.environ.get("GRNRY_URL"):
            return cls(Path(DATA), clean_url(url))
        if named := os.environ.get("GRNRY_DATA"):
            return cls(Path(named))
        return cls(Path(DATA), "" if Path(DATA).is_dir() else _login_url())

    @property
    def where(self) -> str:
        return self.url or f"the data folder {self.data.absolute()}"

    def folder(self) -> DataFolder:
        if self.url:
            raise CallFailed(
                f"This works on the machine of `grnry up` alone, and what is meant is {self.url}. "
                "Name a data folder with --data."
            )
        return DataFolder(self.data)

    def running(self) -> Running:
        try:
            running = self.folder().running()
        except StartError as error:
            raise CallFailed(error.message) from error
        if running is None:
            raise CallFailed(
                f"No Granary runs on the data folder {self.data.absolute()}. Start it with "
                "`grnry up`, name the folder with --data or GRNRY_DATA, or log in to one "
                "elsewhere with `grnry login`."
            )
        return running


def clean_url(url: str) -> str:
    """The address of an API as logins are kept by it."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CallFailed(f"'{url}' is no address of an API. Give one such as https://host:8080.")
    if parts.username or parts.password:
        raise CallFailed("Leave user and password out of the address: `grnry login` asks for them.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _login_url() -> str:
    from grnry.cli.logins import Logins

    login = Logins().find()
    return login.url if login else ""


def _expect_names(path: str) -> None:
    """Where a name in it is none, the path is another thing's: `..` would lead out of it."""
    from urllib.parse import unquote

    for part in path.partition("?")[0].split("/")[1:]:
        name = unquote(part)
        if name in ("", ".", "..") or "/" in name:
            raise CallFailed(f"'{name}' is no name of anything.")


def _tell_ignored(fields: str) -> None:
    """What was sent in vain, as a typo is."""
    from urllib.parse import unquote

    if fields:
        names = ", ".join(unquote(each) for each in fields.split(","))
        print(f"These fields have no effect: {names}.", file=sys.stderr)


class Api:
    """Calls with a token, made at the first of them."""

    def __init__(self, place: Place) -> None:
        import httpx2

        from grnry.cli import credentials, oauth

        self._credential: credentials.Credential
        if place.url:
            self._http = oauth.http_client(place.url)
            self._credential = credentials.choose(self._http, place.url)
        else:
            base = place.running().api
            self._http = httpx2.Client(base_url=base, timeout=SECONDS, trust_env=False)
            secret = place.folder().secrets().cli_secret
            self._credential = credentials.LocalCredential(self._http, secret)

    def token(self) -> str:
        """A token for who is logged in; on the machine of `grnry up`, for the folder's owner."""
        return self._credential.token()

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        return self._call("GET", path, params=dict(params or {}))

    def post(self, path: str, body: Any) -> Any:
        return self._call("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, **({} if body is None else {"json": body}))

    def all(self, path: str, field: str, **query: str) -> list[Any]:
        """A list, page by page until there is no next one."""
        found: list[Any] = []
        while True:
            page = self.get(path, {**query, "pagesize": LARGEST_PAGE, "offset": len(found)})
            found += page[field]
            if "next" not in page["_links"]:
                return found

    def user(self, username: str, path: str = "/users") -> Any:
        """The user of that name."""
        found = self.all(path, "users", search=username)
        for user in found:
            if user["username"].lower() == username.lower():
                return user
        raise CallFailed(f"There is no user '{username}'.")

    def post_bytes(self, path: str, body: bytes, content_type: str) -> Any:
        return self._call("POST", path, content=body, headers={"Content-Type": content_type})

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def delete_with_answer(self, path: str) -> Any:
        return self._call("DELETE", path)

    def check(self) -> None:
        """Whether the API takes the token at all; that it has nothing to answer is no failure."""
        answer = self._request("GET", "/projects", {})
        if answer.status_code in (401, 503):
            raise CallFailed(self._said(answer))

    def _call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **given: Any
    ) -> Any:
        answer = self._request(method, path, headers or {}, **given)
        if answer.is_error:
            raise CallFailed(self._said(answer))
        _tell_ignored(answer.headers.get("X-Ignored-Fields", ""))
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise CallFailed(
                f"{self._http.base_url} answers something that is not of Granary."
            ) from error

    def _request(self, method: str, path: str, headers: Mapping[str, str], **given: Any) -> Any:
        from grnry.cli import oauth

        _expect_names(path)
        authorization = {"Authorization": f"Bearer {self.token()}"}
        return oauth.request(
            self._http, method, path, headers={**authorization, **headers}, **given
        )

    def _said(self, answer: Any) -> str:
        if answer.status_code == 401:
            return self._credential.refused()
        try:
            body = answer.json()
        except ValueError:
            return f"The API answered {answer.status_code}."
        if not isinstance(body, dict) or not body.get("message"):
            return f"The API answered {answer.status_code}: {body}"
        if answer.status_code == 403:
            return f"{body['message']} `grnry whoami` shows those you have."
        trace = f" (trace {body.get('traceId')})" if answer.status_code >= 500 else ""
        return f"{body['message']}{trace}"
