"""Event types as they are sent."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)

from grnry.errors import Problem
from grnry.event_types import model
from grnry.event_types.checks import problems_of_new
from grnry.event_types.kinds import DATA_IN, KINDS
from grnry.http.bodies import RequestBody
from grnry.identity.model import GLOBAL

EXAMPLE: dict[str, Any] = {
    "displayName": "Calls",
    "description": "Calls of our service centre.",
    "correlationIdExpression": "payload.user",
    "eventIdExpression": "payload.id",
}


def _told(default: Any) -> dict[str, Any]:
    """A default that depends on what is stored is told, and not filled in."""
    return {"default": default}


class EventTypeBody(RequestBody):
    """What makes an event type. An empty string stands for the default, null for nothing said."""

    model_config = ConfigDict(json_schema_extra={"required": ["displayName"], "example": EXAMPLE})

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
    display_name: str | None = Field(
        None, description="Required. Unique in its project, without regard to case."
    )
    description: str | None = Field(None, json_schema_extra=_told(""))
    type: str | None = Field(
        None,
        description=f"One of {', '.join(KINDS)}.",
        json_schema_extra=_told(DATA_IN),
        examples=list(KINDS),
    )
    correlation_id_expression: str | None = Field(
        None, description="Required for type `data_in`.", examples=["payload.user"]
    )
    event_id_expression: str | None = Field(
        None,
        description="Required for type `data_in`.",
        examples=["payload.id", "#randomUUID()"],
    )
    timestamp_expression: str | None = Field(
        None,
        description="Milliseconds since 1970. For type `data_in`.",
        json_schema_extra=_told(model.DEFAULT_TIMESTAMP_EXPRESSION),
    )
    deletion_expression: str | None = Field(
        None, description="For type `data_in`.", json_schema_extra=_told("")
    )
    consumer: str | None = Field(None, description="The role that lets others' belts read it.")
    eventstore_ttl: str | None = Field(
        None,
        alias="eventstoreTTL",
        description="ISO 8601 duration.",
        json_schema_extra=_told(model.DEFAULT_TTL),
    )
    replication: int | None = Field(
        None,
        description="Kept as given; the topic gets no more replicas than there are brokers.",
        json_schema_extra=_told(model.DEFAULT_REPLICATION),
    )
    partition_count: int | None = Field(None, json_schema_extra=_told(model.DEFAULT_PARTITIONS))
    retention_ms: int | None = Field(None, json_schema_extra=_told(model.DEFAULT_RETENTION_MS))
    schema_: Any = Field(
        None,
        alias="schema",
        description="Required for type `live_segment`: a JSON Schema, as an object or a string, "
        "or `{subject, schema}`.",
    )
    source: list[Any] | None = Field(None, description="For type `custom`.")
    physical_locations: list[Any] | None = Field(
        None, description="For types `profile` and `custom`."
    )

    _emptied: frozenset[str] = PrivateAttr(default=frozenset())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_is_empty(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        body = read(given)
        if isinstance(given, dict):
            empty = frozenset(name for name, value in given.items() if value == "")
            body._emptied = empty  # noqa: SLF001 - its own
        return body

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by their names on the wire; what was empty is so here."""
        found = {}
        for name in self.model_fields_set:
            if name in type(self).model_fields and name != "name":
                wire = type(self).model_fields[name].alias or name
                found[wire] = "" if wire in self._emptied else getattr(self, name)
        return found

    def problems(self, path: Mapping[str, str]) -> Iterable[Problem]:
        name = path.get("event_type_name") or self.name or None
        return problems_of_new(path.get("project_name", GLOBAL), name, self.given())[1]


class EventTypeChange(EventTypeBody):
    """What is to be different. What is left out stays, and so does what is null."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"description": "Calls of all our service centres."}}
    )

    def problems(self, path: Mapping[str, str]) -> Iterable[Problem]:
        return ()  # what is wrong depends on what is stored
