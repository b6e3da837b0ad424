"""The collector: events over HTTP, answered only when the log has them.

An async route of its own that reads its body itself: nothing is looked up in the database for each
request, and an array of a thousand costs one round trip to the log.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from grnry.errors import BadInput
from grnry.event_types.kinds import DATA_IN
from grnry.event_types.service import EventTypes
from grnry.events.metadata import MetadataExtractor, Rejected
from grnry.events.splitting import TooLarge, split, unpack
from grnry.http.error_model import PayloadTooLarge
from grnry.http.routing import PROJECT_PREFIX, RawRoute, raw_route
from grnry.identity.access import SEND
from grnry.identity.model import GLOBAL
from grnry.log.producer import Outcome, Producer
from grnry.log.records import LogAway, Outgoing

PATH = "/event-types/{event_type_name}/events"
KNOWN_SECONDS = 2.0
MOST_KNOWN = 10_000
MOST_AT_ONCE = 20_000
"""Events that wait for the log together; its client keeps no more than 100,000 in hand."""

_EVENT = {"type": "object", "additionalProperties": True, "example": {"user": "u1", "id": "1"}}
_REJECTED = {
    "type": "object",
    "required": ["position", "reason"],
    "properties": {"position": {"type": "integer", "minimum": 0}, "reason": {"type": "string"}},
    "example": {"position": 1, "reason": "The event id is missing."},
}

OPERATION: dict[str, Any] = {
    "tags": ["events"],
    "summary": "Send Events",
    "description": (
        "One JSON object, an array of them, or one a line (NDJSON); the body may be gzipped. "
        "Answered when the log has them. An event that its event type's expressions make no ids "
        "of is rejected; the others are taken."
    ),
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"anyOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"user": "u1", "id": "1"}\n{"user": "u2", "id": "2"}\n',
            },
        },
    },
    "responses": {
        "202": {
            "description": "How many are in the log, and why the others are not.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["accepted", "rejected"],
                        "properties": {
                            "accepted": {"type": "integer"},
                            "rejected": {"type": "array", "items": _REJECTED},
                        },
                    }
                }
            },
        }
    },
}


@dataclass(frozen=True, slots=True)
class _Known:
    """An event type as it was a moment ago."""

    topic: str
    extractor: MetadataExtractor
    until: float


class Collector:
    """Takes events for any event type."""

    def __init__(self, event_types: EventTypes, producer: Producer, max_bytes: int) -> None:
        self._event_types = event_types
        self._producer = producer
        self._max_bytes = max_bytes
        self._known: dict[tuple[str, str], _Known] = {}

    def routes(self) -> list[RawRoute]:
        return [
            raw_route(path, self.take, ["POST"], OPERATION, permission=SEND)
            for path in (PROJECT_PREFIX + PATH, PATH)
        ]

    async def take(self, request: Request) -> Response:
        """202 with how many events were taken, and why the others were not."""
        project = request.path_params.get("project_name", GLOBAL)
        known = await self._event_type(project, request.path_params["event_type_name"])
        events = await self._events(request)
        records, rejected = _extract(events, known.extractor, _headers(request))
        for start in range(0, len(records), MOST_AT_ONCE):
            await self._send(known.topic, records[start : start + MOST_AT_ONCE])
        answer = {"accepted": len(records), "rejected": rejected}
        return Response(orjson.dumps(answer), 202, media_type="application/json")

    async def _events(self, request: Request) -> list[bytes]:
        packed = await request.body()
        encoding = request.headers.get("content-encoding", "").strip().lower()
        try:
            body = unpack(packed, encoding, self._max_bytes)
        except TooLarge as error:
            raise PayloadTooLarge(self._max_bytes) from error
        return split(body, request.headers.get("content-type", ""))

    async def _event_type(self, project: str, name: str) -> _Known:
        """Looked up again after a moment, so that a new version takes effect."""
        known = self._known.get((project, name))
        if known is None or known.until < time.monotonic():
            found = await run_in_threadpool(self._event_types.version, project, name, None)
            if found.draft.type != DATA_IN or found.topic is None:
                raise BadInput.of(
                    "event_type_name",
                    f"must be of type '{DATA_IN}' but '{name}' is of type '{found.draft.type}'",
                )
            extractor = MetadataExtractor.of(found)
            known = _Known(found.topic, extractor, time.monotonic() + KNOWN_SECONDS)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[project, name] = known
        return known

    async def _send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Wait until the log has all of them; where it does not, none counts as taken."""
        loop = asyncio.get_running_loop()
        decided: asyncio.Future[Outcome] = loop.create_future()

        def tell(outcome: Outcome) -> None:
            if not decided.done():
                decided.set_result(outcome)

        def done(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(tell, outcome)

        self._producer.send(topic, records, done)
        reasons = [reason for reason in await decided if reason is not None]
        if reasons:
            raise LogAway(
                f"{len(reasons)} of {len(records)} events were not written: {reasons[0]}. "
                "Send the request again; event ids that are not random keep it from doubling."
            )


def _headers(request: Request) -> dict[str, str]:
    """The request's headers as expressions see them; never the token."""
    hidden = ("authorization", "authentication", "cookie")
    return {name: value for name, value in request.headers.items() if name not in hidden}


def _extract(
    events: Sequence[bytes], extractor: MetadataExtractor, headers: dict[str, str]
) -> tuple[list[Outgoing], list[dict[str, Any]]]:
    records: list[Outgoing] = []
    rejected: list[dict[str, Any]] = []
    for position, event in enumerate(events):
        try:
            records.append(extractor.record(event, headers))
        except Rejected as error:
            rejected.append({"position": position, "reason": str(error)})
    return records, rejected
