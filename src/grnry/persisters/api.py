"""Data-in persisters over HTTP."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import Field

from grnry.deployments.service import Condition
from grnry.errors import BadInput
from grnry.http.bodies import AnswerBody, RequestBody, SelfLink
from grnry.http.conditions import IfNoneMatch, entity_tag
from grnry.http.links import Links
from grnry.http.openapi import errors
from grnry.http.parameters import noting
from grnry.http.routing import ProjectName, Router
from grnry.http.times import epoch_ms
from grnry.identity.access import CHANGE, READ
from grnry.persisters.model import APP_NAME, Persister, stream_name
from grnry.persisters.service import Action, Persisters

PATH = "/event-types/{event_type_name}/eventstores/pg/persister"

EventTypeName = Annotated[str, Path(alias="event_type_name", description="The event type's name.")]


def parse_expand(text: str) -> bool:
    if text not in ("", "state"):
        raise BadInput.of("expand", f"must be 'state' but is '{text}'")
    return bool(text)


async def _expand(
    expand: Annotated[
        str, Query(description="`state` adds the persister's state.", examples=["state"])
    ] = "",
) -> bool:
    return noting(parse_expand, expand, default=False)


ExpandState = Annotated[bool, Depends(_expand)]


class StateAnswer(AnswerBody):
    """What is observed of a persister."""

    status: str = Field(examples=["STOPPED", "DEPLOYING", "RUNNING", "STOPPING", "FAILED"])
    message: str | None = Field(None, description="Why, where it does not run as it should.")
    retrying: bool | None = Field(None, description="Whether it goes on by itself.")
    outdated: bool | None = Field(None, description="A changed configuration waits for a start.")
    links: SelfLink = Field(alias="_links")


class PersisterAnswer(AnswerBody):
    """A persister and its configuration."""

    stream_name: str
    project_name: str
    app_name: str
    app_version: str
    app_config: dict[str, str]
    deployer_config: dict[str, str]
    event_type_name: str
    eventstore_type: str = Field(examples=["pg"])
    last_updated: int = Field(description="Milliseconds since 1970.")
    state: StateAnswer | None = None
    links: SelfLink = Field(alias="_links")


class ActionBody(RequestBody):
    """What is to be done."""

    action: str = Field(examples=["START", "STOP"])


_STATE: dict[str, Any] = {
    "response_model": StateAnswer,
    "response_model_exclude_unset": True,
    "responses": errors(404),
}
_PERSISTER: dict[str, Any] = {**_STATE, "response_model": PersisterAnswer}


def router(service: Persisters, links: Links) -> Router:
    api = Router(tags=["persisters"])
    calls = _Calls(service, links)

    @api.scoped("GET", PATH, permission=READ, **_PERSISTER)
    def persister(
        request: Request,
        project: ProjectName,
        name: EventTypeName,
        expand: ExpandState,
        known: IfNoneMatch,
    ) -> Any:
        """A persister and its configuration."""
        return calls.persister(request, project, name, known, with_state=expand)

    @api.scoped("GET", PATH + "/state", permission=READ, **_STATE)
    def persister_state(
        request: Request, project: ProjectName, name: EventTypeName, known: IfNoneMatch
    ) -> Any:
        """A persister's state, as it is observed."""
        return calls.state(request, project, name, known)

    @api.scoped("POST", PATH + "/state", permission=CHANGE, **_STATE)
    def start_or_stop_persister(
        request: Request, project: ProjectName, name: EventTypeName, body: ActionBody
    ) -> Any:
        """Start or stop a persister."""
        return calls.act(request, project, name, body)

    return api


class _Calls:
    """Parse, call, render."""

    def __init__(self, service: Persisters, links: Links) -> None:
        self._service = service
        self._links = links

    def persister(
        self, request: Request, project: str, name: str, known: IfNoneMatch, *, with_state: bool
    ) -> Any:
        persister, condition = self._service.find(project, name)
        answer = _persister(persister, self._path(request, project, name))
        if not with_state:
            return known.answer(tag_of(persister), answer)
        answer["state"] = _state(condition, self._path(request, project, name) + "/state")
        return known.answer(entity_tag(tag_of(persister), condition), answer)

    def state(self, request: Request, project: str, name: str, known: IfNoneMatch) -> Any:
        _, condition = self._service.find(project, name)
        answer = _state(condition, self._path(request, project, name) + "/state")
        return known.answer(entity_tag(condition), answer)

    def act(self, request: Request, project: str, name: str, body: ActionBody) -> dict[str, Any]:
        if body.action not in Action.__members__:
            raise BadInput.of(
                "action", f"was assigned an invalid value, provided value: '{body.action}'"
            )
        condition = self._service.act(project, name, Action(body.action))
        return _state(condition, self._path(request, project, name) + "/state")

    def _path(self, request: Request, project: str, name: str) -> str:
        path = f"/projects/{project}/event-types/{name}/eventstores/pg/persister"
        return self._links.to(request, path)


def tag_of(persister: Persister) -> str:
    """Of its configuration, which is what a change may replace."""
    return entity_tag(persister.event_type, persister.last_updated, persister.app_version)


def _persister(persister: Persister, url: str) -> dict[str, Any]:
    return {
        "streamName": stream_name(persister.event_type),
        "projectName": persister.project,
        "appName": APP_NAME,
        "appVersion": persister.app_version,
        "appConfig": persister.app_config,
        "deployerConfig": persister.deployer_config,
        "eventTypeName": persister.event_type,
        "eventstoreType": "pg",
        "lastUpdated": epoch_ms(persister.last_updated),
        "_links": {"self": {"href": url}},
    }


def _state(condition: Condition, url: str) -> dict[str, Any]:
    return condition.told() | {"_links": {"self": {"href": url}}}
