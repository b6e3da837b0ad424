"""The Event Store API: stored events over HTTP."""

import time
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import Depends, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from grnry.errors import BadInput
from grnry.events.reading.model import Event, Page, Window
from grnry.events.reading.service import Events
from grnry.events.reading.times import parse_time, text_of
from grnry.http.answers import json_answer
from grnry.http.bodies import AnswerBody, SelfLink
from grnry.http.conditions import IfNoneMatch, entity_tag
from grnry.http.context import CurrentIdentity
from grnry.http.links import Links, href
from grnry.http.openapi import errors
from grnry.http.paging import AnyPage, page_links
from grnry.http.paging import Page as Paging
from grnry.http.parameters import noting
from grnry.http.routing import AnyTextRoute, Router
from grnry.identity.access import SIGNED_IN

EXPANSIONS = ("message", "totalCount")
TIME = "must be a time such as '2021-09-24T08:38:50.848Z', or milliseconds since 1970,"

_EXAMPLE: dict[str, Any] = {
    "eventId": "1",
    "correlationId": "u1",
    "eventType": "calls",
    "eventTypeVersion": 1,
    "eventHarvester": "na",
    "message": {"user": "u1", "id": "1", "text": "hello"},
    "created": "2021-09-24T08:38:50.848Z",
    "_links": {"self": {"href": "http://127.0.0.1:8080/events/u1/1?type=calls"}},
}


