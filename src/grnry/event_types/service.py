"""What can be done with event types."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grnry.database.pool import Database
from grnry.database.transaction import Transaction, UniqueViolation
from grnry.errors import AlreadyExists, BadInput, InUse, NotFound, Problem
from grnry.event_types import names, relations, store
from grnry.event_types.building import Builder, tell_to_stop
from grnry.event_types.fields import changed_draft, makes_version, new_draft
from grnry.event_types.kinds import KINDS, LIVE_SEGMENT, locations
from grnry.event_types.model import Draft, EventType
from grnry.event_types.schema_documents import incompatibilities
from grnry.identity.model import Identity
from grnry.log.admin import Admin

NAME_TRIES = 20
PURGE_ROWS = 10_000


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
        self._builder = Builder(database, admin)

    def heal(self) -> None:
        """Undo what a crash left half made or half deleted."""
        self._builder.heal()

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

    # Making and changing ----------------------------------------------------------------------

    def create(
        self, caller: Identity, project: str, name: str | None, given: Mapping[str, Any]
    ) -> EventType:
        """Make an event type with all that its kind has; all of it or nothing.

        `given` are the fields by their names on the wire.
        """
        draft = _drafted(project, name, given)
        self._builder.heal()
        taken = self._intend(caller, project, name, draft)
        self._builder.make(taken, project, draft)
        return self.version(project, taken, None)

    def _intend(self, caller: Identity, project: str, name: str | None, draft: Draft) -> str:
        """Write down what is to be made; the name that it got."""
        wanted = name or names.derive(draft.display_name)
        for _ in range(NAME_TRIES):
            try:
                self._expect_free(wanted, project, draft)
                self._builder.intend(wanted, project, draft, caller.author)
            except UniqueViolation as error:
                if error.constraint == "event_types_display_name":
                    raise _display_name_taken(draft) from error
                if name is not None:
                    raise _name_taken(name) from error
            except _NameTaken:
                if name is not None:
                    raise
            else:
                return wanted
            digits = random.randrange(10_000)  # noqa: S311 - a name, not a secret
            wanted = names.with_digits(names.derive(draft.display_name), digits)
        raise _name_taken(wanted)

    def _expect_free(self, name: str, project: str, draft: Draft) -> None:
        with self._database.transaction() as transaction:
            if store.belongs_elsewhere(transaction, name, project):
                raise _name_taken(name)
            former = store.former_schemas(transaction, name, draft.type)
            if former and draft.schema:
                _sound(draft, list(incompatibilities(draft.schema, former)))
            elif not store.is_taken(transaction, name):
                _expect_free_relation(transaction, draft.type, name, project)

    def change(
        self,
        caller: Identity,
        project: str,
        name: str,
        given: Mapping[str, Any],
        expect: Callable[[EventType], None],
    ) -> EventType | None:
        """Change it in full or in part; none where nothing is different.

        Changes of one event type wait for each other, so that no number is given twice. `expect`
        sees what is stored before anything changes, and may refuse.
        """
        with self._database.transaction() as transaction:
            if not store.lock(transaction, name, project):
                raise NotFound(f"Event Type '{name}' not found.")
            history = _versions(transaction, name, project)
            latest = history[-1]
            expect(latest)
            draft = _changed(latest, history, given)
            if draft == latest.draft:
                return None
            version = latest.version
            if makes_version(latest.draft, draft):
                version += 1
                self._change_table(transaction, latest, history, draft)
                store.add_version(transaction, name, version, draft, caller.author)
            try:
                store.change(transaction, name, version, draft, caller.author)
            except UniqueViolation as error:
                raise _display_name_taken(draft) from error
            return _versions(transaction, name, project)[-1]

    def _change_table(
        self,
        transaction: Transaction,
        latest: EventType,
        history: Sequence[EventType],
        draft: Draft,
    ) -> None:
        if draft.schema and draft.schema != latest.draft.schema:
            former = store.former_schemas(transaction, latest.name, LIVE_SEGMENT)
            own = [each.draft.schema for each in history if each.draft.schema]
            schemas = [*former, *own, draft.schema]
            relations.change(transaction, latest.name, latest.project, schemas)

    # Deleting ---------------------------------------------------------------------------------

    def delete(
        self, project: str, name: str, expect: Callable[[EventType], None], *, purge: bool
    ) -> None:
        """Delete all versions, the persister, the topic, the view. Stored events stay."""
        with self._database.transaction() as transaction:
            if not store.lock(transaction, name, project):
                raise NotFound(f"Event Type '{name}' not found.")
            latest = _versions(transaction, name, project)[-1]
            expect(latest)
            if latest.draft.type != LIVE_SEGMENT:
                _expect_that_nobody_reads(transaction, latest.draft.type, name, project)
            # With the intent, as only a view can refuse to go; from here on all can be retried.
            relations.drop_view(transaction, latest.draft.type, name, project)
            store.deleting(transaction, name)
            store.keep_former(transaction, name)
            tell_to_stop(transaction, name)
        self._builder.take_away(name)
        if purge:
            self.purge(project, name)
        else:
            self._forget_where_nothing_is_left(name, latest.draft.type)

    def _forget_where_nothing_is_left(self, name: str, kind: str) -> None:
        with self._database.transaction() as transaction:
            if not relations.has_data(transaction, kind, name):
                store.forget_former(transaction, name, kind)

    def purge(self, project: str, name: str) -> int:
        """Delete what is stored of it, or of deleted ones of the project; answers how much."""
        with self._database.transaction() as transaction:
            found = store.versions(transaction, name, project)
            own = {found[-1].draft.type} if found else set()
            kinds = own | set(store.former_types(transaction, name, project))
        if not kinds:
            raise NotFound(f"Event Type '{name}' not found.")
        return sum(self._purge(project, name, kind, drop=kind not in own) for kind in kinds)

    def _purge(self, project: str, name: str, kind: str, *, drop: bool) -> int:
        purged = 0
        while True:
            with self._database.transaction() as transaction:
                gone = relations.purge(transaction, kind, name, PURGE_ROWS)
                purged += gone
                if gone == PURGE_ROWS:
                    continue
                if kind == LIVE_SEGMENT:
                    _expect_that_nobody_reads(transaction, kind, name, project)
                    purged += relations.purge_table(transaction, name, project, drop=drop)
                if drop:
                    store.forget_former(transaction, name, kind)
                return purged


class _NameTaken(AlreadyExists):
    pass


def _name_taken(name: str) -> AlreadyExists:
    return _NameTaken(f"Event Type with name '{name}' already exists.")


def _display_name_taken(draft: Draft) -> AlreadyExists:
    return AlreadyExists(f"Event Type with displayName '{draft.display_name}' already exists.")


def _drafted(project: str, name: str | None, given: Mapping[str, Any]) -> Draft:
    kind = given.get("type") or "data_in"
    laid = locations(kind, project, name) if name and kind in KINDS else []
    draft, problems = new_draft(given, {"physicalLocations": laid})
    problems += draft.problems()
    if name is not None and not names.is_name(name):
        reason = f"must be 1 to {names.LONGEST} letters, digits and hyphens but is '{name}'"
        problems.append(Problem("name", reason))
    if name is None and draft.display_name.strip() and not names.derive(draft.display_name):
        problems.append(Problem("displayName", "must contain a letter, a digit or a hyphen"))
    return _sound(draft, problems)


def _changed(latest: EventType, history: Sequence[EventType], given: Mapping[str, Any]) -> Draft:
    laid = locations(latest.draft.type, latest.project, latest.name)
    draft, problems = changed_draft(given, latest.draft, {"physicalLocations": laid})
    problems += draft.problems()
    if not problems and draft.schema and draft.schema != latest.draft.schema:
        earlier = [each.draft.schema for each in history if each.draft.schema]
        problems += incompatibilities(draft.schema, earlier)
    return _sound(draft, problems)


def _sound(draft: Draft, problems: Sequence[Problem]) -> Draft:
    if problems:
        raise BadInput(problems)
    return draft


def _expect_free_relation(transaction: Transaction, kind: str, name: str, project: str) -> None:
    if relations.is_taken(transaction, kind, name, project):
        raise AlreadyExists(
            f"Event Type '{name}' needs '{project}.{KINDS[kind].relation_of(name)}', "
            "but the project has made one itself. Drop or rename it."
        )


def _expect_that_nobody_reads(transaction: Transaction, kind: str, name: str, project: str) -> None:
    if found := relations.built_on(transaction, kind, name, project):
        raise InUse(
            f"Event Type '{name}' is in use: '{project}.{KINDS[kind].relation_of(name)}' "
            f"is read by {', '.join(found)}."
        )


def _versions(transaction: Transaction, name: str, project: str | None) -> list[EventType]:
    found = store.versions(transaction, name, project)
    if not found:
        raise NotFound(f"Event Type '{name}' not found.")
    return found
