"""Who may do what: the one table that decides every pair of role and operation.

A permission names the client whose roles count, and the roles of it that suffice. Each operation
names its permission where it is registered, and is refused before anything else of the request is
looked at. `docs/reference/roles.md` shows the table.
"""

from dataclasses import dataclass

from grnry.errors import NotAccessible
from grnry.identity.model import (
    DATA_OWNER,
    EDITOR,
    PRODUCER,
    PROJECT_API,
    PROJECT_CREATOR,
    PROJECT_ROLES,
    USER_MANAGER,
    USER_VIEWER,
    VIEWER,
    Identity,
    has_role,
)

PROJECT = "<project>"
"""Stands for the client of the project that the request is about."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What an operation needs of its caller."""

    name: str
    meaning: str
    client: str = ""
    """A client, or `PROJECT`; empty where roles do not matter."""
    roles: tuple[str, ...] = ()
    needs_token: bool = True

    @property
    def is_of_project(self) -> bool:
        return self.client == PROJECT

    def check(self, caller: Identity, project: str) -> None:
        """Refuse who has none of the roles."""
        if self.client and not has_role(caller, self._client_of(project), *self.roles):
            raise NotAccessible

    def _client_of(self, project: str) -> str:
        return project if self.is_of_project else self.client

    @property
    def sentence(self) -> str:
        """For the description of an operation."""
        if not self.needs_token:
            return "Open without a token."
        if not self.client:
            return "Any valid token."
        roles = " or ".join(f"`{role}`" for role in self.roles)
        where = "of the project" if self.is_of_project else f"of the client `{self.client}`"
        return f"Needs the role {roles} {where}."


OPEN = Permission("open", "Without a token", needs_token=False)
SIGNED_IN = Permission("signed-in", "Anybody with a valid token")
SEE_PROJECT = Permission("see-project", "See a project's details", PROJECT, PROJECT_ROLES)
OWN_PROJECT = Permission(
    "own-project", "Change a project's details and its members", PROJECT, (DATA_OWNER,)
)
READ = Permission("read", "Read what a project has", PROJECT, (VIEWER, EDITOR))
CHANGE = Permission(
    "change", "Create, change, delete, start and stop in a project", PROJECT, (EDITOR,)
)
SEND = Permission("send", "Send events to a project's event types", PROJECT, (EDITOR, PRODUCER))
CREATE_PROJECTS = Permission("create-projects", "Make projects", PROJECT_API, (PROJECT_CREATOR,))
VIEW_USERS = Permission("view-users", "Search users", PROJECT_API, (USER_VIEWER,))
MANAGE_USERS = Permission(
    "manage-users",
    "Make, disable and delete users; give them any role",
    PROJECT_API,
    (USER_MANAGER,),
)

TABLE = (
    OPEN,
    SIGNED_IN,
    SEE_PROJECT,
    OWN_PROJECT,
    READ,
    CHANGE,
    SEND,
    CREATE_PROJECTS,
    VIEW_USERS,
    MANAGE_USERS,
)
