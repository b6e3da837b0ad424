"""Clients of the built-in issuer that act for themselves: service accounts with roles."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from grnry.database.pool import Database
from grnry.database.transaction import Reading, UniqueViolation
from grnry.errors import AlreadyExists, BadInput, NotFound, Problem
from grnry.identity import store
from grnry.identity.model import (
    EVENT_API,
    PROFILE_API,
    PROJECT_API,
    PROJECT_API_ROLES,
    SEGMENT_API,
    Roles,
    group_roles,
)
from grnry.identity.passwords import digest

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_ROLE = re.compile(r"[^\s\0](?:[^\0\n\r]{0,253}[^\s\0])?")
SERVICES = (PROJECT_API, PROFILE_API, EVENT_API, SEGMENT_API)


@dataclass(frozen=True, slots=True)
class Listed:
    """A client as it is shown."""

    client_id: str
    kind: str
    roles: Roles


def check_id(client_id: str) -> None:
    if not _ID.fullmatch(client_id):
        raise BadInput.of(
            "name", "must be up to 64 letters, digits, dots, hyphens and underscores", "Client"
        )
    if client_id.lower().startswith("grnry"):
        raise BadInput.of("name", "must not begin with 'grnry'", "Client")


def parse_roles(given: Sequence[str], known: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of client and role, from `CLIENT:ROLE`; says everything that is wrong with them."""
    problems, pairs = [], []
    for text in given:
        client, colon, role = text.partition(":")
        if not colon or not _ROLE.fullmatch(role):
            problems.append(Problem(text, "must be CLIENT:ROLE, such as global:editor", "Role"))
        elif client not in known:
            problems.append(Problem(text, f"names no project or service: '{client}'", "Role"))
        elif client == PROJECT_API and role not in PROJECT_API_ROLES:
            one_of = " or ".join(PROJECT_API_ROLES)
            problems.append(Problem(text, f"names no role of {PROJECT_API}: {one_of}", "Role"))
        pairs.append((client, role))
    if problems:
        raise BadInput(problems)
    return pairs


class Clients:
    """Service accounts: made, listed, deleted, given a new secret."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, client_id: str, roles: Sequence[str]) -> str:
        """Make one; answers its secret, which is kept as a digest only."""
        check_id(client_id)
        secret = secrets.token_urlsafe(32)
        try:
            with self._database.transaction() as transaction:
                projects = store.list_projects(transaction)
                if client_id.lower() in (name.lower() for name in (*projects, *SERVICES)):
                    raise AlreadyExists(f"Client '{client_id}' already exists.")
                pairs = parse_roles(roles, (*projects, *SERVICES))
                user_id = store.add_service_account(transaction, client_id, digest(secret))
                for client, role in pairs:
                    store.grant_roles(transaction, user_id, client, [role])
        except UniqueViolation as error:
            raise AlreadyExists(f"Client '{client_id}' already exists.") from error
        return secret

    def list(self) -> "list[Listed]":
        with self._database.reading() as reading:
            return [_listed(reading, each) for each in store.list_clients(reading)]

    def delete(self, client_id: str) -> None:
        with self._database.transaction() as transaction:
            if not store.delete_service_account(transaction, client_id):
                raise _missing(client_id)

    def rotate_secret(self, client_id: str) -> str:
        """A new secret; the old one is void."""
        secret = secrets.token_urlsafe(32)
        with self._database.transaction() as transaction:
            if not store.set_client_secret(transaction, client_id, digest(secret)):
                raise _missing(client_id)
        return secret


def _listed(reading: Reading, client: store.Client) -> Listed:
    if not client.service_account:
        kind = "password logins" if client.password_logins else "command line"
        return Listed(client.client_id, kind, group_roles([]))
    assert client.acts_as
    roles = store.roles_of(reading, client.acts_as)
    return Listed(client.client_id, "service account", roles)


def _missing(client_id: str) -> NotFound:
    return NotFound(f"There is no client '{client_id}' that was made by `grnry client create`.")
