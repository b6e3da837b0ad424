"""Calls of a running Granary's API, with a token and without."""

import itertools
import time
from collections.abc import Callable, Generator
from typing import Any

import httpx2

from tests.running import Granary

TOKEN = "/auth/realms/grnry/protocol/openid-connect/token"
_numbers = itertools.count(1)


class Renewed(httpx2.Auth):
    """A token that is another one before it ends, as a session of tests lasts longer."""

    def __init__(self, ask: Callable[[], dict[str, Any]]) -> None:
        self._ask = ask
        self._token = ""
        self._renew_at = 0.0

    def token(self) -> str:
        if time.monotonic() >= self._renew_at:
            given = self._ask()
            self._token = given["access_token"]
            self._renew_at = time.monotonic() + given["expires_in"] / 2
        return self._token

    def forget(self) -> None:
        """The next one has the roles that were given meanwhile."""
        self._renew_at = 0.0

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["Authorization"] = f"Bearer {self.token()}"
        yield request


class Caller:
    """Calls with a token of `admin`; `anonymous` is the same without."""

    def __init__(self, granary: Granary) -> None:
        self.granary = granary
        self.anonymous = httpx2.Client(base_url=granary.said["api"], timeout=60, trust_env=False)
        self._renewed = Renewed(self._log_in)
        self.http = httpx2.Client(
            base_url=granary.said["api"], timeout=60, trust_env=False, auth=self._renewed
        )

    def _log_in(self) -> dict[str, Any]:
        form = {
            "grant_type": "password",
            "client_id": "grnry",
            "username": self.granary.said["user"],
            "password": self.granary.password,
        }
        answer = self.anonymous.post(TOKEN, data=form)
        assert answer.status_code == 200, answer.text
        given: dict[str, Any] = answer.json()
        return given

    def token(self) -> str:
        """One that is good for a while."""
        return self._renewed.token()

    def renew(self) -> None:
        self._renewed.forget()

    def close(self) -> None:
        self.http.close()
        self.anonymous.close()

    def get(self, path: str, status: int = 200) -> Any:
        return self.expect(self.http.get(path), status)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self.expect(self.http.post(path, json=body), status)

    def put(self, path: str, body: Any, status: int = 200, tag: str = "") -> Any:
        headers = {"If-Match": tag} if tag else {}
        return self.expect(self.http.put(path, json=body, headers=headers), status)

    def delete(self, path: str, status: int = 204) -> Any:
        return self.expect(self.http.delete(path), status)

    def expect(self, answer: httpx2.Response, status: int) -> Any:
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None

    def reasons(self, body: Any, path: str = "/event-types") -> dict[str, str]:
        """Each field that is wrong and why, of a body that is refused."""
        refused = self.post(path, body, 400)
        assert refused["type"] == "bad_parameter_value"
        return {problem["name"]: problem["reason"] for problem in refused["invalidParams"]}

    def make(self, **others: Any) -> str:
        """An event type of a name of its own; answers it."""
        name = f"t{next(_numbers)}"
        self.post(f"/event-types/{name}", draft(name, **others))
        return name


def draft(display_name: str, **others: Any) -> dict[str, Any]:
    return {
        "displayName": display_name,
        "correlationIdExpression": "payload.user",
        "eventIdExpression": "payload.id",
        "partitionCount": 2,
        **others,
    }
