"""Data-in persisters over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from grnry.errors import BadInput, NotFound
from grnry.http.answers import json_answer
from grnry.http.conditions import IfMatch, IfNoneMatch, entity_tag, tag_headers
from grnry.http.links import Links
from grnry.http.openapi import errors, exported
from grnry.http.parameters import Between, Export, is_true, noting
from grnry.http.routing import ProjectName, Router
from grnry.identity.access import CHANGE, READ
from grnry.persisters.bodies import (
    ActionBody,
    LogsAnswer,
    PersisterAnswer,
    PersisterBody,
    StateAnswer,
    exportable,
    full,
    state_of,
)
from grnry.persisters.model import Persister
from grnry.persisters.service import Action, Persisters

PATH = "/event-types/{event_type_name}/eventstores/pg/persister"

EventTypeName = Annotated[str, Path(alias="event_type_name", description="The event type's name.")]


def _only(word: str) -> Callable[[str], bool]:
    def parse(text: str) -> bool:
        if text not in ("", word):
            raise BadInput.of("expand", f"must be '{word}' but is '{text}'")
        return bool(text)

    return parse


async def _expand_state(
    expand: Annotated[
        str, Query(description="`state` adds the persister's state.", examples=["state"])
    ] = "",
) -> bool:
    return noting(_only("state"), expand, default=False)


async def _expand_progress(
    expand: Annotated[
        str, Query(description="`progress` adds how far it is.", examples=["progress"])
    ] = "",
) -> bool:
    return noting(_only("progress"), expand, default=False)


async def _imported(
    imported: Annotated[
        str,
        Query(
            description="Take the default of each key that is not given.",
            json_schema_extra={"type": "boolean"},
        ),
    ] = "",
) -> bool:
    return is_true(imported)


ExpandState = Annotated[bool, Depends(_expand_state)]
ExpandProgress = Annotated[bool, Depends(_expand_progress)]
Imported = Annotated[bool, Depends(_imported)]
Lines = Annotated[int, Between(1, 500), Query(description="How many of the last lines.")]


_STATE: dict[str, Any] = {
    "response_model": StateAnswer,
    "response_model_exclude_unset": True,
    "responses": errors(404),
}
_PERSISTER: dict[str, Any] = {
    **_STATE,
    "response_model": PersisterAnswer,
    "openapi_extra": exported(PersisterBody),
}
_CHANGE: dict[str, Any] = {
    **_STATE,
    "response_model": PersisterAnswer,
    "responses": errors(404, 412),
}
_LOGS: dict[str, Any] = {"response_model": LogsAnswer, "responses": errors(404)}


def router(service: Persisters, links: Links) -> Router:
    api = Router(tags=["persisters"])
    calls = _Calls(service, links)

    @api.scoped("GET", PATH, permission=READ, **_PERSISTER)
    def persister(
        request: Request,
        project: ProjectName,
        name: EventTypeName,
        export: Export,
        expand: ExpandState,
        known: IfNoneMatch,
    ) -> Any:
        """A persister and its configuration."""
        if export:
            return calls.export(project, name, known)
        return calls.persister(request, project, name, known, with_state=expand)

    @api.scoped("PUT", PATH, permission=CHANGE, **_CHANGE)
    def change_persister(
        request: Request,
        project: ProjectName,
        name: EventTypeName,
        body: PersisterBody,
        imported: Imported,
        expected: IfMatch,
    ) -> Any:
        """Replace a persister's configuration. It takes effect at the next start."""
        return calls.change(request, project, name, body, expected, with_defaults=imported)

    @api.scoped("GET", PATH + "/state", permission=READ, **_STATE)
    def persister_state(
        request: Request,
        project: ProjectName,
        name: EventTypeName,
        expand: ExpandProgress,
        known: IfNoneMatch,
    ) -> Any:
        """A persister's state, as it is observed."""
        return calls.state(request, project, name, known, with_progress=expand)

    @api.scoped("POST", PATH + "/state", permission=CHANGE, **_STATE)
    def start_or_stop_persister(
        request: Request, project: ProjectName, name: EventTypeName, body: ActionBody
    ) -> Any:
        """Start or stop a persister."""
        return calls.act(request, project, name, body)

    @api.scoped("GET", PATH + "/logs", permission=READ, **_LOGS)
    def persister_logs(project: ProjectName, name: EventTypeName, lines: Lines = 500) -> Any:
        """The last lines of a persister's log, over all its starts."""
        return {"logs": service.logs(project, name, lines)}

    return api


def router_of_others() -> Router:
    """What there is of persisters into other stores than ours: nothing. Comes after all of ours."""
    api = Router(tags=["persisters"])
    path = "/event-types/{event_type_name}/eventstores/{eventstore}/persister"
    operations = {
        ("GET", ""): READ,
        ("PUT", ""): CHANGE,
        ("GET", "/state"): READ,
        ("POST", "/state"): CHANGE,
        ("GET", "/logs"): READ,
    }
    for (method, rest), permission in operations.items():

        @api.scoped(method, path + rest, permission=permission, include_in_schema=False)
        def other_persister(project: ProjectName, name: EventTypeName) -> Any:
            raise NotFound(f"Persister '{name}' not found.")

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
        answer = full(persister, self._path(request, project, name))
        if not with_state:
            return known.answer(tag_of(persister), answer)
        answer["state"] = state_of(condition, self._path(request, project, name) + "/state")
        return known.answer(entity_tag(tag_of(persister), condition), answer)

    def export(self, project: str, name: str, known: IfNoneMatch) -> Any:
        persister, _ = self._service.find(project, name)
        return known.answer(tag_of(persister), exportable(persister))

    def change(
        self,
        request: Request,
        project: str,
        name: str,
        body: PersisterBody,
        expected: IfMatch,
        *,
        with_defaults: bool,
    ) -> Response:
        def expect(stored: Persister) -> None:
            expected.check(tag_of(stored))
            body.expect_same(stored)

        change = body.change(with_defaults=with_defaults)
        persister = self._service.change(project, name, change, expect)
        answer = full(persister, self._path(request, project, name) + "?expand=")
        response = json_answer(answer)
        response.headers.update(tag_headers(tag_of(persister)))
        return response

    def state(
        self, request: Request, project: str, name: str, known: IfNoneMatch, *, with_progress: bool
    ) -> Any:
        _, condition = self._service.find(project, name)
        progress = self._service.progress(project, name) if with_progress else None
        answer = state_of(condition, self._path(request, project, name) + "/state", progress)
        return known.answer(entity_tag(condition, progress), answer)

    def act(self, request: Request, project: str, name: str, body: ActionBody) -> dict[str, Any]:
        action = body.action or ""
        if action not in Action.__members__:
            raise BadInput.of(
                "action", f"was assigned an invalid value, provided value: '{action[:100]}'"
            )
        condition = self._service.act(project, name, Action(action))
        return state_of(condition, self._path(request, project, name) + "/state")

    def _path(self, request: Request, project: str, name: str) -> str:
        path = f"/projects/{project}/event-types/{name}/eventstores/pg/persister"
        return self._links.to(request, path)


def tag_of(persister: Persister) -> str:
    """Of its configuration, which is what a change may replace."""
    return entity_tag(persister.event_type, persister.last_updated, persister.app_version)
