"""Event types as they are answered."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ConfigDict, Field

from grnry.event_types.fields import FIELDS, defaults_of
from grnry.event_types.kinds import locations
from grnry.event_types.model import EventType
from grnry.event_types.neighbours import Ends, Reference
from grnry.http.bodies import AnswerBody, Link, SelfLink
from grnry.http.times import time_text

Wanted = frozenset[str]
"""What a list or a single one is to tell beside its fields."""

_PATH = "http://127.0.0.1:8080/projects/global/event-types/calls"
_AUTHOR = {"name": "Ada Lovelace", "email": "ada@example.org"}
_SHORT: dict[str, Any] = {
    "name": "calls",
    "displayName": "Calls",
    "projectName": "global",
    "version": 1,
    "type": "data_in",
    "description": "Calls of our service centre.",
    "_links": {"self": {"href": f"{_PATH}/1"}},
}
_PERSISTER = {
    "eventTypeName": "calls",
    "eventStoreType": "pg",
    "projectName": "global",
    "_links": {"self": {"href": f"{_PATH}/eventstores/pg/persister"}},
}
FULL_EXAMPLE: dict[str, Any] = {
    **_SHORT,
    "createdAt": "2021-09-24T08:38:50.848Z",
    "createdBy": _AUTHOR,
    "modifiedAt": "2021-09-24T08:38:50.848Z",
    "modifiedBy": _AUTHOR,
    "correlationIdExpression": "payload.user",
    "eventIdExpression": "payload.id",
    "timestampExpression": "#nowMillis()",
    "deletionExpression": "",
    "topicName": "grnry_data_in_calls",
    "retentionMs": 345600000,
    "partitionCount": 32,
    "replication": 3,
    "eventstoreTTL": "P100Y",
    "inputs": {"harvesters": [], "belts": []},
    "outputs": {"persisters": [_PERSISTER], "belts": []},
}


class Author(AnswerBody):
    name: str
    email: str


class PersisterLink(AnswerBody):
    """A persister that reads the event type."""

    event_type_name: str
    event_store_type: str = Field(examples=["pg", "live-segment"])
    project_name: str
    state: dict[str, Any] | None = Field(
        None, description="With `expand=persisters`.", examples=[{"status": "RUNNING"}]
    )
    links: SelfLink = Field(alias="_links")


class NeighbourLink(AnswerBody):
    """A belt or harvester; of another project's only the link is told."""

    id: str | None = None
    project_name: str | None = None
    links: SelfLink = Field(alias="_links")


class Inputs(AnswerBody):
    """Who writes it."""

    harvesters: list[NeighbourLink]
    belts: list[NeighbourLink]


class Outputs(AnswerBody):
    """Who reads it."""

    persisters: list[PersisterLink]
    belts: list[NeighbourLink]


class EventTypeAnswer(AnswerBody):
    """One version of an event type. Without a project in the path only the first fields."""

    model_config = ConfigDict(json_schema_extra={"example": FULL_EXAMPLE})

    name: str
    display_name: str
    project_name: str
    version: int
    type: str
    description: str
    links: SelfLink = Field(alias="_links")
    created_at: str | None = Field(None, examples=["2021-09-24T08:38:50.848Z"])
    created_by: Author | None = None
    modified_at: str | None = None
    modified_by: Author | None = None
    consumer: str | None = None
    correlation_id_expression: str | None = None
    event_id_expression: str | None = None
    timestamp_expression: str | None = None
    deletion_expression: str | None = None
    topic_name: str | None = None
    retention_ms: int | None = None
    partition_count: int | None = None
    replication: int | None = None
    eventstore_ttl: str | None = Field(None, alias="eventstoreTTL")
    schema_: Any = Field(None, alias="schema")
    source: list[Any] | None = None
    physical_locations: list[Any] | None = Field(
        None,
        description="Where its data lies.",
        examples=[
            [
                {
                    "locationName": "global.eventstore_calls",
                    "source": "postgresql",
                    "type": "database",
                },
                {"locationName": "grnry_data_in_calls", "source": "kafka", "type": "stream"},
            ]
        ],
    )
    inputs: Inputs | None = None
    outputs: Outputs | None = None


class PurgeAnswer(AnswerBody):
    """What a purge did."""

    purged: int = Field(description="How many rows were deleted.", examples=[1000])


class EventTypeList(AnswerBody):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "_links": {"self": {"href": "http://127.0.0.1:8080/event-types?pagesize=20"}},
                "totalCount": 1,
                "eventTypes": [_SHORT],
            }
        }
    )

    links: dict[str, Link] = Field(alias="_links")
    total_count: int | None = None
    event_types: list[EventTypeAnswer]


def self_link(url: str) -> dict[str, Any]:
    return {"self": {"href": url}}


def limited(event_type: EventType, base: str) -> dict[str, Any]:
    """What anybody may know."""
    name, draft = event_type.name, event_type.draft
    path = f"/projects/{event_type.project}/event-types/{name}/{event_type.version}"
    return {
        "name": name,
        "displayName": draft.display_name,
        "projectName": event_type.project,
        "version": event_type.version,
        "type": draft.type,
        "description": draft.description,
        "_links": self_link(base + path),
    }


def full(event_type: EventType, base: str, ends: Ends | None, wanted: Wanted) -> dict[str, Any]:
    """What a project's viewers know."""
    fields = _fields(event_type)
    laid = locations(event_type.draft.type, event_type.project, event_type.name)
    answer = limited(event_type, base) | {
        "createdAt": time_text(event_type.created_at),
        "createdBy": event_type.created_by,
        "modifiedAt": time_text(event_type.modified_at),
        "modifiedBy": event_type.modified_by,
        "topicName": event_type.topic,
        **fields,
        "physicalLocations": [*laid, *fields["physicalLocations"]],
    }
    if ends and "inputs" in wanted:
        answer["inputs"] = _side(ends.inputs, event_type.project, base)
    if ends and wanted & {"outputs", "persisters"}:
        answer["outputs"] = _side(ends.outputs, event_type.project, base)
    return answer


def _fields(event_type: EventType) -> dict[str, Any]:
    """All that may be sent, as it is; null, or no entries, where its kind has no such field."""
    draft = event_type.draft
    found = {field.name: getattr(draft, field.attribute) for field in FIELDS}
    found["schema"] = draft.schema.answer() if draft.schema else None
    for name in ("source", "physicalLocations"):
        found[name] = list(found[name] or ())
    return found


def _side(
    found: Mapping[str, Iterable[Reference]], project: str, base: str
) -> dict[str, list[dict[str, Any]]]:
    return {kind: [_reference(each, project, base) for each in of] for kind, of in found.items()}


def _reference(each: Reference, project: str, base: str) -> dict[str, Any]:
    link = {"_links": self_link(base + each.path)}
    if each.project != project:
        return link
    return {**each.names, "projectName": each.project, **each.details, **link}


def exportable(event_type: EventType) -> dict[str, Any]:
    """What makes it again, without what is so by default or follows from its name."""
    defaults = defaults_of(event_type.kind)
    fields = _fields(event_type).items()
    kept = {name: value for name, value in fields if value != defaults.get(name)}
    return {"name": event_type.name, **kept}
