"""Event types over HTTP."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from grnry.errors import BadInput
from grnry.event_types.answers import (
    EventTypeAnswer,
    EventTypeList,
    PurgeAnswer,
    Wanted,
    exportable,
    full,
    limited,
)
from grnry.event_types.bodies import EventTypeBody, EventTypeChange
from grnry.event_types.model import EventType
from grnry.event_types.neighbours import ends_of
from grnry.event_types.service import EventTypes
from grnry.http.answers import json_answer
from grnry.http.bodies import note_ignored
from grnry.http.conditions import (
    Expectation,
    IfMatch,
    IfNoneMatch,
    entity_tag,
    not_modified,
    tag_headers,
)
from grnry.http.context import CurrentIdentity
from grnry.http.exporting import export_answer
from grnry.http.links import Links
from grnry.http.openapi import errors, exported
from grnry.http.paging import WholePage, page_links
from grnry.http.parameters import Export, noting
from grnry.http.routing import ProjectName, Router, Unscoped
from grnry.identity.access import CHANGE, READ, SIGNED_IN

EXPANSIONS = ("inputs", "outputs", "persisters", "totalCount")
BOTH_ENDS = frozenset({"inputs", "outputs"})
ENDS = BOTH_ENDS | {"persisters"}

_NATURAL = re.compile(r"[0-9]{1,18}")

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


async def _purge(
    purge: Annotated[
        str, Query(description="Whether to delete what is stored as well.", examples=["true"])
    ] = "",
) -> bool:
    return noting(parse_purge, purge, default=False)


Purge = Annotated[bool, Depends(_purge)]
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
        return calls.page(request, project or None, page, search, expand)

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
        """Make an event type with what its type has: topic, view or table, persister."""
        return calls.create(request, caller, project, body.name, body)

    @api.scoped("POST", "/event-types/{event_type_name}:purge", **_PURGE)
    def purge_event_type(project: ProjectName, name: EventTypeName) -> Any:
        """Delete what is stored of it, also of deleted ones; their names are free then."""
        return {"purged": service.purge(project, name)}

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

    @api.scoped("PUT", "/event-types/{event_type_name}", **_CHANGE)
    def change_event_type(
        request: Request,
        caller: CurrentIdentity,
        project: ProjectName,
        name: EventTypeName,
        expected: IfMatch,
        body: EventTypeChange,
    ) -> Any:
        """Change an event type; what is more than its display name or description is a version."""
        return calls.change(request, caller, project, name, expected, body)

    @api.scoped("DELETE", "/event-types/{event_type_name}", **_DELETE)
    def delete_event_type(
        project: ProjectName, name: EventTypeName, expected: IfMatch, purge: Purge
    ) -> Response:
        """Delete all versions, persister, topic and view; what is stored stays where not purged."""
        service.delete(project, name, lambda found: expected.check(tag_of(found)), with_data=purge)
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
_CHANGE: dict[str, Any] = {
    "response_model": EventTypeAnswer,
    "permission": CHANGE,
    "responses": errors(404, 409, 412) | {304: {"description": "Nothing is different."}},
    **_ANSWER,
}
_DELETE: dict[str, Any] = {
    "status_code": 204,
    "permission": CHANGE,
    "responses": errors(404, 412),
}
_PURGE: dict[str, Any] = {
    "response_model": PurgeAnswer,
    "permission": CHANGE,
    "responses": errors(404, 412),
}


class _Calls:
    """Parse, call, render."""

    def __init__(self, service: EventTypes, links: Links) -> None:
        self._service = service
        self._links = links

    def page(
        self,
        request: Request,
        project: str | None,
        wanted: WholePage,
        search: str,
        expansions: frozenset[str],
    ) -> Response:
        with_total = "totalCount" in expansions
        found = self._service.page(
            project,
            search=search,
            limit=wanted.size,
            offset=wanted.offset,
            with_total=with_total,
        )
        answer: dict[str, Any] = {
            "_links": page_links(self._links, request, wanted, has_next=found.has_next),
            "eventTypes": self.render_all(request, found.event_types, project, expansions),
        }
        return json_answer(answer | ({"totalCount": found.total} if with_total else {}))

    def versions(self, request: Request, project: str | None, name: str, known: IfNoneMatch) -> Any:
        found = self._service.versions(project, name)
        answer = {
            "_links": {"self": {"href": self._links.to_itself(request)}},
            "eventTypes": self.render_all(request, found, project, frozenset()),
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
        made = self._service.create(caller, project, name or None, body.given())
        if body.replication and self._service.lacks_replicas(made):
            note_ignored("replication")
        return self.render(request, made, project)

    def change(
        self,
        request: Request,
        caller: CurrentIdentity,
        project: str,
        name: str,
        expected: Expectation,
        body: EventTypeChange,
    ) -> Response:
        def expect(found: EventType) -> None:
            expected.check(tag_of(found))

        changed = self._service.change(caller, project, name, body.given(), expect)
        if changed is None:
            return not_modified(tag_of(self._service.version(project, name, None)))
        answer = json_answer(self.render(request, changed, project))
        answer.headers.update(tag_headers(tag_of(changed)))
        return answer

    def render(
        self,
        request: Request,
        event_type: EventType,
        project: str | None,
        wanted: Wanted = BOTH_ENDS,
    ) -> dict[str, Any]:
        return self.render_all(request, [event_type], project, wanted)[0]

    def render_all(
        self,
        request: Request,
        event_types: Sequence[EventType],
        project: str | None,
        wanted: Wanted,
    ) -> list[dict[str, Any]]:
        base = self._links.base(request)
        if project is None:
            return [limited(each, base) for each in event_types]
        if not wanted & ENDS:
            return [full(each, base, None, wanted) for each in event_types]
        in_detail = "persisters" in wanted
        found = self._service.references(event_types, in_detail=in_detail)
        return [full(each, base, ends_of(each, found), wanted) for each in event_types]


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


def parse_purge(text: str) -> bool:
    """What cannot be taken back is not done for a word that is neither."""
    given = text.strip().lower()
    if given not in ("", "true", "false"):
        raise BadInput.of("purge", f"must be 'true' or 'false' but is '{text}'")
    return given == "true"


def parse_expansions(text: str) -> frozenset[str]:
    asked = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := asked - set(EXPANSIONS):
        raise BadInput.of(
            "expand",
            f"must be any of {', '.join(EXPANSIONS)} but is '{', '.join(sorted(unknown))}'",
        )
    return asked
