"""An event type as a value, and the rules that it has to meet. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grnry.errors import Problem
from grnry.event_types import names
from grnry.event_types.durations import is_duration
from grnry.event_types.kinds import DATA_IN, EXPRESSIONS, KINDS, LIVE_SEGMENT, Kind
from grnry.event_types.schema_documents import SchemaDocument, schema_problems
from grnry.expressions import ExpressionSyntaxError, compile_expression

DEFAULT_TTL = "P100Y"
DEFAULT_TIMESTAMP_EXPRESSION = "#nowMillis()"
DEFAULT_PARTITIONS = 32
DEFAULT_REPLICATION = 3
DEFAULT_RETENTION_MS = 345_600_000

MOST_PARTITIONS = 1000
MOST_REPLICATION = 32767
LARGEST_RETENTION = 2**63 - 1
LONGEST_DESCRIPTION = 10_000
LONGEST_CONSUMER = 256
MOST_LOCATIONS = 100
LARGEST_LOCATIONS = 65_536
DEEPEST_LOCATIONS = 32
LOCATION_TYPES = ("database", "stream")

_MAY_BE_EMPTY = frozenset({"deletionExpression"})


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants an event type to be; none is a field that its kind does not have."""

    display_name: str
    type: str = DATA_IN
    description: str = ""
    correlation_id_expression: str | None = None
    event_id_expression: str | None = None
    timestamp_expression: str | None = None
    deletion_expression: str | None = None
    consumer: str | None = None
    eventstore_ttl: str = DEFAULT_TTL
    replication: int = DEFAULT_REPLICATION
    partition_count: int = DEFAULT_PARTITIONS
    retention_ms: int = DEFAULT_RETENTION_MS
    schema: SchemaDocument | None = None
    source: Sequence[Any] | None = None
    physical_locations: Sequence[Any] | None = None

    @property
    def kind(self) -> Kind:
        return KINDS[self.type]

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong."""
        yield from self._text_problems()
        if self.type == DATA_IN:
            yield from self._expression_problems()
        if self.type == LIVE_SEGMENT:
            yield from schema_problems(self.schema)
        yield from self._location_problems()
        if not is_duration(self.eventstore_ttl):
            yield Problem(
                "eventstoreTTL", f"must be an ISO 8601 duration but is '{self.eventstore_ttl}'"
            )
        yield from self._number_problems()

    def _text_problems(self) -> Iterator[Problem]:
        if not self.display_name.strip():
            yield Problem("displayName", "must not be empty")
        elif len(self.display_name) > names.LONGEST_DISPLAY:
            yield Problem("displayName", f"must have at most {names.LONGEST_DISPLAY} characters")
        if len(self.description) > LONGEST_DESCRIPTION:
            yield Problem("description", f"must have at most {LONGEST_DESCRIPTION} characters")
        if len(self.consumer or "") > LONGEST_CONSUMER:
            yield Problem("consumer", f"must have at most {LONGEST_CONSUMER} characters")
        for name, text in (("displayName", self.display_name), ("description", self.description)):
            if "\0" in text:
                yield Problem(name, "must not contain the character U+0000")

    def _expression_problems(self) -> Iterator[Problem]:
        texts = (
            self.correlation_id_expression,
            self.event_id_expression,
            self.timestamp_expression,
            self.deletion_expression,
        )
        for name, text in zip(EXPRESSIONS, texts, strict=True):
            if not text or not text.strip():
                if name not in _MAY_BE_EMPTY:
                    yield Problem(name, "must not be empty")
                continue
            try:
                compile_expression(text)
            except ExpressionSyntaxError as error:
                yield Problem(name, f"is not a valid expression: {error}")

    def _location_problems(self) -> Iterator[Problem]:
        given = {"source": self.source, "physicalLocations": self.physical_locations}
        for name, parts in given.items():
            if len(parts or ()) > MOST_LOCATIONS:
                yield Problem(name, f"must have at most {MOST_LOCATIONS} entries")
            for number, part in enumerate(parts or ()):
                if not isinstance(part, Mapping):
                    yield Problem(f"{name}[{number}]", "must be an object")
            yield from _size_problems(name, list(parts or ()))
        for number, part in enumerate(self.physical_locations or ()):
            if isinstance(part, Mapping):
                yield from _location_problems(f"physicalLocations[{number}]", part)

    def _number_problems(self) -> Iterator[Problem]:
        numbers = {
            "replication": (self.replication, MOST_REPLICATION),
            "partitionCount": (self.partition_count, MOST_PARTITIONS),
            "retentionMs": (self.retention_ms, LARGEST_RETENTION),
        }
        for name, (value, most) in numbers.items():
            if not 1 <= value <= most:
                yield Problem(name, f"must be in between 1 and {most} but is '{value}'")


def _size_problems(name: str, parts: Sequence[Any]) -> Iterator[Problem]:
    """What is kept as it is goes into each answer and each list."""
    level: Sequence[Any] = parts
    for _ in range(DEEPEST_LOCATIONS):
        level = [inner for part in level for inner in _parts_of(part)]
    if level:
        yield Problem(name, f"must not nest deeper than {DEEPEST_LOCATIONS} levels")
    elif len(json.dumps(parts, ensure_ascii=False)) > LARGEST_LOCATIONS:
        yield Problem(name, f"must have at most {LARGEST_LOCATIONS} characters")


def _parts_of(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _location_problems(place: str, location: Mapping[str, Any]) -> Iterator[Problem]:
    name = location.get("locationName")
    if not isinstance(name, str) or not name.strip():
        yield Problem(f"{place}.locationName", "must be a text that is not empty")
    if location.get("type") not in LOCATION_TYPES:
        yield Problem(
            f"{place}.type",
            f"must be one of {', '.join(LOCATION_TYPES)} but is '{location.get('type')}'",
        )


@dataclass(frozen=True, slots=True)
class EventType:
    """One version of an event type."""

    name: str
    project: str
    version: int
    draft: Draft
    topic: str | None
    created_at: datetime
    created_by: Mapping[str, str]
    modified_at: datetime
    modified_by: Mapping[str, str]

    @property
    def kind(self) -> Kind:
        return self.draft.kind

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "EventType":
        schema = row["schema_document"]
        draft = Draft(
            display_name=row["display_name"],
            type=row["type"],
            description=row["description"],
            correlation_id_expression=row["correlation_id_expression"],
            event_id_expression=row["event_id_expression"],
            timestamp_expression=row["timestamp_expression"],
            deletion_expression=row["deletion_expression"],
            consumer=row["consumer"],
            eventstore_ttl=row["eventstore_ttl"],
            replication=row["replication"],
            partition_count=row["partition_count"],
            retention_ms=row["retention_ms"],
            schema=None if schema is None else SchemaDocument.parse(schema, row["schema_subject"]),
            source=_frozen(row["source"]),
            physical_locations=_frozen(row["physical_locations"]),
        )
        return cls(
            row["name"],
            row["project"],
            row["version"],
            draft,
            row["topic_name"],
            row["created_at"],
            row["created_by"],
            row["modified_at"],
            row["modified_by"],
        )


def _frozen(value: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if value is None else tuple(value)
