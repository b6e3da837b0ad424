"""Persisters of live segments over HTTP."""

from typing import Annotated, Any, ClassVar

from fastapi import Depends, Query, Request, Response
from pydantic import ConfigDict, Field, WithJsonSchema

from grnry.errors import BadInput, Problem
from grnry.http.answers import json_answer
from grnry.http.bodies import AnswerBody, RequestBody
from grnry.http.conditions import IfMatch, IfNoneMatch, entity_tag, tag_headers
from grnry.http.links import Links
from grnry.http.openapi import errors
from grnry.http.routing import ProjectName, Router
from grnry.identity.access import CHANGE, READ
from grnry.persisters.api import EventTypeName, ExpandProgress, Lines
from grnry.persisters.bodies import ActionBody, LogsAnswer, StateAnswer, state_of
from grnry.persisters.kinds import LIVE_SEGMENT
from grnry.persisters.live_segment.model import TASKS, LivePersister
from grnry.persisters.live_segment.service import LiveAction, LivePersisters

EVENT_TYPE, KIND = "eventTypeName", "eventstoreType"
PATH = "/event-types/{event_type_name}/eventstores/live-segment/persister"

Number = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]})
]
"""Checked with all the rest, so that one sentence says what it has to be."""

EXAMPLE: dict[str, Any] = {
    "eventTypeName": "visits",
    "eventstoreType": LIVE_SEGMENT,
    "tasks.max": "3",
    "batchSize": "3000",
    "maxRetries": "10",
    "retryBackoffMs": "3000",
    "errorsTolerance": "all",
}


class LivePersisterBody(RequestBody):
    """What is to be different. Numbers may be texts."""

    model_config = ConfigDict(json_schema_extra={"example": {"taskMax": 2, "batchSize": "1000"}})
    generated_fields: ClassVar[frozenset[str]] = frozenset({"_links", "state"})

    task_max: Number = Field(None, description="The same as `tasks.max`.")
    tasks_max: Number = Field(
        None, alias="tasks.max", description="How many tasks; at most the topic's partitions."
    )
    batch_size: Number = Field(None, description="The most records of one transaction.")
    max_retries: Number = Field(
        None, description="Refusals of a batch for a passing reason until that is a failure."
    )
    retry_backoff_ms: Number = Field(None, description="The least pause between two tries.")
    errors_tolerance: str | None = Field(None, examples=["all", "none"])
    event_type_name: str | None = Field(None, description="As it is, if anything.")
    eventstore_type: str | None = Field(None, description="As it is, if anything.")

    def expect_same(self, stored: LivePersister) -> None:
        """Refuse another value for what cannot be changed."""
        found = (
            Problem(name, f"must be '{own}', as it cannot be changed, but is '{given[:100]}'")
            for name, own, given in (
                (EVENT_TYPE, stored.event_type, self.event_type_name),
                (KIND, LIVE_SEGMENT, self.eventstore_type),
            )
            if given not in (None, "", own)
        )
        if problems := list(found):
            raise BadInput(problems)

    def given(self) -> dict[str, Any]:
        """By the names that are answered."""
        named = self.model_dump(by_alias=True, exclude_none=True)
        fields = type(self).model_fields.items()
        known = {field.alias or name for name, field in fields} - {EVENT_TYPE, KIND}
        found = {name: value for name, value in named.items() if name in known}
        if "taskMax" in found:
            tasks = found.pop("taskMax")
            if TASKS in found and str(found[TASKS]) != str(tasks):
                raise BadInput.of("taskMax", f"is another number than '{TASKS}'")
            found[TASKS] = tasks
        return found


