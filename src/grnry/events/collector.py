"""The collector: events over HTTP, answered only when the log has them.

An async route of its own that reads its body itself: nothing is looked up in the database for each
request, and an array of a thousand costs one round trip to the log. Lines (NDJSON) are taken while
they come, so a body of any length takes the memory of two batches.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from grnry.errors import BadInput
from grnry.event_types.kinds import DATA_IN
from grnry.event_types.service import EventTypes
from grnry.events.batches import Batches
from grnry.events.metadata import MetadataExtractor
from grnry.events.room import Room
from grnry.events.splitting import TooLarge, is_ndjson, may_be_events, split, unpack
from grnry.events.streaming import Lines, unpacker
from grnry.events.taking import Taking
from grnry.events.together import Together
from grnry.http.error_model import PayloadTooLarge, UnsupportedMediaType
from grnry.http.routing import PROJECT_PREFIX, RawRoute, raw_route
from grnry.http.threads import run_in_thread
from grnry.identity.access import SEND
from grnry.identity.model import GLOBAL
from grnry.log.producer import Producer
from grnry.log.records import LARGEST_RECORD
from grnry.settings import Settings

PATH = "/event-types/{event_type_name}/events"
KNOWN_SECONDS = 2.0
MOST_KNOWN = 10_000
BATCH = 1000
"""Events that wait for the log together, and that others wait for while they are looked at."""

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
        "One JSON object, an array of them, or one a line (NDJSON), which is taken while it comes "
        "and may be far longer than other bodies; gzipped or not. "
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
                            "rejectedNotListed": {
                                "type": "integer",
                                "description": "How many more were rejected than are listed.",
                            },
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

    def __init__(self, event_types: EventTypes, producer: Producer, settings: Settings) -> None:
        self._event_types = event_types
        self._together = Together(producer)
        self._max_bytes = settings.max_body_bytes
        self._max_stream_bytes = settings.max_stream_bytes
        self._room = Room(settings.collector_mb * 2**20)
        self._known: dict[tuple[str, str], _Known] = {}

    def routes(self) -> list[RawRoute]:
        return [
            raw_route(path, self.take, ["POST"], OPERATION, permission=SEND, streams=is_ndjson)
            for path in (PROJECT_PREFIX + PATH, PATH)
        ]

    async def take(self, request: Request) -> Response:
        """202 with how many events were taken, and why the others were not."""
        content_type = request.headers.get("content-type", "")
        if not may_be_events(content_type):
            raise UnsupportedMediaType(content_type)
        project = request.path_params.get("project_name", GLOBAL)
        known = await self._event_type(project, request.path_params["event_type_name"])
        taking = Taking(self._together, known.topic, known.extractor, _headers(request))
        try:
            if is_ndjson(content_type):
                await self._take_lines(request, taking)
            else:
                await self._take_whole(request, taking)
        except TooLarge as error:
            raise PayloadTooLarge(self._most_of(request)) from error
        return Response(orjson.dumps(taking.answer()), 202, media_type="application/json")

    async def _take_whole(self, request: Request, taking: Taking) -> None:
        """An object or an array has to be there as a whole before its events are known."""
        with self._holding() as hold:
            announced = request.headers.get("content-length", "")
            hold(int(announced) if announced.isdecimal() else self._max_bytes)
            body = unpack(await request.body(), _encoding(request), self._max_bytes)
            if _encoding(request):
                hold(len(body))
            events = split(body, request.headers.get("content-type", ""))
            for start in range(0, len(events), BATCH):
                await taking.take(events[start : start + BATCH])

    async def _take_lines(self, request: Request, taking: Taking) -> None:
        """Lines are taken while they come; one batch is written while the next is read."""
        unpacking = unpacker(_encoding(request), self._max_stream_bytes)
        lines = Lines(LARGEST_RECORD)
        batches = Batches(taking, self._room)
        try:
            async for chunk in request.stream():
                for piece in unpacking.feed(chunk):
                    for line in lines.feed(piece):
                        await batches.add(line)
            unpacking.end()
            for line in lines.end():
                await batches.add(line)
        except BaseException:
            await batches.give_up()
            raise
        await batches.end()
        if taking.is_empty:
            raise BadInput.of("body", "must not be empty")

    @contextmanager
    def _holding(self) -> Iterator[Callable[[int], None]]:
        """Room that is held until the end."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            self._room.take(size)
            held += size

        try:
            yield hold
        finally:
            self._room.give_back(held)

    def _most_of(self, request: Request) -> int:
        is_stream = is_ndjson(request.headers.get("content-type", ""))
        return self._max_stream_bytes if is_stream else self._max_bytes

    async def _event_type(self, project: str, name: str) -> _Known:
        """Looked up again after a moment, so that a new version takes effect."""
        known = self._known.get((project, name))
        if known is None or known.until < time.monotonic():
            found = await run_in_thread(self._event_types.version, project, name, None)
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


def _headers(request: Request) -> dict[str, str]:
    """The request's headers as expressions see them; never the token."""
    hidden = ("authorization", "authentication", "cookie")
    return {name: value for name, value in request.headers.items() if name not in hidden}


def _encoding(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding
