"""Members of projects: users of the built-in issuer who have roles in the project's client."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.errors import AlreadyExists, BadInput, NotAccessible, NotFound
from grnry.identity import store as identities
from grnry.identity.model import DATA_OWNER, PROJECT_ROLES
from grnry.identity.users import RolesElsewhere, is_user_id
from grnry.projects import store
from grnry.projects.model import Member

ConsumerRoles = Callable[[str], Collection[str]]
"""The roles that a project's event types name as their `consumer`."""


@dataclass(frozen=True, slots=True)
class MembersPage:
    members: Sequence[Member]
    total: int


class Members:
    """Who has which roles in a project."""

    def __init__(
        self, database: Database, consumer_roles: ConsumerRoles, outside_issuer: str = ""
    ) -> None:
        self._database = database
        self._consumer_roles = consumer_roles
        self._outside_issuer = outside_issuer

    def page(self, project: str, limit: int, offset: int) -> MembersPage:
        self._check_issuer()
        with self._database.reading() as reading:
            found = store.members(reading, project, limit, offset)
            return MembersPage(found, store.count_members(reading, project))

    def add(self, project: str, user_id: str, roles: Collection[str]) -> Member:
        """Make a user a member who is none."""
        self._check_issuer()
        if not roles:
            raise BadInput.of("roles", "must not be empty")
        self._check_roles(project, roles)
        with self._database.transaction() as transaction:
            known = _locked(transaction, project, user_id)
            if known.roles:
                raise AlreadyExists(
                    f"User '{known.username}' is a member of project '{project}' already."
                )
            return _give(transaction, project, user_id, roles)

    def set(self, project: str, user_id: str, roles: Collection[str]) -> Member:
        """Give a user these roles and no others; none ends the membership."""
        self._check_issuer()
        self._check_roles(project, roles)
        with self._database.transaction() as transaction:
            before = _locked(transaction, project, user_id)
            loses = DATA_OWNER in before.roles and DATA_OWNER not in roles
            if loses and not store.has_other_owners(transaction, project, user_id):
                raise BadInput.of(
                    "roles",
                    f"must contain '{DATA_OWNER}', as nobody else owns project '{project}'. "
                    "Make another member its owner first",
                )
            store.take_roles(transaction, project, user_id)
            return _give(transaction, project, user_id, roles)

    def _check_issuer(self) -> None:
        if self._outside_issuer:
            raise RolesElsewhere(self._outside_issuer)

    def _check_roles(self, project: str, roles: Collection[str]) -> None:
        known = {*PROJECT_ROLES}
        if not known.issuperset(roles):
            known.update(self._consumer_roles(project))
        if unknown := sorted(set(roles) - known):
            raise BadInput.of(
                "roles",
                f"must be any of {', '.join(PROJECT_ROLES)} or a role that an event type of the "
                f"project names as its consumer, but is '{', '.join(unknown)}'",
            )


def _locked(transaction: Transaction, project: str, user_id: str) -> Member:
    """A user as a member, with the project held so that no two members leave it at once."""
    if store.find(transaction, project, for_change=True) is None:
        raise NotAccessible
    found = store.member(transaction, project, user_id) if is_user_id(user_id) else None
    if found is None:
        raise NotFound(f"User with ID '{user_id}' not found.")
    return found


def _give(transaction: Transaction, project: str, user_id: str, roles: Collection[str]) -> Member:
    identities.grant_roles(transaction, user_id, project, sorted(set(roles)))
    found = store.member(transaction, project, user_id)
    assert found is not None
    return found
