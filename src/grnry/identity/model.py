"""Identities and the rules about their roles; values only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

GLOBAL = "global"
PROJECT_API = "project-api"
PROFILE_API = "profile-api"
EVENT_API = "event-api"
SEGMENT_API = "segment-management-api"

VIEWER = "viewer"
EDITOR = "editor"
PRODUCER = "producer"
DATA_OWNER = "data_owner"

PROJECT_ROLES = (VIEWER, EDITOR, PRODUCER, DATA_OWNER)

PROJECT_CREATOR = "project_creator"
USER_VIEWER = "user_viewer"
USER_MANAGER = "user_manager"

PROJECT_API_ROLES = (PROJECT_CREATOR, USER_VIEWER, USER_MANAGER)
SEGMENT_API_ROLES = ("segment_job_view", "segment_job_edit")

Roles = Mapping[str, frozenset[str]]
"""The roles of each client; a project is a client named like it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, as their token says."""

    subject: str
    username: str
    name: str = ""
    email: str = ""
    roles: Roles = field(default_factory=dict)

    @property
    def author(self) -> dict[str, str]:
        """How `createdBy` and `modifiedBy` name them."""
        return {"name": self.name or self.username, "email": self.email}


def has_role(identity: Identity, client: str, *roles: str) -> bool:
    """Whether they have any of the roles."""
    return not identity.roles.get(client, frozenset()).isdisjoint(roles)


def group_roles(pairs: Iterable[tuple[str, str]]) -> Roles:
    """The roles of each client, from pairs of client and role."""
    grouped: dict[str, set[str]] = {}
    for client, role in pairs:
        grouped.setdefault(client, set()).add(role)
    return {client: frozenset(roles) for client, roles in sorted(grouped.items())}


def roles_of_claims(claims: Mapping[str, object]) -> Roles:
    """The roles in a token of Keycloak's shape; what is of another shape grants nothing."""
    access = claims.get("resource_access")
    if not isinstance(access, Mapping):
        return {}
    return {
        client: frozenset(role for role in entry["roles"] if isinstance(role, str))
        for client, entry in access.items()
        if isinstance(entry, Mapping) and isinstance(entry.get("roles"), list)
    }


def identity_of_claims(claims: Mapping[str, object]) -> Identity:
    def text(*names: str) -> str:
        values = (claims.get(name) for name in names)
        return next((value for value in values if isinstance(value, str) and value), "")

    username = text("preferred_username", "azp", "sub")
    return Identity(
        subject=text("sub"),
        username=username,
        name=text("name") or username,
        email=text("email"),
        roles=roles_of_claims(claims),
    )
