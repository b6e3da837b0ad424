"""Traces of events over HTTP."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Path, Query, Request
from pydantic import Field

from grnry.errors import BadInput
from grnry.events.reading.times import text_of
from grnry.events.tracing.model import Found, Wanted, Whereabouts
from grnry.events.tracing.service import Tracing
from grnry.http.bodies import AnswerBody, SelfLink
from grnry.http.links import Links, href
from grnry.http.openapi import errors
from grnry.http.routing import ProjectName, Router
from grnry.http.times import time_text
from grnry.identity.access import READ

EventTypeName = Annotated[
    str, Path(alias="event_type_name", description="Its name, as it is.", examples=["calls"])
]
EventId = Annotated[str, Query(alias="eventId", description="The event's own id.", examples=["1"])]
CorrelationId = Annotated[
    str, Query(alias="correlationId", description="Whom the event is about.", examples=["u1"])
]


class PersisterState(AnswerBody):
    """What is observed of the event type's persister."""

    status: str = Field(examples=["RUNNING"])
    message: str | None = None


class PlaceAnswer(AnswerBody):
    """One place at which an event is."""

    where: str = Field(
        description="`WAITING` for its persister, `STORED`, a `DEAD_LETTER`, or `PASSED`: read by"
        " its persister, which has made no row of it or whose row is gone.",
        examples=[each.value for each in Whereabouts],
    )
    correlation_id: str
    event_id: str
    partition: int
    offset: int
    in_topic: bool = Field(description="Whether the topic has the record still.")
    time: str | None = Field(
        None, description="The event's own where it is stored, else the record's."
    )
    ahead: int | None = Field(
        None, description="How many records its persister has to read before this one."
    )
    expires: str | None = Field(None, description="When the row is deleted.")
    reason: str | None = Field(None, description="Why it could not be stored.")
    failed_at: str | None = None
    links: dict[str, Any] | None = Field(None, alias="_links")


class TraceAnswer(AnswerBody):
    """Where an event is."""

    topic: str
    persister: PersisterState
    lag: int = Field(description="Records of the topic that its persister has not come to yet.")
    complete: bool = Field(
        description="Whether the topic was searched to its end; a large one is given up."
    )
    found: list[PlaceAnswer]
    links: SelfLink = Field(alias="_links")


def router(tracing: Tracing, links: Links) -> Router:
    api = Router(tags=["stored events"])

    @api.scoped(
        "GET",
        "/event-types/{event_type_name}/trace",
        permission=READ,
        response_model=TraceAnswer,
        response_model_exclude_unset=True,
        responses=errors(404, 429),
    )
    def trace(
        request: Request,
        project: ProjectName,
        name: EventTypeName,
        event_id: EventId = "",
        correlation_id: CorrelationId = "",
    ) -> Any:
        """Where an event is: waiting in the topic, stored, or in the dead letters.

        By its own id, by whom it is about, or by both. An id alone is looked for among all ids of
        its type.
        """
        if not event_id and not correlation_id:
            raise BadInput.of("eventId", "or 'correlationId' must be given")
        found = tracing.trace(project, name, Wanted(correlation_id, event_id))
        persister = {"status": found.persister.state.value}
        if found.persister.message:
            persister["message"] = found.persister.message
        return {
            "topic": found.topic,
            "persister": persister,
            "lag": found.lag,
            "complete": found.is_complete,
            "found": [
                _place(one, name, request, links if found.is_in_event_store else None)
                for one in found.found
            ],
            "_links": {"self": href(links.to_itself(request))},
        }

    return api


def _place(found: Found, event_type: str, request: Request, links: Links | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "where": found.where.value,
        "correlationId": found.correlation_id,
        "eventId": found.event_id,
        "partition": found.partition,
        "offset": found.offset,
        "inTopic": found.in_topic,
    }
    if found.time is not None:
        answer["time"] = text_of(found.time)
    if found.ahead is not None:
        answer["ahead"] = found.ahead
    if found.expires is not None:
        answer["expires"] = text_of(found.expires)
    if found.failed_at is not None:
        answer |= {"reason": found.reason, "failedAt": time_text(found.failed_at)}
    if found.where is Whereabouts.STORED and links is not None:
        path = f"/events/{quote(found.correlation_id, safe='')}/{quote(found.event_id, safe='')}"
        answer["_links"] = {"event": href(links.to(request, path, [("type", event_type)]))}
    return answer
