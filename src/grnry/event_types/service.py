"""What can be done with event types.

Making and deleting one spans the log and the database. The intent is written first; what a crash
leaves half done is undone at the next start (`heal`).
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from grnry.database.pool import Database
from grnry.database.transaction import NameTaken, StillNeeded, Transaction, UniqueViolation
from grnry.deployments import service as deployments
from grnry.deployments.model import State
from grnry.errors import AlreadyExists, BadInput, GranaryError, InUse, NotFound
from grnry.event_types import names, store
from grnry.event_types.model import Draft, EventType, problems_of
from grnry.identity.model import Identity
from grnry.log.admin import Admin
from grnry.log.records import LARGEST_BATCH
from grnry.persisters import service as persisters
from grnry.persisters.model import stream_name

logger = logging.getLogger(__name__)

STOP_SECONDS = 30.0
NAME_TRIES = 20


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    event_types: Sequence[EventType]
    has_next: bool
    total: int | None = None


class EventTypes:
    """The event types of all projects."""

    def __init__(self, database: Database, admin: Admin) -> None:
        self._database = database
        self._admin = admin
        self._works: list[set[str]] = []
        self._healing = threading.Lock()

    # Reading ----------------------------------------------------------------------------------

    def page(
        self,
        project: str | None,
        *,
        search: str,
        limit: int,
        offset: int,
        with_total: bool,
    ) -> Page:
        """The latest versions, of one project or of all."""
        with self._database.transaction() as transaction:
            found = store.page(transaction, project, search, limit + 1, offset)
            total = store.count(transaction, project, search) if with_total else None
        return Page(found[:limit], len(found) > limit, total)

    def versions(self, project: str | None, name: str) -> list[EventType]:
        """All versions, oldest first."""
        with self._database.transaction() as transaction:
            return _versions(transaction, name, project)

    def version(self, project: str | None, name: str, version: int | None) -> EventType:
        """One version; the latest where none is named."""
        found = self.versions(project, name)
        for event_type in found:
            if event_type.version == version:
                return event_type
        if version is None:
            return found[-1]
        raise NotFound(f"Event Type '{name}' with version '{version}' not found.")

    def consumer_roles(self, project: str) -> list[str]:
        """The roles that a project's event types name for those who may read them."""
        with self._database.transaction() as transaction:
            return store.consumer_roles(transaction, project)

    # Making -----------------------------------------------------------------------------------

    def create(self, caller: Identity, project: str, name: str | None, draft: Draft) -> EventType:
        """Make an event type with its topic, view and persister; all of it or nothing."""
        if problems := list(problems_of(name, draft)):
            raise BadInput(problems)
        with self._at_work() as work:
            taken = self._intend(caller, project, name, draft, work)
            try:
                self._make(project, taken, draft)
            except Exception:
                self._undo_quietly(taken)
                raise
        return self.version(project, taken, None)

    @contextmanager
    def _at_work(self) -> Iterator[set[str]]:
        """Names put into this set are not healed meanwhile."""
        work: set[str] = set()
        self._works.append(work)
        try:
            yield work
        finally:
            self._works.remove(work)

    def _intend(
        self, caller: Identity, project: str, name: str | None, draft: Draft, work: set[str]
    ) -> str:
        """Write down what is to be made; the name that it got."""
        wanted = name or names.derive(draft.display_name)
        self.heal()
        for _ in range(NAME_TRIES):
            work.add(wanted)
            try:
                with self._database.transaction() as transaction:
                    _expect_free_view(transaction, wanted, project)
                    store.add(
                        transaction, wanted, project, draft, names.topic_of(wanted), caller.author
                    )
            except UniqueViolation as error:
                if error.constraint == "event_types_display_name":
                    raise AlreadyExists(
                        f"Event Type with displayName '{draft.display_name}' already exists."
                    ) from error
                if name is not None:
                    raise AlreadyExists(f"Event Type with name '{name}' already exists.") from error
                digits = random.randrange(10_000)  # noqa: S311 - a name, not a secret
                wanted = names.with_digits(names.derive(draft.display_name), digits)
            else:
                return wanted
        raise AlreadyExists(f"Event Type with name '{wanted}' already exists.")

    def _make(self, project: str, name: str, draft: Draft) -> None:
        topic = names.topic_of(name)
        is_ours = topic not in self._admin.topics()
        with self._database.transaction() as transaction:
            store.owns_topic(transaction, name, yes=is_ours)
        if is_ours:
            retention = str(draft.retention_ms)
            config = {
                "retention.ms": retention,
                "segment.ms": retention,
                "max.message.bytes": str(LARGEST_BATCH),
            }
            self._admin.create_topic(topic, draft.partition_count, draft.replication, config)
        try:
            with self._database.transaction() as transaction:
                store.make_view(transaction, name, project)
                persisters.create(transaction, name, topic)
                store.ready(transaction, name)
        except NameTaken as error:
            # The project has made something of that name since the intent was written, or a type.
            raise _view_is_taken(name, project) from error

    # Deleting ---------------------------------------------------------------------------------

    def delete(
        self, project: str, name: str, expect: Callable[[EventType], None] | None = None
    ) -> None:
        """Delete all versions, the persister, the topic, the view. Stored events stay.

        `expect` may refuse the latest version, which nobody changes meanwhile.
        """
        with self._at_work() as work:
            work.add(name)
            try:
                self._intend_to_delete(project, name, expect)
            except StillNeeded as error:
                # By what is no view: a column of its row type, a function with its body parsed.
                raise _view_is_needed(name, project, error.by) from error
            self._wait_until_stopped(name)
            self._undo(name)

    def _intend_to_delete(
        self, project: str, name: str, expect: Callable[[EventType], None] | None
    ) -> None:
        with self._database.transaction() as transaction:
            store.lock(transaction, name)
            latest = _versions(transaction, name, project)[-1]
            if expect is not None:
                expect(latest)
            _expect_that_nobody_needs_its_view(transaction, name, project)
            # With the intent, as only a view can refuse to go; from here on all can be retried.
            store.drop_view(transaction, name, project)
            store.deleting(transaction, name)
            deployments.stop(transaction, stream_name(name))

    def _wait_until_stopped(self, name: str) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            with self._database.transaction() as transaction:
                found = deployments.condition(transaction, stream_name(name))
            if found is None or found.state in (State.STOPPED, State.FAILED):
                return
            time.sleep(0.05)

    def _undo(self, name: str) -> None:
        """Take away what is left of one that is half made or half deleted. It has no view."""
        with self._database.transaction() as transaction:
            owns_topic = store.give_up(transaction, name)
        if owns_topic is None:
            return
        if owns_topic:
            self._admin.delete_topic(names.topic_of(name))
        with self._database.transaction() as transaction:
            persisters.delete(transaction, name)
            store.remove(transaction, name)

    def _undo_quietly(self, name: str) -> bool:
        try:
            self._undo(name)
        except GranaryError as error:
            logger.warning("Event type %s stays half made until it is healed: %s", name, error)
            return False
        return True

    def heal(self) -> None:
        """Undo what a crash, or a log that was away, left half made or half deleted.

        At the start, and before a new one is made, which may want the name of such a one.
        """
        with self._healing:
            with self._database.transaction() as transaction:
                unfinished = [row["name"] for row in store.unfinished(transaction)]
            for name in unfinished:
                if any(name in work for work in list(self._works)):
                    continue
                logger.info("Undoing the half made event type %s.", name)
                if not self._undo_quietly(name):
                    return


def _expect_free_view(transaction: Transaction, name: str, project: str) -> None:
    if not store.is_taken(transaction, name) and store.is_view_name_taken(
        transaction, name, project
    ):
        raise _view_is_taken(name, project)


def _view_is_taken(name: str, project: str) -> AlreadyExists:
    return AlreadyExists(
        f"Event Type '{name}' needs the view '{project}.{names.view_of(name)}', "
        "but the project has made one itself. Drop or rename it."
    )


def _expect_that_nobody_needs_its_view(transaction: Transaction, name: str, project: str) -> None:
    if found := store.built_on_view(transaction, name, project):
        raise _view_is_needed(name, project, ", ".join(found))


def _view_is_needed(name: str, project: str, by: str) -> InUse:
    return InUse(
        f"Event Type '{name}' is in use: its view '{project}.{names.view_of(name)}' is read by"
        f" {by}."
    )


def _versions(transaction: Transaction, name: str, project: str | None) -> list[EventType]:
    found = store.versions(transaction, name, project)
    if not found:
        raise NotFound(f"Event Type '{name}' not found.")
    return found
