"""The API as the command line calls it: finds it, logs in, and turns its errors into sentences."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grnry.errors import StartError
from grnry.household.folder import DataFolder, Running

CLIENT_ID = "grnry-cli"
TOKEN_PATH = "/auth/realms/grnry/protocol/openid-connect/token"  # noqa: S105 - a path
SECONDS = 60.0
LARGEST_PAGE = 250


class CallFailed(Exception):  # noqa: N818
    """The API refused a call; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which Granary is meant: the one that runs on a data folder of this machine."""

    data: Path

    @classmethod
    def of(cls, data: Path | None) -> "Place":
        return cls(data or Path(os.environ.get("GRNRY_DATA", ".grnry")))

    def folder(self) -> DataFolder:
        return DataFolder(self.data)

    def running(self) -> Running:
        try:
            running = self.folder().running()
        except StartError as error:
            raise CallFailed(error.message) from error
        if running is None:
            raise CallFailed(
                f"No Granary runs on the data folder {self.data.absolute()}. Start it with "
                "`grnry up`, or name the folder with --data or GRNRY_DATA."
            )
        return running


class Api:
    """Calls with a token, made at the first of them."""

    def __init__(self, place: Place) -> None:
        import httpx2

        self._place = place
        self._base = place.running().api
        self._http = httpx2.Client(base_url=self._base, timeout=SECONDS, trust_env=False)
        self._token = ""

    def token(self) -> str:
        """A token for who owns the data folder."""
        if not self._token:
            secret = self._place.folder().secrets().cli_secret
            form = {
                "grant_type": "client_credentials",
                "client_id": CLIENT_ID,
                "client_secret": secret,
            }
            self._token = str(self._answer("POST", TOKEN_PATH, data=form)["access_token"])
        return self._token

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

    def _call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **given: Any
    ) -> Any:
        authorization = {"Authorization": f"Bearer {self.token()}"}
        return self._answer(method, path, headers={**authorization, **(headers or {})}, **given)

    def _answer(self, method: str, path: str, **given: Any) -> Any:
        import httpx2

        try:
            answer = self._http.request(method, path, **given)
        except httpx2.TransportError as error:
            raise CallFailed(f"The API at {self._base} does not answer: {error}") from error
        if answer.is_error:
            raise CallFailed(_said(answer))
        return answer.json() if answer.content else None


def _said(answer: Any) -> str:
    try:
        body = answer.json()
    except ValueError:
        return f"The API answered {answer.status_code}."
    trace = f" (trace {body['traceId']})" if answer.status_code >= 500 and "traceId" in body else ""
    return str(body.get("message") or body) + trace
