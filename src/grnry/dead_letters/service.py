"""What can be done with dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass

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


class DeadLetters:
    """The dead letters of a project's deployments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sources(self, project: str) -> list[Source]:
        with self._database.reading() as reading:
            return store.sources(reading, project)

    def page(
        self, project: str, deployment: str, selection: Selection, limit: int, skipped: int
    ) -> Page:
        with self._database.reading() as reading:
            event_type = _expect(reading, project, deployment)
            source, reasons = store.tally(reading, deployment, event_type, selection.states)
            total = (
                store.count(reading, deployment, selection)
                if selection.reason
                else sum(source.counts[state] for state in selection.states)
            )
            return Page(
                source,
                _status(reading, deployment),
                reasons,
                store.page(
                    reading, deployment, selection, limit=limit, skipped=skipped, total=total
                ),
                total,
            )

    def letter(self, project: str, deployment: str, partition: int, offset: int) -> Letter:
        """One of them, with its whole payload."""
        selection = Selection(partition=partition, offset=offset)
        with self._database.reading() as reading:
            _expect(reading, project, deployment)
            found = store.letter(reading, deployment, selection)
        if found is None:
            raise _nothing_there(deployment, selection)
        return found

    def replay(
        self, project: str, deployment: str, selection: Selection, by: str, *, forced: bool
    ) -> Queued:
        """Let the deployment store what failed; by force also what is superseded.

        It is done when its worker comes to it, at the next start where it is stopped.
        """
        with self._database.transaction() as transaction:
            _expect(transaction, project, deployment)
            count = store.queue(transaction, deployment, selection, by, forced=forced)
            return Queued(count, _status(transaction, deployment))

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
        with self._database.transaction() as transaction:
            _expect(transaction, project, deployment)
            count = store.edit(transaction, deployment, selection, payload)
            if not count:
                raise _nothing_there(deployment, selection, "that is failed or queued")
            store.queue(transaction, deployment, selection, by, forced=forced)
            return Queued(count, _status(transaction, deployment))

    def drop(self, project: str, deployment: str, selection: Selection) -> int:
        """Delete them for good; how many it were."""
        with self._database.transaction() as transaction:
            _expect(transaction, project, deployment)
            return store.drop(transaction, deployment, selection)


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
