"""Event types over HTTP."""

import re
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from grnry.errors import BadInput
from grnry.event_types.bodies import (
    EventTypeAnswer,
    EventTypeBody,
    EventTypeList,
    exportable,
    full,
    limited,
)
from grnry.event_types.model import EventType
from grnry.event_types.service import EventTypes
from grnry.http.answers import json_answer
from grnry.http.conditions import IfMatch, IfNoneMatch, entity_tag
from grnry.http.context import CurrentIdentity
from grnry.http.exporting import export_answer
from grnry.http.links import Links
from grnry.http.openapi import errors, exported
from grnry.http.paging import WholePage, page_links
from grnry.http.parameters import Export, noting
from grnry.http.routing import ProjectName, Router, Unscoped
from grnry.identity.access import CHANGE, READ, SIGNED_IN

EXPANSIONS = ("inputs", "outputs", "totalCount")
BOTH_ENDS = frozenset({"inputs", "outputs"})

_NATURAL = re.compile(r"[0-9]{1,9}")

EventTypeName = Annotated[
    str, Path(alias="event_type_name", description="Its name, as it is.", examples=["calls"])
]
Search = Annotated[str, Query(description="Part of the display name, without regard to case.")]


async def _expansions(
    expand: Annotated[
        str,
        Query(description=f"Any of {', '.join(EXPANSIONS)}, comma-separated.", examples=["inputs"]),
    ] = "",
) -> frozenset[str]:
    return noting(parse_expansions, expand, frozenset())


async def _version(
    version: Annotated[str, Path(description="A number from 1, or `latest`.", examples=["latest"])],
) -> int | None:
    return noting(parse_version, version, None)


Expand = Annotated[frozenset[str], Depends(_expansions)]
Version = Annotated[int | None, Depends(_version)]


EVERY = ""
"""For the name of a project where all of them are meant."""
IN_SHORT = Unscoped(EVERY, "of_all_projects", "Of all projects, and in short.", SIGNED_IN)


def router(service: EventTypes, links: Links) -> Router:
    """All operations; those without a project read all projects and write to `global`."""
    api = Router(tags=["event types"])
    calls = _Calls(service, links)

    @api.scoped("GET", "/event-types", unscoped=IN_SHORT, **_LIST)
    def event_types(
        request: Request,
        project: ProjectName,
        page: WholePage,
        expand: Expand,
        search: Search = "",
    ) -> Any:
        """The latest version of each event type."""
        return calls.list(request, project or None, page, search, expand)

    @api.scoped("GET", "/event-types/{event_type_name}", unscoped=IN_SHORT, **_LIST_ONE)
    def event_type_versions(
        request: Request, project: ProjectName, name: EventTypeName, known: IfNoneMatch
    ) -> Any:
        """All versions of an event type, oldest first."""
        return calls.versions(request, project or None, name, known)

    @api.scoped("GET", "/event-types/{event_type_name}/{version}", unscoped=IN_SHORT, **_VERSION)
    def event_type_version(
        request: Request,
        caller: CurrentIdentity,
        project: ProjectName,
        name: EventTypeName,
        version: Version,
        known: IfNoneMatch,
        export: Export,
    ) -> Any:
        """One version: a number, or `latest`. An export needs a role that reads its project."""
        found = service.version(project or None, name, version)
        if not export:
            return known.answer(tag_of(found), calls.render(request, found, project or None))
        READ.check(caller, found.project)
        return known.answer(tag_of(found), export_answer(EventTypeBody, exportable(found)))

    @api.scoped("POST", "/event-types", **_CREATE)
    def create_event_type(
        request: Request, caller: CurrentIdentity, project: ProjectName, body: EventTypeBody
    ) -> Any:
        """Make an event type with its topic, view and persister."""
        return calls.create(request, caller, project, body.name, body)

    @api.scoped("POST", "/event-types/{event_type_name}", **_CREATE)
    def create_named_event_type(
        request: Request,
        caller: CurrentIdentity,
        project: ProjectName,
        name: EventTypeName,
        body: EventTypeBody,
    ) -> Any:
        """Make an event type with a name of one's choice."""
        return calls.create(request, caller, project, name, body)

    @api.scoped("DELETE", "/event-types/{event_type_name}", **_DELETE)
    def delete_event_type(project: ProjectName, name: EventTypeName, expected: IfMatch) -> Response:
        """Delete all versions, the persister, the topic and the view; stored events stay."""
        service.delete(project, name, lambda found: expected.check(tag_of(found)))
        return Response(status_code=204)

    return api


