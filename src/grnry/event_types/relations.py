"""What an event type has in the schema of its project: a view on a store, or a table of its own."""

from collections.abc import Sequence

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Reading, Transaction
from grnry.event_types.kinds import DATA_IN, KINDS, LIVE_SEGMENT, PROFILE
from grnry.event_types.schema_documents import SchemaDocument
from grnry.persisters.live_segment import evolution
from grnry.projects.credentials import role_of
from grnry.schemas import table_of

_VIEWS = {DATA_IN: "make_event_view", PROFILE: "make_profile_view"}
_PURGES = {DATA_IN: "purge_events", PROFILE: "purge_grains"}
_TESTS = {DATA_IN: "has_events", PROFILE: "has_grains"}


def make(
    transaction: Transaction,
    kind: str,
    name: str,
    project: str,
    schemas: Sequence[SchemaDocument],
) -> None:
    """Make it, and let the project's role use it.

    `schemas` are those of a live segment; more than one where a table that is left is taken up.
    """
    relation = KINDS[kind].relation_of(name)
    if relation is None:
        return
    if kind == LIVE_SEGMENT:
        if schemas[1:]:
            change(transaction, name, project, schemas)
        else:
            evolution.make_table(transaction, project, relation, [schemas[0].schema])
        return
    names = {
        "view": sql.Identifier(project, relation),
        "name": sql.Literal(name),
        "role": sql.Identifier(role_of(project)),
    }
    transaction.run(_queries().composed(_VIEWS[kind], **names))
    transaction.run(_queries().composed("grant_view", **names))


def change(
    transaction: Transaction, name: str, project: str, schemas: Sequence[SchemaDocument]
) -> None:
    """Bring a live segment's table to the last of the schemas, of which it has all the others."""
    relation = KINDS[LIVE_SEGMENT].relation_of(name) or ""
    versions = [document.schema for document in schemas]
    evolution.alter_table(
        transaction, project, relation, table_of(versions[:-1]), table_of(versions)
    )


def is_taken(reading: Reading, kind: str, name: str, project: str) -> bool:
    """Whether the project has a table or view of its own by the name of this one."""
    relation = KINDS[kind].relation_of(name)
    if relation is None:
        return False
    return bool(reading.value(_queries().relation_exists, project=project, relation=relation))


def built_on(transaction: Transaction, kind: str, name: str, project: str) -> list[str]:
    """What the project has built on it."""
    relation = KINDS[kind].relation_of(name)
    if relation is None:
        return []
    found = transaction.rows(_queries().built_on_view, project=project, relation=relation)
    return [row["name"] for row in found]


def drop_view(transaction: Transaction, kind: str, name: str, project: str) -> None:
    """Drop its view; a table stays, as what is stored does."""
    if kind in _VIEWS:
        view = sql.Identifier(project, KINDS[kind].relation_of(name) or "")
        transaction.run(_queries().composed("drop_view", view=view))


def has_data(transaction: Transaction, kind: str, name: str) -> bool:
    """Whether anything may be stored of it."""
    if kind in _TESTS:
        return bool(transaction.value(getattr(_queries(), _TESTS[kind]), name=name))
    return kind == LIVE_SEGMENT


def purge(transaction: Transaction, kind: str, name: str, limit: int) -> int:
    """Delete so much of what is in a store of it at most; answers how much there was."""
    if kind not in _PURGES:
        return 0
    return transaction.run(getattr(_queries(), _PURGES[kind]), name=name, limit=limit)


def purge_table(transaction: Transaction, name: str, project: str, *, drop: bool) -> int:
    """Empty a live segment's table, or drop it; answers how many rows there were."""
    relation = KINDS[LIVE_SEGMENT].relation_of(name) or ""
    count = evolution.empty_table(transaction, project, relation)
    if drop:
        evolution.drop_table(transaction, project, relation)
    return count


def _queries() -> Queries:
    return load("grnry.event_types", "relations.sql")
