"""The users of the built-in issuer: their accounts, passwords and roles."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from grnry.database import sql
from grnry.database.pool import Database
from grnry.database.queries import load
from grnry.database.transaction import Reading, Transaction
from grnry.errors import AlreadyExists, BadInput, GranaryError, InUse, NotFound, Problem
from grnry.identity import store
from grnry.identity.model import (
    EVENT_API,
    PROFILE_API,
    PROJECT_API,
    PROJECT_API_ROLES,
    PROJECT_ROLES,
    SEGMENT_API,
    USER_MANAGER,
    Roles,
)
from grnry.identity.passwords import LONGEST, Passwords
from grnry.identity.slowdown import Slowdown

queries = load("grnry.identity", "users.sql")

SHORTEST_PASSWORD = 8
LONGEST_TEXT = 256
LONGEST_ROLE = 100
FREE_CLIENTS = (PROFILE_API, EVENT_API, SEGMENT_API)
"""Clients whose roles are named by what users make, and cannot be told from wrong ones."""

_USERNAME = re.compile(r"[\w.@+-]{1,64}", re.ASCII)
_ROLE = re.compile(r"[^\s\x00-\x1f]{1,100}")


class RolesElsewhere(BadInput):
    """Users and roles are those of an outside issuer."""

    def __init__(self, issuer: str) -> None:
        self.problems = ()
        GranaryError.__init__(
            self, f"Users and their roles are those of the issuer {issuer}: look and change there."
        )


@dataclass(frozen=True, slots=True)
class Account:
    """A user as those see them who manage users."""

    id: str
    username: str
    name: str
    email: str
    enabled: bool
    created_at: datetime
    roles: Roles

    @classmethod
    def from_row(cls, row: Mapping[str, Any], roles: Roles | None = None) -> "Account":
        return cls(**row, roles=roles or {})


@dataclass(frozen=True, slots=True)
class AccountDraft:
    """What is said about a new user."""

    username: str
    password: str
    name: str = ""
    email: str = ""

    def problems(self) -> Iterator[Problem]:
        if not _USERNAME.fullmatch(self.username):
            yield Problem("username", "must be 1 to 64 letters, digits and any of . _ @ + -")
        yield from _password_problems("password", self.password)
        yield from _text_problems(self.name, self.email)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be another; what is none stays."""

    name: str | None = None
    email: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class AccountsPage:
    accounts: Sequence[Account]
    total: int


def is_user_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


class Users:
    """All users; with an outside issuer, none that could be looked at here."""

    def __init__(
        self, database: Database, *, outside_issuer: str = "", passwords: Passwords | None = None
    ) -> None:
        self._database = database
        self._outside_issuer = outside_issuer
        self._passwords = passwords or Passwords()
        self._slowdown = Slowdown()

    # Reading ----------------------------------------------------------------------------------

    def page(self, search: str, limit: int, offset: int) -> AccountsPage:
        """Those whose username, name or email contains the text, without regard to case."""
        self._check_issuer()
        with self._database.reading() as reading:
            if search:
                return _search(reading, search, limit, offset)
            rows = reading.rows(queries.page, limit=limit, offset=offset)
            total = int(reading.value(queries.count))
        return AccountsPage([Account.from_row(row) for row in rows], total)

    def find(self, user_id: str) -> Account:
        """One, with their roles."""
        self._check_issuer()
        with self._database.reading() as reading:
            return _with_roles(reading, _found(reading, user_id))

    # Making and changing ----------------------------------------------------------------------

    def create(self, draft: AccountDraft) -> Account:
        self._check_issuer()
        _refuse(draft.problems())
        password_hash = self._hash(draft.password)
        with self._database.transaction() as transaction:
            row = transaction.row(
                queries.add,
                username=draft.username,
                name=draft.name or draft.username,
                email=draft.email,
                password_hash=password_hash,
            )
            if row is None:
                raise AlreadyExists(f"User with username '{draft.username}' already exists.")
            return Account.from_row(row)

    def change(self, user_id: str, change: Change, check: Callable[[Account], None]) -> Account:
        """A disabled user gets no more tokens; those they have end within five minutes.

        `check` sees what is stored and may refuse.
        """
        self._check_issuer()
        _refuse(_text_problems(change.name or "", change.email or ""))
        with self._database.transaction() as transaction:
            account = _found(transaction, user_id, for_change=True)
            check(_with_roles(transaction, account))
            if change.enabled is False:
                _keep_a_manager(transaction, account, "disabled")
            transaction.run(
                queries.change,
                id=account.id,
                name=(account.name if change.name is None else change.name) or account.username,
                email=account.email if change.email is None else change.email,
                enabled=account.enabled if change.enabled is None else change.enabled,
            )
            return _with_roles(transaction, _found(transaction, user_id))

    def delete(self, user_id: str, check: Callable[[Account], None]) -> None:
        """`check` sees what is stored and may refuse."""
        self._check_issuer()
        with self._database.transaction() as transaction:
            account = _found(transaction, user_id, for_change=True)
            check(_with_roles(transaction, account))
            _keep_a_manager(transaction, account, "deleted")
            clients = [row["client_id"] for row in transaction.rows(queries.clients_of, id=user_id)]
            if clients:
                raise InUse(
                    f"User '{account.username}' is in use: {', '.join(clients)} acts as them. "
                    "They can be disabled."
                )
            transaction.run(queries.delete, id=user_id)

    # Passwords --------------------------------------------------------------------------------

    def set_password(self, user_id: str, password: str) -> None:
        """Whoever is logged in as them has to log in anew."""
        self._check_issuer()
        _refuse(_password_problems("password", password))
        password_hash = self._hash(password)
        with self._database.transaction() as transaction:
            account = _found(transaction, user_id, for_change=True)
            if transaction.value(queries.is_service_account, id=user_id):
                raise InUse(
                    f"User '{account.username}' is a service account and has a secret, no password."
                )
            transaction.run(queries.set_password, id=user_id, password_hash=password_hash)

    def change_own_password(self, user_id: str, current: str, password: str) -> None:
        self._check_issuer()
        with self._database.reading() as reading:
            _found(reading, user_id)
            known = reading.value(queries.password_hash, id=user_id)
        with self._passwords.turn():
            self._slowdown.check(user_id, "")
            if not self._passwords.matches(current, known):
                self._slowdown.failed(user_id, "")
                raise BadInput.of("currentPassword", "is wrong")
        self._slowdown.succeeded(user_id, "")
        self.set_password(user_id, password)

    def _hash(self, password: str) -> str:
        with self._passwords.turn():
            return self._passwords.hash(password)

    # Roles ------------------------------------------------------------------------------------

    def grant(self, user_id: str, client: str, role: str) -> None:
        """Any role of any client; those of projects are given by their data owners as well."""
        self._check_issuer()
        with self._database.transaction() as transaction:
            _found(transaction, user_id, for_change=True)
            _check_role(transaction, client, role)
            store.grant_roles(transaction, user_id, client, [role])

    def revoke(self, user_id: str, client: str, role: str) -> None:
        self._check_issuer()
        with self._database.transaction() as transaction:
            account = _found(transaction, user_id, for_change=True)
            if (client, role) == (PROJECT_API, USER_MANAGER):
                _keep_a_manager(transaction, account, f"without the role '{USER_MANAGER}'")
            if not transaction.run(queries.revoke, id=user_id, client=client, role=role):
                raise NotFound(
                    f"User '{account.username}' has no role '{role}' of the client '{client}'."
                )

    def _check_issuer(self) -> None:
        if self._outside_issuer:
            raise RolesElsewhere(self._outside_issuer)