_ANSWER = {"response_model_exclude_unset": True}
_LIST: dict[str, Any] = {"response_model": EventTypeList, "permission": READ, **_ANSWER}
_LIST_ONE: dict[str, Any] = {**_LIST, "responses": errors(404)}
_ONE: dict[str, Any] = {
    "response_model": EventTypeAnswer,
    "permission": READ,
    "responses": errors(404),
    **_ANSWER,
}
_VERSION: dict[str, Any] = {**_ONE, "openapi_extra": exported(EventTypeBody)}
_CREATE: dict[str, Any] = {
    "response_model": EventTypeAnswer,
    "permission": CHANGE,
    "responses": errors(409),
    **_ANSWER,
}
_DELETE: dict[str, Any] = {
    "status_code": 204,
    "permission": CHANGE,
    "responses": errors(404, 412),
}


class _Calls:
    """Parse, call, render."""

    def __init__(self, service: EventTypes, links: Links) -> None:
        self._service = service
        self._links = links

    def list(
        self,
        request: Request,
        project: str | None,
        page: WholePage,
        search: str,
        expansions: frozenset[str],
    ) -> Response:
        with_total = "totalCount" in expansions
        found = self._service.page(
            project,
            search=search,
            limit=page.size,
            offset=page.offset,
            with_total=with_total,
        )
        answer: dict[str, Any] = {
            "_links": page_links(self._links, request, page, has_next=found.has_next),
            "eventTypes": [
                self.render(request, event_type, project, expansions)
                for event_type in found.event_types
            ],
        }
        return json_answer(answer | ({"totalCount": found.total} if with_total else {}))

    def versions(self, request: Request, project: str | None, name: str, known: IfNoneMatch) -> Any:
        found = self._service.versions(project, name)
        answer = {
            "_links": {"self": {"href": self._links.to_itself(request)}},
            "eventTypes": [self.render(request, each, project, frozenset()) for each in found],
        }
        return known.answer(tag_of(found[-1]), answer)

    def create(
        self,
        request: Request,
        caller: CurrentIdentity,
        project: str,
        name: str | None,
        body: EventTypeBody,
    ) -> dict[str, Any]:
        made = self._service.create(caller, project, name or None, body.draft(project, name))
        return self.render(request, made, project)

    def render(
        self,
        request: Request,
        event_type: EventType,
        project: str | None,
        expand: frozenset[str] = BOTH_ENDS,
    ) -> dict[str, Any]:
        base = self._links.base(request)
        return limited(event_type, base) if project is None else full(event_type, base, expand)


def tag_of(event_type: EventType) -> str:
    """The same by whichever path it is read; that of the latest version stands for them all."""
    return entity_tag(
        event_type.name, event_type.version, event_type.created_at, event_type.modified_at
    )


def parse_version(text: str) -> int | None:
    """A number from 1; none for `latest`."""
    if text == "latest":
        return None
    number = int(text) if _NATURAL.fullmatch(text) else 0
    if number < 1:
        raise BadInput.of("version", f"must be a natural number or 'latest' but is '{text}'")
    return number


def parse_expansions(text: str) -> frozenset[str]:
    asked = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := asked - set(EXPANSIONS):
        raise BadInput.of(
            "expand",
            f"must be any of {', '.join(EXPANSIONS)} but is '{', '.join(sorted(unknown))}'",
        )
    return asked
