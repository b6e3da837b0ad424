"""Users of a running Granary, who call its API with tokens of their own."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from tests.event_types.calling import TOKEN, Caller

Headers = Mapping[str, str] | None
PASSWORD = "a password for tests"
_numbers = itertools.count(1)


class Person:
    """Logs in by password and calls with what they get for it."""

    def __init__(self, caller: Caller, username: str, password: str, id_: str) -> None:
        self.granary = caller.granary
        self.anonymous = caller.anonymous
        self.username = username
        self.password = password
        self.id = id_
        self.answer: httpx2.Response
        self.token = ""
        self.refresh_token = ""
        self.log_in()

    def log_in(self) -> None:
        """Whoever got a new role has it in the next token."""
        self._ask(grant_type="password", username=self.username, password=self.password)

    def refresh(self) -> None:
        self._ask(grant_type="refresh_token", refresh_token=self.refresh_token)

    def ask(self, **form: str) -> httpx2.Response:
        return self.anonymous.post(TOKEN, data={"client_id": "grnry", **form})

    def _ask(self, **form: str) -> None:
        answer = self.ask(**form)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        self.refresh_token = answer.json()["refresh_token"]

    def get(self, path: str, status: int = 200, headers: Headers = None) -> Any:
        return self._expect(self.call("GET", path, headers=headers), status)

    def get_url(self, url: str) -> Any:
        return self.get(url.removeprefix(self.granary.said["api"]))

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self._expect(self.call("POST", path, json=body), status)

    def put(self, path: str, body: Any = None, status: int = 200, headers: Headers = None) -> Any:
        return self._expect(self.call("PUT", path, json=body, headers=headers), status)

    def delete(self, path: str, status: int = 204) -> Any:
        return self._expect(self.call("DELETE", path), status)

    def call(
        self, method: str, path: str, headers: Headers = None, **given: Any
    ) -> httpx2.Response:
        own = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return self.anonymous.request(method, path, headers=own, **given)

    def _expect(self, answer: httpx2.Response, status: int) -> Any:
        self.answer = answer
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None


class People:
    """Makes users."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._admin = self._find_admin()

    def _find_admin(self) -> Person:
        granary = self._caller.granary
        users = self._caller.get("/users?search=admin")["users"]
        (found,) = [user for user in users if user["username"] == "admin"]
        return Person(self._caller, "admin", granary.password, found["id"])

    def admin(self) -> Person:
        """Who may do all of `global`, make projects and manage users."""
        self._admin.log_in()
        return self._admin

    def make(self, roles: Mapping[str, Sequence[str]]) -> Person:
        """A user with these roles, logged in."""
        username = f"person-{next(_numbers)}"
        self._admin.log_in()
        body = {"username": username, "password": PASSWORD}
        made = self._admin.post("/identity/users", body)
        for client, given in roles.items():
            for role in given:
                self._admin.put(f"/identity/users/{made['id']}/roles/{client}/{role}", None, 204)
        return Person(self._caller, username, PASSWORD, made["id"])

    @staticmethod
    def at_once(call: Callable[[str], httpx2.Response], paths: Sequence[str]) -> list[int]:
        with ThreadPoolExecutor(len(paths)) as threads:
            return [answer.status_code for answer in threads.map(call, paths)]
