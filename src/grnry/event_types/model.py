"""An event type as a value, and the rules a new one has to meet. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grnry.errors import Problem
from grnry.event_types import names
from grnry.event_types.durations import is_duration
from grnry.expressions import ExpressionSyntaxError, compile_expression

DATA_IN = "data_in"
TYPES = ("data_in", "ttl", "ttn", "profile", "segment", "live_segment", "custom")

DEFAULT_TTL = "P100Y"
DEFAULT_TIMESTAMP_EXPRESSION = "#nowMillis()"
DEFAULT_PARTITIONS = 32
DEFAULT_REPLICATION = 3
DEFAULT_RETENTION_MS = 345_600_000

MOST_PARTITIONS = 1000
MOST_REPLICATION = 32767
LARGEST_RETENTION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants an event type to be."""

    display_name: str
    type: str = DATA_IN
    description: str = ""
    correlation_id_expression: str = ""
    event_id_expression: str = ""
    timestamp_expression: str = DEFAULT_TIMESTAMP_EXPRESSION
    deletion_expression: str = ""
    consumer: str | None = None
    eventstore_ttl: str = DEFAULT_TTL
    replication: int = DEFAULT_REPLICATION
    partition_count: int = DEFAULT_PARTITIONS
    retention_ms: int = DEFAULT_RETENTION_MS
    foreign_fields: tuple[str, ...] = ()
    """Names of fields that were given and that its type does not have."""

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong."""
        for field in self.foreign_fields:
            yield Problem(field, f"is not a field of type '{self.type}'")
        yield from self._name_problems()
        if self.type not in TYPES:
            yield Problem("type", f"must be one of {', '.join(TYPES)} but is '{self.type}'")
        elif self.type != DATA_IN:
            yield Problem("type", f"is '{self.type}', which this version does not support yet")
        else:
            yield from self._expression_problems()
        if not is_duration(self.eventstore_ttl):
            yield Problem(
                "eventstoreTTL", f"must be an ISO 8601 duration but is '{self.eventstore_ttl}'"
            )
        yield from self._number_problems()

    def _name_problems(self) -> Iterator[Problem]:
        if not self.display_name.strip():
            yield Problem("displayName", "must not be empty")
        elif len(self.display_name) > names.LONGEST_DISPLAY:
            yield Problem("displayName", f"must have at most {names.LONGEST_DISPLAY} characters")
        for name, text in (("displayName", self.display_name), ("description", self.description)):
            if "\0" in text:
                yield Problem(name, "must not contain the character U+0000")

    def _expression_problems(self) -> Iterator[Problem]:
        expressions = {
            "correlationIdExpression": (self.correlation_id_expression, True),
            "eventIdExpression": (self.event_id_expression, True),
            "timestampExpression": (self.timestamp_expression, True),
            "deletionExpression": (self.deletion_expression, False),
        }
        for name, (text, is_needed) in expressions.items():
            if not text.strip():
                if is_needed:
                    yield Problem(name, "must not be empty")
                continue
            try:
                compile_expression(text)
            except ExpressionSyntaxError as error:
                yield Problem(name, f"is not a valid expression: {error}")

    def _number_problems(self) -> Iterator[Problem]:
        numbers = {
            "replication": (self.replication, MOST_REPLICATION),
            "partitionCount": (self.partition_count, MOST_PARTITIONS),
            "retentionMs": (self.retention_ms, LARGEST_RETENTION),
        }
        for name, (value, most) in numbers.items():
            if not 1 <= value <= most:
                yield Problem(name, f"must be in between 1 and {most} but is '{value}'")


def problems_of(name: str | None, draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong with what is to be made; without a name, one is derived."""
    yield from draft.problems()
    if name is not None and not names.is_name(name):
        reason = f"must be 1 to {names.LONGEST} letters, digits and hyphens but is '{name}'"
        yield Problem("name", reason)
    if name is None and draft.display_name.strip() and not names.derive(draft.display_name):
        yield Problem("displayName", "must contain a letter, a digit or a hyphen")


@dataclass(frozen=True, slots=True)
class EventType:
    """One version of an event type."""

    name: str
    project: str
    version: int
    draft: Draft
    topic: str
    created_at: datetime
    created_by: Mapping[str, str]
    modified_at: datetime
    modified_by: Mapping[str, str]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "EventType":
        draft = Draft(
            display_name=row["display_name"],
            type=row["type"],
            description=row["description"],
            correlation_id_expression=row["correlation_id_expression"] or "",
            event_id_expression=row["event_id_expression"] or "",
            timestamp_expression=row["timestamp_expression"] or "",
            deletion_expression=row["deletion_expression"] or "",
            consumer=row["consumer"],
            eventstore_ttl=row["eventstore_ttl"],
            replication=row["replication"],
            partition_count=row["partition_count"],
            retention_ms=row["retention_ms"],
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
