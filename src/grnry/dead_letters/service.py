"""What can be done with dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grnry.database.pool import Database
from grnry.database.transaction import Reading
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
class _Known:
    """One of a project's deployments."""

    place: places.Place
    """Where its dead letters are."""

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
        known = self._known(project, deployment)
        name = known.place.name
        with places.read(self._database, known.place) as reading:
            if reading is None:
                counts = {each.value: 0 for each in LetterState}
                return Page(Source(deployment, known.event_type, counts), known.status, (), (), 0)
            source, reasons = store.tally(reading, name, known.event_type, selection.states)
            total = (
                store.count(reading, name, selection)
                if selection.reason
                else sum(source.counts[state] for state in selection.states)
            )
            letters = store.page(
                reading, name, selection, limit=limit, skipped=skipped, total=total
            )
            named = replace(source, deployment=deployment)
            return Page(named, known.status, reasons, letters, total)

    def letter(self, project: str, deployment: str, partition: int, offset: int) -> Letter:
        """One of them, with its whole payload."""
        selection = Selection(partition=partition, offset=offset)
        place = self._known(project, deployment).place
        with places.read(self._database, place) as reading:
            found = None if reading is None else store.letter(reading, place.name, selection)
        if found is None:
            raise _nothing_there(deployment, selection)
        return found

    def replay(
        self, project: str, deployment: str, selection: Selection, by: str, *, forced: bool
    ) -> Queued:
        """Let the deployment store what failed; by force also what is superseded.

        It is done when its worker comes to it, at the next start where it is stopped.
        """
        known = self._known(project, deployment)
        with places.opened(self._database, known.place) as transaction:
            if transaction is None:
                return Queued(0, known.status)
            count = store.queue(transaction, known.place.name, selection, by, forced=forced)
            return Queued(count, known.status)

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
        known = self._known(project, deployment)
        name = known.place.name
        with places.opened(self._database, known.place) as transaction:
            if transaction is None or not store.edit(transaction, name, selection, payload):
                raise _nothing_there(deployment, selection, "that is failed or queued")
            count = store.queue(transaction, name, selection, by, forced=forced)
            return Queued(count, known.status)

    def drop(self, project: str, deployment: str, selection: Selection) -> int:
        """Delete them for good; how many it were."""
        place = self._known(project, deployment).place
        with places.opened(self._database, place) as transaction:
            return 0 if transaction is None else store.drop(transaction, place.name, selection)

    def _known(self, project: str, deployment: str) -> _Known:
        with self._database.reading() as reading:
            event_type = _expect(reading, project, deployment)
            place = places.place_of(reading, deployment)
            return _Known(place, event_type, _status(reading, deployment))


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
