"""What can be done with event types."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from grnry.database.pool import Database
from grnry.database.transaction import NameTaken, Reading, StillNeeded, Transaction, UniqueViolation
from grnry.deployments.service import Condition
from grnry.errors import NotFound
from grnry.event_types import names, relations, store
from grnry.event_types.building import Builder, Undone, tell_to_stop
from grnry.event_types.checks import (
    EventTypeNameTaken,
    changed,
    display_name_taken,
    drafted,
    relation_taken,
    sound,
    still_read,
)
from grnry.event_types.fields import makes_version
from grnry.event_types.kinds import LIVE_SEGMENT, Kind
from grnry.event_types.model import Draft, EventType
from grnry.event_types.neighbours import (
    Neighbour,
    Reference,
    persister_path,
    refuse_while_used,
)
from grnry.event_types.purging import expect_that_nobody_reads, purge
from grnry.event_types.schema_documents import incompatibilities
from grnry.identity.model import Identity
from grnry.log.admin import Admin
from grnry.persisters import service as persisters

NAME_TRIES = 20
TRIES = 5


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    event_types: Sequence[EventType]
    has_next: bool
    total: int | None = None


class EventTypes:
    """The event types of all projects."""

    def __init__(
        self, database: Database, admin: Admin, neighbours: Sequence[Neighbour] = ()
    ) -> None:
        self._database = database
        self._admin = admin
        self._neighbours = neighbours
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
        with self._database.reading() as reading:
            found = store.page(reading, project, search, limit + 1, offset)
            total = store.count(reading, project, search) if with_total else None
        return Page(found[:limit], len(found) > limit, total)

    def versions(self, project: str | None, name: str) -> list[EventType]:
        """All versions, oldest first."""
        with self._database.reading() as reading:
            return _versions(reading, name, project)

    def version(self, project: str | None, name: str, version: int | None) -> EventType:
        """One version; the latest where none is named."""
        with self._database.reading() as reading:
            found = store.version(reading, name, project, version)
            if found is not None:
                return found
            if version is None or not store.versions(reading, name, project):
                raise NotFound(f"Event Type '{name}' not found.")
        raise NotFound(f"Event Type '{name}' with version '{version}' not found.")

    def lacks_replicas(self, event_type: EventType) -> bool:
        """Whether its topic has fewer replicas than are asked for, as there are fewer brokers."""
        if not event_type.kind.topic_prefix:
            return False
        return self._admin.brokers() < event_type.draft.replication

    def references(
        self, event_types: Sequence[EventType], *, in_detail: bool = False
    ) -> list[Reference]:
        """Who writes and reads them; in detail, with the states of their persisters."""
        if not (in_detail or self._neighbours):
            return _persisters(event_types, {})
        with self._database.reading() as reading:
            kinds = {each.name: each.kind.persister for each in event_types if each.kind.persister}
            states = persisters.conditions(reading, kinds) if in_detail else {}
            return _persisters(event_types, states) + self._of_neighbours(
                reading, [each.name for each in event_types]
            )

    def _of_neighbours(self, reading: Reading, names: Sequence[str]) -> list[Reference]:
        return [
            found
            for neighbour in self._neighbours
            for found in neighbour.references(reading, names)
        ]

    def consumer_roles(self, project: str) -> list[str]:
        """The roles that a project's event types name for those who may read them."""
        with self._database.reading() as reading:
            return store.consumer_roles(reading, project)

    # Making and changing ----------------------------------------------------------------------

    def create(
        self, caller: Identity, project: str, name: str | None, given: Mapping[str, Any]
    ) -> EventType:
        """Make an event type with all that its kind has; all of it or nothing.

        `given` are the fields by their names on the wire.
        """
        draft = drafted(project, name, given)
        self._builder.heal()
        for attempt in range(1, TRIES + 1):
            taken = self._intend(caller, project, name, draft)
            try:
                self._builder.make(taken, project, draft)
            except NameTaken as error:
                # The project has made something of that name since the intent, or a type.
                raise relation_taken(draft.type, taken, project) from error
            except Undone:
                if attempt == TRIES:
                    raise
            else:
                break
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
                    raise display_name_taken(draft) from error
                if name is not None:
                    raise EventTypeNameTaken(name) from error
            except EventTypeNameTaken:
                if name is not None:
                    raise
            else:
                return wanted
            digits = random.randrange(10_000)  # noqa: S311 - a name, not a secret
            wanted = names.with_digits(names.derive(draft.display_name), digits)
        raise EventTypeNameTaken(wanted)

    def _expect_free(self, name: str, project: str, draft: Draft) -> None:
        with self._database.reading() as reading:
            if store.belongs_elsewhere(reading, name, project):
                raise EventTypeNameTaken(name)
            former = store.former_schemas(reading, name, draft.type)
            if former and draft.schema:
                sound(draft, list(incompatibilities(draft.schema, former)))
            elif not store.is_taken(reading, name) and relations.is_taken(
                reading, draft.type, name, project
            ):
                raise relation_taken(draft.type, name, project)

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
            draft = changed(latest, history, given)
            if draft == latest.draft:
                return None
            version = latest.version
            if makes_version(latest.draft, draft):
                version += 1
                self._change_table(transaction, latest, history, draft)
                store.add_version(transaction, name, version, draft, caller.author)
            try:
                with transaction.savepoint():
                    store.change(transaction, name, version, draft, caller.author)
            except UniqueViolation as error:
                raise display_name_taken(draft) from error
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
        self,
        project: str,
        name: str,
        expect: Callable[[EventType], None] = lambda _: None,
        *,
        with_data: bool = False,
    ) -> None:
        """Delete all versions, the persister, the topic, the view; with their data if asked to.

        `expect` may refuse the latest version, which nobody changes meanwhile. Asking again for one
        that was interrupted, and was to be purged, finishes it.
        """
        try:
            kind = self._intend_to_delete(project, name, expect, with_data=with_data)
        except NotFound:
            if not with_data:
                raise
            self.purge(project, name)
            return
        self._builder.take_away(name, kind)
        if with_data:
            with suppress(NotFound):  # somebody else has purged it meanwhile
                self.purge(project, name)
        else:
            self._forget_where_nothing_is_left(name, kind.name)

    def _intend_to_delete(
        self, project: str, name: str, expect: Callable[[EventType], None], *, with_data: bool
    ) -> Kind:
        with self._database.transaction() as transaction:
            if not store.lock(transaction, name, project):
                raise NotFound(f"Event Type '{name}' not found.")
            latest = _versions(transaction, name, project)[-1]
            expect(latest)
            refuse_while_used(name, self._of_neighbours(transaction, [name]))
            kind = latest.draft.type
            # The table of a live segment stays, for who reads it, unless that goes as well.
            if with_data or kind != LIVE_SEGMENT:
                expect_that_nobody_reads(transaction, kind, name, project)
            # With the intent, as only a view can refuse to go; from here on all can be retried.
            try:
                with transaction.savepoint():
                    relations.drop_view(transaction, kind, name, project)
            except StillNeeded as error:
                # By what is no view: a column of its row type, a function with its body parsed.
                raise still_read(kind, name, project, error.by) from error
            store.deleting(transaction, name)
            store.keep_former(transaction, name)
            tell_to_stop(transaction, name, latest.kind)
            return latest.kind

    def _forget_where_nothing_is_left(self, name: str, kind: str) -> None:
        with self._database.transaction() as transaction:
            if not relations.has_data(transaction, kind, name):
                store.forget_former(transaction, name, kind)

    def purge(self, project: str, name: str) -> int:
        """Delete what is stored of it, or of deleted ones of the project; answers how much."""
        return purge(self._database, project, name, finish_deletions=self.heal)


def _persisters(
    event_types: Sequence[EventType], states: Mapping[str, Condition]
) -> list[Reference]:
    """Each has the one that was made with it, if its kind has any."""
    return [
        Reference(
            each.name,
            "persisters",
            each.project,
            persister_path(each),
            names={"eventTypeName": each.name, "eventStoreType": each.kind.persister},
            details={"state": states[each.name].told()} if each.name in states else {},
        )
        for each in event_types
        if each.kind.persister
    ]


def _versions(reading: Reading, name: str, project: str | None) -> list[EventType]:
    found = store.versions(reading, name, project)
    if not found:
        raise NotFound(f"Event Type '{name}' not found.")
    return found
