"""Event types in the database: rows and versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Reading, Transaction
from grnry.event_types.model import Draft, EventType
from grnry.event_types.schema_documents import SchemaDocument


def add(
    transaction: Transaction,
    name: str,
    project: str,
    draft: Draft,
    author: Mapping[str, str],
) -> None:
    """Write the intent of a new one, with its first version."""
    transaction.run(
        _queries().add,
        name=name,
        project=project,
        type=draft.type,
        display_name=draft.display_name,
        description=draft.description,
        replication=draft.replication,
        partition_count=draft.partition_count,
        retention_ms=draft.retention_ms,
        topic_name=draft.kind.topic_of(name),
        author=Json(dict(author)),
    )
    add_version(transaction, name, 1, draft, author)


def add_version(
    transaction: Transaction, name: str, version: int, draft: Draft, author: Mapping[str, str]
) -> None:
    transaction.run(
        _queries().add_version,
        name=name,
        version=version,
        consumer=draft.consumer,
        eventstore_ttl=draft.eventstore_ttl,
        correlation_id_expression=draft.correlation_id_expression,
        event_id_expression=draft.event_id_expression,
        timestamp_expression=draft.timestamp_expression,
        deletion_expression=draft.deletion_expression,
        schema_document=draft.schema and draft.schema.text,
        schema_subject=draft.schema and draft.schema.subject,
        source=_json(draft.source),
        physical_locations=_json(draft.physical_locations),
        author=Json(dict(author)),
    )


def lock(transaction: Transaction, name: str, project: str) -> bool:
    """Nobody else changes or deletes it until the transaction ends; false where it is not there."""
    return transaction.row(_queries().lock, name=name, project=project) is not None


def change(
    transaction: Transaction, name: str, version: int, draft: Draft, author: Mapping[str, str]
) -> None:
    """Keep what all versions share, and which is the latest."""
    transaction.run(
        _queries().change,
        name=name,
        version=version,
        display_name=draft.display_name,
        description=draft.description,
        author=Json(dict(author)),
    )


def is_taken(reading: Reading, name: str) -> bool:
    return bool(reading.value(_queries().is_taken, name=name))


def is_deleting(transaction: Transaction, name: str) -> bool:
    return bool(transaction.value(_queries().is_deleting, name=name))


def owns_topic(transaction: Transaction, name: str, *, yes: bool) -> None:
    transaction.run(_queries().owns_topic, name=name, owns=yes)


def ready(transaction: Transaction, name: str) -> None:
    transaction.run(_queries().ready, name=name)


def deleting(transaction: Transaction, name: str) -> None:
    transaction.run(_queries().deleting, name=name)


def hold(transaction: Transaction, name: str) -> bool:
    """Hold it for as long as the transaction lasts; false where it is not there."""
    return transaction.row(_queries().hold, name=name) is not None


def give_up(transaction: Transaction, name: str) -> Mapping[str, Any] | None:
    """Its type and whether it owns its topic; none where it is ready, gone, or worked on."""
    return transaction.row(_queries().give_up, name=name)


def remove(transaction: Transaction, name: str) -> None:
    transaction.run(_queries().remove, name=name)


def unfinished(transaction: Transaction) -> list[str]:
    """What is half made or half deleted, and nobody works on."""
    return [row["name"] for row in transaction.rows(_queries().unfinished)]


def belongs_elsewhere(reading: Reading, name: str, project: str) -> bool:
    """Whether another project has left data under the name."""
    return bool(reading.value(_queries().belongs_elsewhere, name=name, project=project))


def keep_former(transaction: Transaction, name: str) -> None:
    """Remember whose its stored data is, and when that expires."""
    transaction.run(_queries().keep_former, name=name)


def forget_former(transaction: Transaction, name: str, kind: str) -> None:
    transaction.run(_queries().forget_former, name=name, type=kind)


def former_types(transaction: Transaction, name: str, project: str) -> list[str]:
    """What deleted ones of that name were whose data the project may have still."""
    rows = transaction.rows(_queries().former_types, name=name, project=project)
    return [row["type"] for row in rows]


def former_schemas(reading: Reading, name: str, kind: str) -> list[SchemaDocument]:
    """The versions of the schema that a deleted one had whose table is left, in their order."""
    found = reading.value(_queries().former_schemas, name=name, type=kind)
    return [SchemaDocument.parse(text) for text in found or ()]


def versions(reading: Reading, name: str, project: str | None) -> list[EventType]:
    rows = reading.rows(_queries().versions, name=name, project=project)
    return [EventType.from_row(row) for row in rows]


def version(
    reading: Reading, name: str, project: str | None, version: int | None
) -> EventType | None:
    """One version; the latest where none is named."""
    row = reading.row(_queries().version, name=name, project=project, version=version)
    return None if row is None else EventType.from_row(row)


def page(
    reading: Reading, project: str | None, search: str, limit: int, offset: int
) -> list[EventType]:
    rows = reading.planned_anew(
        _queries().composed("page", conditions=_conditions(project, search)),
        project=project,
        pattern=sql.containing(search),
        limit=limit,
        offset=offset,
    )
    return [EventType.from_row(row) for row in rows]


def count(reading: Reading, project: str | None, search: str) -> int:
    (row,) = reading.planned_anew(
        _queries().composed("count", conditions=_conditions(project, search)),
        project=project,
        pattern=sql.containing(search),
    )
    return int(row["count"])


def _conditions(project: str | None, search: str) -> sql.Composable:
    """Only what is asked for, as a condition that is always true keeps indexes from being used."""
    queries = _queries()
    asked = ((queries.of_project, project is not None), (queries.called, bool(search)))
    return sql.SQL(" ").join(condition for condition, is_asked in asked if is_asked)


def consumer_roles(reading: Reading, project: str) -> list[str]:
    rows = reading.rows(_queries().consumer_roles, project=project)
    return [row["consumer"] for row in rows]


def _json(value: Sequence[Any] | None) -> Json | None:
    return None if value is None else Json(list(value))


def _queries() -> Queries:
    return load("grnry.event_types")