def _search(reading: Reading, text: str, limit: int, offset: int) -> AccountsPage:
    pattern = sql.containing(text)
    rows = reading.rows(queries.search, pattern=pattern, limit=limit, offset=offset)
    total = int(rows[0]["total"])
    users = [{key: row[key] for key in row if key != "total"} for row in rows if row["id"]]
    return AccountsPage([Account.from_row(user) for user in users], total)


def _found(reading: Reading, user_id: str, *, for_change: bool = False) -> Account:
    query = queries.find_for_change if for_change else queries.find
    row = reading.row(query, id=user_id) if is_user_id(user_id) else None
    if row is None:
        raise NotFound(f"User with ID '{user_id}' not found.")
    return Account.from_row(row)


def _with_roles(reading: Reading, account: Account) -> Account:
    return replace(account, roles=store.roles_of(reading, account.id))


def _keep_a_manager(transaction: Transaction, account: Account, what: str) -> None:
    """Somebody has to be able to manage users, or nobody ever could again."""
    transaction.run(queries.lock_roles)
    held = USER_MANAGER in store.roles_of(transaction, account.id).get(PROJECT_API, ())
    values = {"client": PROJECT_API, "role": USER_MANAGER, "id": account.id}
    if held and not transaction.value(queries.other_holders, **values):
        raise InUse(
            f"User '{account.username}' cannot be {what}: nobody else could manage users. "
            f"Give another the role '{USER_MANAGER}' of the client '{PROJECT_API}' first."
        )


def _check_role(transaction: Transaction, client: str, role: str) -> None:
    if not _ROLE.fullmatch(role):
        raise BadInput.of("role", f"must have 1 to {LONGEST_ROLE} characters and no white space")
    if client in FREE_CLIENTS:
        return
    known = PROJECT_API_ROLES if client == PROJECT_API else PROJECT_ROLES
    if known is PROJECT_ROLES and not transaction.value(queries.is_project, name=client):
        clients = ", ".join((PROJECT_API, *FREE_CLIENTS))
        raise BadInput.of("client", f"must be a project or any of {clients} but is '{client}'")
    if role not in known:
        raise BadInput.of("role", f"must be any of {', '.join(known)} but is '{role}'")


def _password_problems(field: str, password: str) -> Iterator[Problem]:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST:
        yield Problem(field, f"must have {SHORTEST_PASSWORD} to {LONGEST} characters")


def _text_problems(name: str, email: str) -> Iterator[Problem]:
    for field, text in (("name", name), ("email", email)):
        if len(text) > LONGEST_TEXT:
            yield Problem(field, f"must have at most {LONGEST_TEXT} characters")
    if email and ("@" not in email or any(char.isspace() for char in email)):
        yield Problem("email", f"must be an address but is '{email}'")


def _refuse(problems: Iterator[Problem]) -> None:
    if found := list(problems):
        raise BadInput(found)