class EventAnswer(AnswerBody):
    """A stored event; in lists its message is there with `expand=message` only."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    event_id: str
    correlation_id: str
    event_type: str
    event_type_version: int | None
    event_harvester: str
    message: Any = Field(None, description="The payload.")
    created: str = Field(description="When it happened, as its sender said; UTC.")
    links: SelfLink = Field(alias="_links")


class EventList(AnswerBody):
    links: dict[str, Any] = Field(alias="_links")
    total_count: int | None = Field(None, description="With `expand=totalCount`.")
    events: list[EventAnswer]


CorrelationId = Annotated[
    str,
    Path(alias="correlation_id", description="Whom the events are about.", examples=["u1"]),
]
EventId = Annotated[str, Path(alias="event_id", description="The event's own id.", examples=["1"])]
OneType = Annotated[
    str, Query(alias="type", description="Events of this type only.", examples=["calls"])
]


class _Span:
    """From when until when."""

    def __init__(self, since: int, until: int) -> None:
        self.since = since
        self.until = until


def parse_moment(name: str, text: str, otherwise: int) -> int:
    if not text:
        return otherwise
    found = parse_time(text)
    if found is None:
        raise BadInput.of(name, f"{TIME} but is '{text}'")
    return found


async def _span(
    since: Annotated[
        str,
        Query(alias="from", description="The first moment; 1970 where it is not given."),
    ] = "",
    until: Annotated[
        str, Query(alias="to", description="The moment before which they are; else now.")
    ] = "",
) -> _Span:
    now = time.time_ns() // 1_000_000
    return _Span(
        noting(lambda text: parse_moment("from", text, 0), since, 0),
        noting(lambda text: parse_moment("to", text, now), until, now),
    )


def parse_expansions(text: str) -> frozenset[str]:
    asked = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := asked - set(EXPANSIONS):
        raise BadInput.of(
            "expand",
            f"must be any of {', '.join(EXPANSIONS)} but is '{', '.join(sorted(unknown))}'",
        )
    return asked


async def _expansions(
    expand: Annotated[
        str, Query(description="`message`, `totalCount`, or both.", examples=["message"])
    ] = "",
) -> frozenset[str]:
    return noting(parse_expansions, expand, frozenset())


def parse_type(text: str) -> str:
    if not text.strip():
        raise BadInput.of("type", "must not be empty")
    return text


async def _needed_type(
    event_type: Annotated[
        str, Query(alias="type", description="The event type. Required.", examples=["calls"])
    ] = "",
) -> str:
    return noting(parse_type, event_type, "")


Span = Annotated[_Span, Depends(_span)]
Expand = Annotated[frozenset[str], Depends(_expansions)]
NeededType = Annotated[str, Depends(_needed_type)]

_LIST: dict[str, Any] = {
    "response_model": EventList,
    "response_model_exclude_unset": True,
    "responses": errors(404),
}
_ONE: dict[str, Any] = {**_LIST, "response_model": EventAnswer}


def router(events: Events, links: Links) -> Router:
    api = Router(tags=["stored events"], permission=SIGNED_IN, route=AnyTextRoute)
    shown = _Shown(links)

    @api.get("/events", **_LIST)
    def newest_events(
        request: Request,
        caller: CurrentIdentity,
        event_type: NeededType,
        span: Span,
        page: AnyPage,
        expand: Expand,
    ) -> Response:
        """The events of a type, newest first.

        Of events that the caller may not see nothing is said, not even that they are there.
        """
        found = events.newest(caller, event_type, window_of(span, page), **_asked(expand))
        return shown.list(request, found, page, span, expand)

    @api.get("/events/{correlation_id}", **_LIST)
    def events_of_entity(
        request: Request,
        caller: CurrentIdentity,
        correlation_id: CorrelationId,
        span: Span,
        page: AnyPage,
        expand: Expand,
        event_type: OneType = "",
    ) -> Response:
        """The events about one entity, oldest first, of all types that the caller may read."""
        found = events.of_entity(
            caller, correlation_id, event_type, window_of(span, page), **_asked(expand)
        )
        return shown.list(request, found, page, span, expand)

    @api.get("/events/{correlation_id}/{event_id}", **_ONE)
    def one_event(
        request: Request,
        caller: CurrentIdentity,
        correlation_id: CorrelationId,
        event_id: EventId,
        known: IfNoneMatch,
        event_type: OneType = "",
    ) -> Any:
        """One event with its message."""
        found = events.one(caller, correlation_id, event_id, event_type)
        answer = shown.event(request, found, with_message=True)
        return known.answer(entity_tag(*_identity(found)), answer)

    return api


def window_of(span: _Span, page: Paging) -> Window:
    return Window(span.since, span.until, page.size, page.offset)


def _asked(expand: frozenset[str]) -> dict[str, bool]:
    return {"with_messages": "message" in expand, "with_total": "totalCount" in expand}


def _identity(event: Event) -> tuple[object, ...]:
    return (event.event_type, event.correlation_id, event.event_id, event.created, event.message)


class _Shown:
    """Events as they are answered."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def list(
        self,
        request: Request,
        found: Page,
        page: Paging,
        span: _Span,
        expand: frozenset[str],
    ) -> Response:
        # The pages of a list end at one moment, so that what comes meanwhile does not move them.
        is_open = not request.query_params.get("to")
        fixed = {"to": text_of(span.until)} if is_open else {}
        pages = page_links(
            self._links,
            request,
            page,
            has_next=found.has_next,
            shown=len(found.events),
            fixed=fixed,
        )
        with_message = "message" in expand
        answer: dict[str, Any] = {
            "_links": pages,
            "events": [self.event(request, one, with_message=with_message) for one in found.events],
        }
        return json_answer(answer | ({} if found.total is None else {"totalCount": found.total}))

    def event(self, request: Request, event: Event, *, with_message: bool) -> dict[str, Any]:
        path = f"/events/{quote(event.correlation_id, safe='')}/{quote(event.event_id, safe='')}"
        link = self._links.to(request, path, [("type", event.event_type)])
        answer: dict[str, Any] = {
            "eventId": event.event_id,
            "correlationId": event.correlation_id,
            "eventType": event.event_type,
            "eventTypeVersion": event.version,
            "eventHarvester": event.harvester,
            "created": text_of(event.created),
            "_links": {"self": href(link)},
        }
        if with_message:
            # As it is stored: no number of it has to fit into one of ours.
            answer["message"] = event.message and orjson.Fragment(event.message)
        return answer
