"""Event types in the database: rows, versions, and the view on the event store."""

from collections.abc import Iterable, Mapping
from typing import Any

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Transaction
from grnry.event_types.model import Draft, EventType
from grnry.event_types.names import view_of
from grnry.projects.database_space import role_of


def add(
    transaction: Transaction,
    name: str,
    project: str,
    draft: Draft,
    topic: str,
    author: Mapping[str, str],
) -> None:
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
        topic_name=topic,
        author=Json(dict(author)),
    )
    transaction.run(
        _queries().add_version,
        name=name,
        consumer=draft.consumer,
        eventstore_ttl=draft.eventstore_ttl,
        correlation_id_expression=draft.correlation_id_expression,
        event_id_expression=draft.event_id_expression,
        timestamp_expression=draft.timestamp_expression,
        deletion_expression=draft.deletion_expression,
    )


def lock(transaction: Transaction, name: str) -> None:
    """Nobody else changes or deletes it until the transaction ends."""
    transaction.run(_queries().lock, name=name)


def is_taken(transaction: Transaction, name: str) -> bool:
    return bool(transaction.value(_queries().is_taken, name=name))


def owns_topic(transaction: Transaction, name: str, *, yes: bool) -> None:
    transaction.run(_queries().owns_topic, name=name, owns=yes)


def ready(transaction: Transaction, name: str) -> None:
    transaction.run(_queries().ready, name=name)


def deleting(transaction: Transaction, name: str) -> None:
    transaction.run(_queries().deleting, name=name)


def give_up(transaction: Transaction, name: str) -> bool | None:
    """Whether it owns its topic; none where it is ready, or gone."""
    row = transaction.row(_queries().give_up, name=name)
    return None if row is None else bool(row["owns_topic"])


def remove(transaction: Transaction, name: str) -> None:
    transaction.run(_queries().remove, name=name)


def unfinished(transaction: Transaction) -> Iterable[Mapping[str, Any]]:
    return transaction.rows(_queries().unfinished)


def versions(transaction: Transaction, name: str, project: str | None) -> list[EventType]:
    rows = transaction.rows(_queries().versions, name=name, project=project)
    return [EventType.from_row(row) for row in rows]


def page(
    transaction: Transaction, project: str | None, search: str, limit: int, offset: int
) -> list[EventType]:
    rows = transaction.planned_anew(
        _queries().composed("page", conditions=_conditions(project, search)),
        project=project,
        pattern=sql.containing(search),
        limit=limit,
        offset=offset,
    )
    return [EventType.from_row(row) for row in rows]


def count(transaction: Transaction, project: str | None, search: str) -> int:
    (row,) = transaction.planned_anew(
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


def consumer_roles(transaction: Transaction, project: str) -> list[str]:
    rows = transaction.rows(_queries().consumer_roles, project=project)
    return [row["consumer"] for row in rows]


def make_view(transaction: Transaction, name: str, project: str) -> None:
    names = {
        "view": sql.Identifier(project, view_of(name)),
        "name": sql.Literal(name),
        "role": sql.Identifier(role_of(project)),
    }
    transaction.run(_queries().composed("make_view", **names))
    transaction.run(_queries().composed("grant_view", **names))


def is_view_name_taken(transaction: Transaction, name: str, project: str) -> bool:
    """Whether the project has a table or view of its own by the name of the event type's view."""
    found = transaction.value(_queries().relation_exists, project=project, view=view_of(name))
    return bool(found)


def built_on_view(transaction: Transaction, name: str, project: str) -> list[str]:
    """What the project has built on the event type's view."""
    found = transaction.rows(_queries().built_on_view, project=project, view=view_of(name))
    return [row["name"] for row in found]


def drop_view(transaction: Transaction, name: str, project: str) -> None:
    view = sql.Identifier(project, view_of(name))
    transaction.run(_queries().composed("drop_view", view=view))


def _queries() -> Queries:
    return load("grnry.event_types")
