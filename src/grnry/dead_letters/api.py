"""Dead letters over HTTP."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from grnry.dead_letters.bodies import (
    LARGEST_OFFSET,
    LARGEST_PARTITION,
    DroppedAnswer,
    LetterAnswer,
    LetterList,
    QueuedAnswer,
    ReplayBody,
    SourceList,
    letter_answer,
    reason_answer,
    source_answer,
)
from grnry.dead_letters.model import ALL, OPEN, LetterState, Selection
from grnry.dead_letters.service import DeadLetters, replayable
from grnry.errors import BadInput, Problem
from grnry.http.answers import json_answer
from grnry.http.conditions import IfNoneMatch, entity_tag
from grnry.http.context import CurrentIdentity, note_problems
from grnry.http.links import Links, href
from grnry.http.openapi import errors
from grnry.http.paging import AnyPage, page_links
from grnry.http.parameters import Between, noting
from grnry.http.routing import ProjectName, Router
from grnry.identity.access import CHANGE, READ

PATH = "/dead-letters"
ONE = PATH + "/{deployment}"
STATES = (*(state.value for state in LetterState), ALL)

Deployment = Annotated[
    str,
    Path(description="The name of what failed to store them.", examples=["grnry-p-pg-calls"]),
]
PartitionNumber = Annotated[int, Between(0, LARGEST_PARTITION), Path(description="Its partition.")]
Offset = Annotated[int, Between(0, LARGEST_OFFSET), Path(description="Its offset.")]
Reason = Annotated[str, Query(description="Only those that failed for exactly this reason.")]


def _parse_states(text: str) -> tuple[LetterState, ...]:
    if text == ALL:
        return tuple(LetterState)
    if text not in STATES:
        raise BadInput.of("state", f"must be one of {', '.join(STATES)} but is '{text}'")
    return (LetterState(text),)


async def _shown_states(
    state: Annotated[
        str,
        Query(
            description=f"One of {', '.join(STATES)}; by default what is failed or queued.",
            examples=["failed"],
        ),
    ] = "",
) -> tuple[LetterState, ...]:
    return noting(_parse_states, state, OPEN) if state else OPEN


async def _dropped_states(
    state: Annotated[
        str,
        Query(description=f"One of {', '.join(STATES)}; all by default.", examples=["replayed"]),
    ] = "",
) -> tuple[LetterState, ...]:
    return noting(_parse_states, state or ALL, tuple(LetterState))


async def _dropped(
    states: Annotated[tuple[LetterState, ...], Depends(_dropped_states)],
    reason: Reason = "",
    partition: Annotated[
        int | None, Query(ge=0, le=LARGEST_PARTITION, description="Only of this partition.")
    ] = None,
    offset: Annotated[
        int | None, Query(ge=0, le=LARGEST_OFFSET, description="Only this one of a partition.")
    ] = None,
) -> Selection:
    if offset is not None and partition is None:
        note_problems([Problem("partition", "must be given where 'offset' is")])
    return Selection(states, reason or None, partition, offset)


ShownStates = Annotated[tuple[LetterState, ...], Depends(_shown_states)]
Dropped = Annotated[Selection, Depends(_dropped)]

_ANSWER = {"response_model_exclude_unset": True, "responses": errors(404)}
_SOURCES: dict[str, Any] = {"response_model": SourceList, "response_model_exclude_unset": True}
_LETTERS: dict[str, Any] = {**_ANSWER, "response_model": LetterList}
_LETTER: dict[str, Any] = {**_ANSWER, "response_model": LetterAnswer}
_QUEUED: dict[str, Any] = {**_ANSWER, "response_model": QueuedAnswer}
_DROPPED: dict[str, Any] = {**_ANSWER, "response_model": DroppedAnswer}


def router(service: DeadLetters, links: Links) -> Router:
    api = Router(tags=["dead letters"])
    calls = _Calls(service, links)

    @api.scoped("GET", PATH, permission=READ, **_SOURCES)
    def list_dead_letters(request: Request, project: ProjectName, page: AnyPage) -> Any:
        """Which deployments have dead letters, and how many."""
        return calls.sources(request, project, page)

    @api.scoped("GET", ONE, permission=READ, **_LETTERS)
    def dead_letters(
        request: Request,
        project: ProjectName,
        deployment: Deployment,
        page: AnyPage,
        states: ShownStates,
        reason: Reason = "",
    ) -> Any:
        """The dead letters of a deployment, the oldest first, and why they failed.

        Of a large payload the first 4 KiB; one of them alone is answered whole.
        """
        selection = Selection(states, reason or None)
        return calls.letters(request, project, deployment, page, selection)

    @api.scoped("GET", ONE + "/{partition}/{offset}", permission=READ, **_LETTER)
    def dead_letter(
        project: ProjectName,
        deployment: Deployment,
        partition: PartitionNumber,
        offset: Offset,
        known: IfNoneMatch,
    ) -> Any:
        """One dead letter, whole."""
        found = letter_answer(service.letter(project, deployment, partition, offset))
        return known.answer(entity_tag(found), found)

    @api.scoped("POST", ONE + ":replay", permission=CHANGE, **_QUEUED)
    def replay_dead_letters(
        caller: CurrentIdentity, project: ProjectName, deployment: Deployment, body: ReplayBody
    ) -> Any:
        """Let the deployment store what failed once more, each exactly once.

        Left out is what is superseded: a live segment's row whose id was written later, an event
        that is there already or was deleted since. It is done when the deployment comes to it.
        """
        return calls.replay(caller.username, project, deployment, body)

    @api.scoped("DELETE", ONE, permission=CHANGE, **_DROPPED)
    def drop_dead_letters(project: ProjectName, deployment: Deployment, dropped: Dropped) -> Any:
        """Drop dead letters for good: all of a deployment, or some of them."""
        return {"dropped": service.drop(project, deployment, dropped)}

    return api


class _Calls:
    """Parse, call, render."""

    def __init__(self, service: DeadLetters, links: Links) -> None:
        self._service = service
        self._links = links

    def sources(self, request: Request, project: str, page: AnyPage) -> Any:
        found = self._service.sources(project)
        shown = found[page.offset : page.offset + page.size]
        has_next = len(found) > page.offset + page.size
        answers = []
        for source in shown:
            path = self._links.to(request, f"/projects/{project}{PATH}/{source.deployment}")
            answers.append({**source_answer(source), "_links": {"self": href(path)}})
        return json_answer(
            {
                "deadLetters": answers,
                "totalCount": len(found),
                "_links": page_links(self._links, request, page, has_next=has_next),
            }
        )

    def letters(
        self, request: Request, project: str, deployment: str, page: AnyPage, selection: Selection
    ) -> Any:
        found = self._service.page(project, deployment, selection, page.size, page.offset)
        has_next = found.total > page.offset + len(found.letters) and bool(found.letters)
        return json_answer(
            {
                **source_answer(found.source),
                "status": found.status.value,
                "reasons": list(map(reason_answer, found.reasons)),
                "letters": list(map(letter_answer, found.letters)),
                "totalCount": found.total,
                "_links": page_links(self._links, request, page, has_next=has_next),
            }
        )

    def replay(self, by: str, project: str, deployment: str, body: ReplayBody) -> dict[str, Any]:
        payload = body.edited()
        states = replayable(forced=body.force)
        selection = Selection(states, body.reason, body.partition, body.offset)
        if payload is None:
            queued = self._service.replay(project, deployment, selection, by, forced=body.force)
        else:
            queued = self._service.replay_edited(
                project, deployment, selection, by, payload, forced=body.force
            )
        return {"queued": queued.count, "status": queued.status.value}
