"""What can be done with dead letters."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from grnry.database.pool import Database
from grnry.database.transaction import Reading, Transaction
from grnry.dead_letters import store
from grnry.dead_letters.model import (
    OPEN,
    Letter,
    LetterState,
    Reason,
    Selection,
    Source,
)
from grnry.deployments import service as deployments
from grnry.deployments.model import State
from grnry.errors import NotFound
from grnry.sinks import places


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a deployment's dead letters, and all that is counted of it."""

    source: Source
    status: State
    reasons: Sequence[Reason]
    letters: Sequence[Letter]
    total: int


@dataclass(frozen=True, slots=True)
class Queued:
    """What is to be replayed, and whether anybody runs who does it."""

    count: int
    status: State


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where the dead letters of one deployment are."""

    transaction: Transaction | None
    """None where it has never got so far as to keep any."""

    name: str
    """What it is called there."""

    event_type: str
    status: State


class DeadLetters:
    """The dead letters of a project's deployments, in whichever database they are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sources(self, project: str) -> list[Source]:
        """Those of other databases as well; where one does not answer, that is said."""
        with self._database.reading() as reading:
            found = store.sources(reading, project)
            names = store.deployments_of(reading, project)
            away = {p.deployment: p for p in places.elsewhere(reading) if p.deployment in names}
        elsewhere = [self._source(place, names[name]) for name, place in away.items()]
        here = [source for source in found if source.deployment not in away]
        counted = [source for source in elsewhere if source.message or any(source.counts.values())]
        return sorted([*here, *counted], key=lambda source: source.deployment)

    def _source(self, place: places.Place, event_type: str) -> Source:
        nothing = Source(place.deployment, event_type, {each.value: 0 for each in LetterState})
        try:
            with places.opened(self._database, place) as transaction:
                if transaction is None:
                    return nothing
                source, _ = store.tally(transaction, place.name, event_type, ())
        except places.NotThere as error:
            return replace(nothing, message=error.message)
        return replace(source, deployment=place.deployment)

    def page(
        self, project: str, deployment: str, selection: Selection, limit: int, skipped: int
    ) -> Page:
        with self._kept(project, deployment) as kept:
            if kept.transaction is None:
                counts = {each.value: 0 for each in LetterState}
                return Page(Source(deployment, kept.event_type, counts), kept.status, (), (), 0)
            source, reasons = store.tally(
                kept.transaction, kept.name, kept.event_type, selection.states
            )
            total = (
                store.count(kept.transaction, kept.name, selection)
                if selection.reason
                else sum(source.counts[state] for state in selection.states)
            )
            letters = store.page(
                kept.transaction, kept.name, selection, limit=limit, skipped=skipped, total=total
            )
            named = replace(source, deployment=deployment)
            return Page(named, kept.status, reasons, letters, total)

    def letter(self, project: str, deployment: str, partition: int, offset: int) -> Letter:
        """One of them, with its whole payload."""
        selection = Selection(partition=partition, offset=offset)
        with self._kept(project, deployment) as kept:
            found = None
            if kept.transaction is not None:
                found = store.letter(kept.transaction, kept.name, selection)
        if found is None:
            raise _nothing_there(deployment, selection)
        return found

    def replay(
        self, project: str, deployment: str, selection: Selection, by: str, *, forced: bool
    ) -> Queued:
        """Let the deployment store what failed; by force also what is superseded.

        It is done when its worker comes to it, at the next start where it is stopped.
        """
        with self._kept(project, deployment) as kept:
            if kept.transaction is None:
                return Queued(0, kept.status)
            count = store.queue(kept.transaction, kept.name, selection, by, forced=forced)
            return Queued(count, kept.status)

    def replay_edited(
        self,
        project: str,
        deployment: str,
        selection: Selection,
        by: str,
        payload: bytes,
        *,
        forced: bool,
    ) -> Queued:
        """Replay one record with another payload; its own is kept beside it."""
        with self._kept(project, deployment) as kept:
            if kept.transaction is None or not store.edit(
                kept.transaction, kept.name, selection, payload
            ):
                raise _nothing_there(deployment, selection, "that is failed or queued")
            count = store.queue(kept.transaction, kept.name, selection, by, forced=forced)
            return Queued(count, kept.status)

    def drop(self, project: str, deployment: str, selection: Selection) -> int:
        """Delete them for good; how many it were."""
        with self._kept(project, deployment) as kept:
            if kept.transaction is None:
                return 0
            return store.drop(kept.transaction, kept.name, selection)

    @contextmanager
    def _kept(self, project: str, deployment: str) -> Iterator[_Kept]:
        with self._database.transaction() as transaction:
            event_type = _expect(transaction, project, deployment)
            status = _status(transaction, deployment)
            place = places.place_of(transaction, deployment)
            if not place.is_elsewhere:
                yield _Kept(transaction, deployment, event_type, status)
                return
        with places.opened(self._database, place) as found:
            yield _Kept(found, place.name, event_type, status)


def replayable(*, forced: bool) -> tuple[LetterState, ...]:
    """What a replay takes up."""
    return (*OPEN, LetterState.SUPERSEDED) if forced else OPEN


def _expect(reading: Reading, project: str, deployment: str) -> str:
    """Answers what it stores."""
    found = store.event_type_of(reading, project, deployment)
    if found is None:
        raise NotFound(f"Deployment '{deployment}' not found.")
    return found


def _status(reading: Reading, deployment: str) -> State:
    found = deployments.condition(reading, deployment)
    return State.STOPPED if found is None else found.state


def _nothing_there(deployment: str, selection: Selection, kind: str = "") -> NotFound:
    place = f"partition '{selection.partition}' and offset '{selection.offset}'"
    which = f" {kind}" if kind else ""
    return NotFound(f"Dead letter of '{deployment}' with {place}{which} not found.")
