"""What can be done with projects."""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grnry.database.pool import Database
from grnry.database.transaction import Transaction
from grnry.errors import AlreadyExists, NotAccessible
from grnry.identity import store as identities
from grnry.identity.model import DATA_OWNER, EDITOR, GLOBAL, PROJECT_ROLES, Identity, has_role
from grnry.identity.users import is_user_id
from grnry.projects import names, store
from grnry.projects.credentials import ensure_role
from grnry.projects.database_space import SpaceTaken
from grnry.projects.model import Draft, Project

logger = logging.getLogger(__name__)

NAME_TRIES = 100


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and how long all of it is."""

    projects: Sequence[Project]
    total: int


class Projects:
    """All projects; also what tells a path's project from a name that is none."""

    def __init__(self, database: Database, secrets: Path) -> None:
        self._database = database
        self._secrets = secrets
        self._known = {GLOBAL}

    # Which there are --------------------------------------------------------------------------

    def recall(self, name: str) -> bool:
        """Projects are never deleted: what was seen once is there."""
        return name in self._known

    def exists(self, name: str) -> bool:
        with self._database.reading() as reading:
            found = store.exists(reading, name)
        if found:
            self._known.add(name)
        return found

    # Reading ----------------------------------------------------------------------------------

    def page(self, caller: Identity, limit: int, offset: int) -> Page:
        """The caller's: those in which they have a role."""
        own = [client for client in caller.roles if has_role(caller, client, *PROJECT_ROLES)]
        with self._database.reading() as reading:
            return Page(store.page(reading, own, limit, offset), store.count(reading, own))

    def find(self, name: str) -> Project:
        with self._database.reading() as reading:
            return _existing(store.find(reading, name))

    # Making and changing ----------------------------------------------------------------------

    def create(self, caller: Identity, draft: Draft) -> Project:
        """Make a project with its schema, its database role and its roles; all of it or nothing.

        All is one transaction, but for the file with the role's password. It is written before
        the end, and a file without a project means nothing: the next one of the name replaces it.
        """
        draft.check()
        wanted = names.name_for(draft.display_name)
        with self._database.transaction() as transaction:
            store.lock(transaction)
            name = free_name(wanted, lambda name: store.is_taken(transaction, name))
            store.add(transaction, name, draft, caller.author)
            ensure_role(transaction, self._secrets, name)
            identities.add_public_client(transaction, name)
            if _is_user(transaction, caller):
                identities.grant_roles(transaction, caller.subject, name, (DATA_OWNER, EDITOR))
            made = _existing(store.find(transaction, name))
        self._known.add(name)
        return made

    def change(
        self, caller: Identity, name: str, draft: Draft, check: Callable[[Project], None]
    ) -> Project:
        """Call it another name; `check` sees what is stored and may refuse."""
        draft.check()
        with self._database.transaction() as transaction:
            check(_existing(store.find(transaction, name, for_change=True)))
            store.change(transaction, name, draft, caller.author)
            return _existing(store.find(transaction, name))

    # Healing ----------------------------------------------------------------------------------

    def heal(self) -> None:
        """At the start: see to it that each project's role, rights and secret are there."""
        with self._database.reading() as reading:
            found = store.names(reading)
        for name in found:
            try:
                with self._database.transaction() as transaction:
                    store.lock(transaction)
                    ensure_role(transaction, self._secrets, name)
            except SpaceTaken as error:  # of one project, and no reason to be there for none
                logger.warning("Project %s cannot reach its data: %s", name, error)


def free_name(
    wanted: str,
    is_taken: Callable[[str], bool],
    digits: Callable[[int], int] = random.randrange,
) -> str:
    """The name that is wanted, else one that ends in digits instead."""
    name = wanted
    for _ in range(NAME_TRIES):
        if not names.is_reserved(name) and not is_taken(name):
            return name
        name = names.with_digits(wanted, digits(10**names.DIGITS))
    raise AlreadyExists(f"Too many projects are called like '{wanted}'. Choose another name.")


def _is_user(transaction: Transaction, caller: Identity) -> bool:
    """Whether the built-in issuer knows them; an outside issuer's users get their roles there."""
    known = is_user_id(caller.subject) and identities.get_user(transaction, caller.subject)
    return bool(known)


def _existing(project: Project | None) -> Project:
    if project is None:
        raise NotAccessible
    return project