class LivePersisterAnswer(AnswerBody):
    """A live segment's persister; all values are texts."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    event_type_name: str
    eventstore_type: str
    tasks_max: str = Field(alias="tasks.max")
    batch_size: str
    max_retries: str
    retry_backoff_ms: str
    errors_tolerance: str
    state: StateAnswer | None = None


async def _expand(
    expand: Annotated[
        str, Query(description="Where it is not empty, the state is told.", examples=["state"])
    ] = "",
) -> bool:
    return bool(expand)


Expand = Annotated[bool, Depends(_expand)]

_STATE: dict[str, Any] = {
    "response_model": StateAnswer,
    "response_model_exclude_unset": True,
    "responses": errors(404),
}
_PERSISTER: dict[str, Any] = {**_STATE, "response_model": LivePersisterAnswer}
_CHANGE: dict[str, Any] = {**_PERSISTER, "responses": errors(404, 412)}
_LOGS: dict[str, Any] = {"response_model": LogsAnswer, "responses": errors(404)}


def router(service: LivePersisters, links: Links) -> Router:
    api = Router(tags=["live-segment persisters"])
    calls = _Calls(service, links)

    @api.scoped("GET", PATH, permission=READ, **_PERSISTER)
    def live_persister(
        request: Request,
        project: ProjectName,
        name: EventTypeName,
        expand: Expand,
        known: IfNoneMatch,
    ) -> Any:
        """A live segment's persister and its configuration."""
        found, condition = service.find(project, name)
        if not expand:
            return known.answer(tag_of(found), full(found))
        state = state_of(condition, calls.path(request, project, name))
        return known.answer(entity_tag(tag_of(found), condition), {**full(found), "state": state})

    @api.scoped("PUT", PATH, permission=CHANGE, **_CHANGE)
    def change_live_persister(
        project: ProjectName, name: EventTypeName, body: LivePersisterBody, expected: IfMatch
    ) -> Any:
        """Change a live segment's persister. It takes effect at the next start."""
        return calls.change(project, name, body, expected)

    @api.scoped("GET", PATH + "/state", permission=READ, **_STATE)
    def live_persister_state(
        request: Request,
        project: ProjectName,
        name: EventTypeName,
        expand: ExpandProgress,
        known: IfNoneMatch,
    ) -> Any:
        """The state of a live segment's persister, as it is observed."""
        _, condition = service.find(project, name)
        progress = service.progress(project, name) if expand else None
        answer = state_of(condition, calls.path(request, project, name), progress)
        return known.answer(entity_tag(condition, progress), answer)

    @api.scoped("POST", PATH + "/state", permission=CHANGE, **_STATE)
    def start_or_stop_live_persister(
        request: Request, project: ProjectName, name: EventTypeName, body: ActionBody
    ) -> Any:
        """Start, stop or restart a live segment's persister."""
        action = body.action or ""
        if action not in LiveAction.__members__:
            words = ",".join(LiveAction)
            raise BadInput.of("Action", f"Parameter can only have value of {words}")
        condition = service.act(project, name, LiveAction(action))
        return state_of(condition, calls.path(request, project, name))

    @api.scoped("GET", PATH + "/logs", permission=READ, **_LOGS)
    def live_persister_logs(project: ProjectName, name: EventTypeName, lines: Lines = 500) -> Any:
        """The last lines of the log of a live segment's persister, over all its starts."""
        return {"logs": service.logs(project, name, lines)}

    return api


class _Calls:
    """Parse, call, render."""

    def __init__(self, service: LivePersisters, links: Links) -> None:
        self._service = service
        self._links = links

    def change(
        self, project: str, name: str, body: LivePersisterBody, expected: IfMatch
    ) -> Response:
        def expect(stored: LivePersister) -> None:
            body.expect_same(stored)
            expected.check(tag_of(stored))

        changed = self._service.change(project, name, body.given(), expect)
        answer = json_answer(full(changed))
        answer.headers.update(tag_headers(tag_of(changed)))
        return answer

    def path(self, request: Request, project: str, name: str) -> str:
        place = PATH.replace("{event_type_name}", name)
        return self._links.to(request, f"/projects/{project}{place}/state")


def full(persister: LivePersister) -> dict[str, Any]:
    return {
        EVENT_TYPE: persister.event_type,
        KIND: LIVE_SEGMENT,
        **persister.config,
    }


def tag_of(persister: LivePersister) -> str:
    """Of its configuration, which is what a change may replace."""
    return entity_tag(persister.event_type, persister.last_updated)
