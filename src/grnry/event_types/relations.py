"""The view that an event type lays on a store, in the schema of its project."""

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Transaction
from grnry.event_types.kinds import DATA_IN, KINDS, PROFILE
from grnry.projects.credentials import role_of

_VIEWS = {DATA_IN: "make_event_view", PROFILE: "make_profile_view"}
_PURGES = {DATA_IN: "purge_events", PROFILE: "purge_grains"}


def make(transaction: Transaction, kind: str, name: str, project: str) -> None:
    """Make its view, and let the project's role read it."""
    relation = KINDS[kind].relation_of(name)
    if relation is None:
        return
    names = {
        "view": sql.Identifier(project, relation),
        "name": sql.Literal(name),
        "role": sql.Identifier(role_of(project)),
    }
    transaction.run(_queries().composed(_VIEWS[kind], **names))
    transaction.run(_queries().composed("grant_view", **names))


def is_taken(transaction: Transaction, kind: str, name: str, project: str) -> bool:
    """Whether the project has a table or view of its own by the name of this one."""
    relation = KINDS[kind].relation_of(name)
    if relation is None:
        return False
    return bool(transaction.value(_queries().relation_exists, project=project, relation=relation))


def built_on(transaction: Transaction, kind: str, name: str, project: str) -> list[str]:
    """What the project has built on it."""
    relation = KINDS[kind].relation_of(name)
    if relation is None:
        return []
    found = transaction.rows(_queries().built_on_view, project=project, relation=relation)
    return [row["name"] for row in found]


def drop(transaction: Transaction, kind: str, name: str, project: str) -> None:
    if relation := KINDS[kind].relation_of(name):
        view = sql.Identifier(project, relation)
        transaction.run(_queries().composed("drop_view", view=view))


def purge(transaction: Transaction, kind: str, name: str, limit: int) -> int:
    """Delete so much of what is stored of it at most; answers how much there was."""
    statement = _PURGES.get(kind)
    if statement is None:
        return 0
    return transaction.run(getattr(_queries(), statement), name=name, limit=limit)


def _queries() -> Queries:
    return load("grnry.event_types", "relations.sql")
