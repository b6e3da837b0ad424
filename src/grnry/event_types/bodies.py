"""Event types as they are sent and answered."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from grnry.errors import Problem
from grnry.event_types import model
from grnry.event_types.model import Draft, EventType, problems_of
from grnry.event_types.names import topic_of, view_of
from grnry.http.bodies import AnswerBody, Link, RequestBody, SelfLink
from grnry.http.times import time_text
from grnry.identity.model import GLOBAL

EXAMPLE: dict[str, Any] = {
    "displayName": "Calls",
    "description": "Calls of our service centre.",
    "correlationIdExpression": "payload.user",
    "eventIdExpression": "payload.id",
}
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


class EventTypeBody(RequestBody):
    """What makes an event type."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["displayName", "correlationIdExpression", "eventIdExpression"],
            "example": EXAMPLE,
        }
    )

    generated_fields: ClassVar[frozenset[str]] = frozenset(
        {
            "_links",
            "createdAt",
            "createdBy",
            "inputs",
            "modifiedAt",
            "modifiedBy",
            "outputs",
            "projectName",
            "topicName",
            "version",
        }
    )

    name: str | None = Field(None, description="Derived from `displayName` where it is not given.")
    display_name: str = Field(
        "", description="Required. Unique in its project, without regard to case."
    )
    description: str = ""
    type: str = Field(model.DATA_IN, description="Only `data_in` is supported yet.")
    correlation_id_expression: str = Field("", examples=["payload.user"])
    event_id_expression: str = Field("", examples=["payload.id", "#randomUUID()"])
    timestamp_expression: str = model.DEFAULT_TIMESTAMP_EXPRESSION
    deletion_expression: str = ""
    consumer: str | None = Field(None, description="The role that lets others' belts read it.")
    eventstore_ttl: str = Field(model.DEFAULT_TTL, alias="eventstoreTTL")
    replication: int = model.DEFAULT_REPLICATION
    partition_count: int = model.DEFAULT_PARTITIONS
    retention_ms: int = model.DEFAULT_RETENTION_MS
    schema_: Any = Field(None, alias="schema", description="Not a field of type `data_in`.")
    source: Any = Field(None, description="Not a field of type `data_in`.")
    physical_locations: Any = Field(None, description="Not a field of type `data_in`.")

    def problems(self, path: Mapping[str, str]) -> Iterable[Problem]:
        name = path.get("event_type_name") or self.name or None
        draft = self.draft(path.get("project_name", GLOBAL), name)
        return problems_of(name, draft)

    def draft(self, project: str, name: str | None) -> Draft:
        """The draft, with the names of fields that its type does not have.

        What a GET answers of the places where its data lies may be sent back.
        """
        is_as_answered = name is not None and self.physical_locations == _locations(project, name)
        foreign = {
            "schema": self.schema_,
            "source": self.source,
            "physicalLocations": None if is_as_answered else self.physical_locations,
        }
        return Draft(
            display_name=self.display_name,
            type=self.type,
            description=self.description,
            correlation_id_expression=self.correlation_id_expression,
            event_id_expression=self.event_id_expression,
            timestamp_expression=self.timestamp_expression,
            deletion_expression=self.deletion_expression,
            consumer=self.consumer or None,
            eventstore_ttl=self.eventstore_ttl,
            replication=self.replication,
            partition_count=self.partition_count,
            retention_ms=self.retention_ms,
            foreign_fields=tuple(name for name, value in foreign.items() if value)
            if self.type == model.DATA_IN
            else (),
        )


class Author(AnswerBody):
    name: str
    email: str


class PersisterLink(AnswerBody):
    """A persister that reads the event type."""

    event_type_name: str
    event_store_type: str = Field(examples=["pg"])
    project_name: str
    links: SelfLink = Field(alias="_links")


class Inputs(AnswerBody):
    """Who writes it."""

    harvesters: list[Any]
    belts: list[Any]


class Outputs(AnswerBody):
    """Who reads it."""

    persisters: list[PersisterLink]
    belts: list[Any]


class Location(AnswerBody):
    """Where its data lies."""

    location_name: str
    source: str
    type: str


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
    physical_locations: list[Location] | None = None
    inputs: Inputs | None = None
    outputs: Outputs | None = None


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


def full(event_type: EventType, base: str, expand: frozenset[str]) -> dict[str, Any]:
    """What a project's viewers know."""
    draft = event_type.draft
    answer = limited(event_type, base) | {
        "createdAt": time_text(event_type.created_at),
        "createdBy": event_type.created_by,
        "modifiedAt": time_text(event_type.modified_at),
        "modifiedBy": event_type.modified_by,
        "consumer": draft.consumer,
        "correlationIdExpression": draft.correlation_id_expression,
        "eventIdExpression": draft.event_id_expression,
        "timestampExpression": draft.timestamp_expression,
        "deletionExpression": draft.deletion_expression,
        "topicName": event_type.topic,
        "retentionMs": draft.retention_ms,
        "partitionCount": draft.partition_count,
        "replication": draft.replication,
        "eventstoreTTL": draft.eventstore_ttl,
        "schema": None,
        "source": [],
        "physicalLocations": _locations(event_type.project, event_type.name),
    }
    if "inputs" in expand:
        answer["inputs"] = {"harvesters": [], "belts": []}
    if "outputs" in expand:
        answer["outputs"] = {"persisters": [_persister(event_type, base)], "belts": []}
    return answer


def exportable(event_type: EventType) -> dict[str, Any]:
    """All that a body may say of it; where its data lies follows from its name."""
    return full(event_type, "", frozenset()) | {"physicalLocations": None}


def _locations(project: str, name: str) -> list[dict[str, str]]:
    view = f"{project}.{view_of(name)}"
    return [
        {"locationName": view, "source": "postgresql", "type": "database"},
        {"locationName": topic_of(name), "source": "kafka", "type": "stream"},
    ]


def _persister(event_type: EventType, base: str) -> dict[str, Any]:
    path = f"/projects/{event_type.project}/event-types/{event_type.name}/eventstores/pg/persister"
    return {
        "eventTypeName": event_type.name,
        "eventStoreType": "pg",
        "projectName": event_type.project,
        "_links": self_link(base + path),
    }
