"""What was sent, read into a draft: defaults, what may not change, what its kind does not have.

Pure. The same table reads a new event type, a change of one, and says what an export leaves out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from grnry.errors import Problem
from grnry.event_types.kinds import DATA_IN, EXPRESSIONS, KINDS, Kind
from grnry.event_types.model import (
    DEFAULT_PARTITIONS,
    DEFAULT_REPLICATION,
    DEFAULT_RETENTION_MS,
    DEFAULT_TIMESTAMP_EXPRESSION,
    DEFAULT_TTL,
    Draft,
)
from grnry.event_types.schema_documents import SchemaDocument

_ABSENT: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Field:
    """A field as it is on the wire."""

    name: str
    attribute: str
    default: Any = None
    is_own: bool = False
    """Whether only some kinds have it."""
    is_fixed: bool = False
    """Whether it stays as it was made."""
    keeps_version: bool = False
    """Whether a change of it leaves the version as it is."""
    can_be_taken_away: bool = False
    """Whether `null` in a change takes the value away; else it means that nothing is said."""


FIELDS = (
    Field("displayName", "display_name", "", keeps_version=True),
    Field("description", "description", "", keeps_version=True),
    Field("type", "type", DATA_IN, is_fixed=True),
    Field("correlationIdExpression", "correlation_id_expression", "", is_own=True),
    Field("eventIdExpression", "event_id_expression", "", is_own=True),
    Field("timestampExpression", "timestamp_expression", DEFAULT_TIMESTAMP_EXPRESSION, is_own=True),
    Field("deletionExpression", "deletion_expression", "", is_own=True),
    Field("consumer", "consumer", can_be_taken_away=True),
    Field("eventstoreTTL", "eventstore_ttl", DEFAULT_TTL),
    Field("replication", "replication", DEFAULT_REPLICATION, is_fixed=True),
    Field("partitionCount", "partition_count", DEFAULT_PARTITIONS, is_fixed=True),
    Field("retentionMs", "retention_ms", DEFAULT_RETENTION_MS, is_fixed=True),
    Field("schema", "schema", is_own=True),
    Field("source", "source", (), is_own=True),
    Field("physicalLocations", "physical_locations", (), is_own=True),
)

_NEEDED = frozenset({"displayName", *EXPRESSIONS[:2]})
"""An empty text for these is no default: it is what is wrong."""


def new_draft(given: Mapping[str, Any], answered: Mapping[str, Any]) -> tuple[Draft, list[Problem]]:
    """What makes an event type. `answered` is what a GET of it says beside what was given."""
    kind = given.get("type") or DATA_IN
    if kind not in KINDS:
        problem = Problem("type", f"must be one of {', '.join(KINDS)} but is '{kind}'")
        given = {**given, "type": DATA_IN}
        draft, others = new_draft(given, answered)
        foreign = {name for found in KINDS.values() for name in found.own_fields}
        return draft, [problem, *(each for each in others if each.name not in foreign)]
    blank = Draft(display_name="", type=kind)
    return _read(given, replace(blank, **_defaults(KINDS[kind])), answered, is_new=True)


def changed_draft(
    given: Mapping[str, Any], stored: Draft, answered: Mapping[str, Any]
) -> tuple[Draft, list[Problem]]:
    """What a full or partial change makes of what is stored."""
    return _read(given, stored, answered, is_new=False)


def makes_version(before: Draft, after: Draft) -> bool:
    """Whether a change is more than another display name or description."""
    return any(
        getattr(before, field.attribute) != getattr(after, field.attribute)
        for field in FIELDS
        if not field.keeps_version
    )


def defaults_of(kind: Kind) -> dict[str, Any]:
    """The default of each field that the kind has, by its name on the wire."""
    return {field.name: field.default for field in FIELDS if _has(kind, field)}


def _has(kind: Kind, field: Field) -> bool:
    return not field.is_own or field.name in kind.own_fields


def _defaults(kind: Kind) -> dict[str, Any]:
    return {
        field.attribute: field.default for field in FIELDS if field.is_own and _has(kind, field)
    }


def _read(
    given: Mapping[str, Any], base: Draft, answered: Mapping[str, Any], *, is_new: bool
) -> tuple[Draft, list[Problem]]:
    problems: list[Problem] = []
    changes: dict[str, Any] = {}
    for field in FIELDS:
        if field.name not in given:
            continue
        value = given[field.name]
        stored = getattr(base, field.attribute)
        if not _has(base.kind, field):
            problems.extend(_foreign(field, value, base.type, answered))
        elif field.is_fixed and not is_new:
            problems.extend(_fixed(field, value, stored))
        else:
            changes[field.attribute] = _value(field, value, stored, answered)
    return replace(base, **changes), problems


def _value(field: Field, value: Any, stored: Any, answered: Mapping[str, Any]) -> Any:
    if value is None:
        return None if field.can_be_taken_away else stored
    if value == "" and field.name not in _NEEDED:
        return field.default
    if field.name == "schema":
        return SchemaDocument.of(value)
    if isinstance(value, list):
        # What is answered beside one's own may come back with it.
        laid = answered.get(field.name, ())
        return tuple(part for part in value if part not in laid)
    return value


def _foreign(field: Field, value: Any, kind: str, answered: Mapping[str, Any]) -> Iterator[Problem]:
    if value not in _ABSENT and value != answered.get(field.name):
        yield Problem(field.name, f"is not a field of type '{kind}'")


def _fixed(field: Field, value: Any, stored: Any) -> Iterator[Problem]:
    if value not in (None, "", stored):
        yield Problem(field.name, f"must be empty or '{stored}' but is '{value}'")


assert {field.attribute for field in FIELDS} == {field.name for field in fields(Draft)}
