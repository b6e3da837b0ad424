"""Projects and their members in the database."""

from collections.abc import Mapping, Sequence

from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Reading, Transaction
from grnry.identity.model import DATA_OWNER
from grnry.projects.database_space import role_of
from grnry.projects.model import Draft, Member, Project


def lock(transaction: Transaction) -> None:
    transaction.run(_queries().lock)


def is_taken(reading: Reading, name: str) -> bool:
    return bool(reading.value(_queries().is_taken, name=name, role=role_of(name)))


def add(transaction: Transaction, name: str, draft: Draft, author: Mapping[str, str]) -> None:
    transaction.run(
        _queries().add,
        name=name,
        display_name=draft.display_name,
        description=draft.description,
        author=Json(dict(author)),
    )


def find(reading: Reading, name: str, *, for_change: bool = False) -> Project | None:
    """`for_change` keeps others from changing it, or its members, until the transaction's end."""
    query = _queries().find_for_change if for_change else _queries().find
    row = reading.row(query, name=name)
    return Project.from_row(row) if row else None


def change(transaction: Transaction, name: str, draft: Draft, author: Mapping[str, str]) -> None:
    transaction.run(
        _queries().change,
        name=name,
        display_name=draft.display_name,
        description=draft.description,
        author=Json(dict(author)),
    )


def exists(reading: Reading, name: str) -> bool:
    return bool(reading.value(_queries().exists, name=name))


def names(reading: Reading) -> list[str]:
    return [row["name"] for row in reading.rows(_queries().names)]


def page(reading: Reading, among: Sequence[str], limit: int, offset: int) -> list[Project]:
    rows = reading.rows(_queries().page, names=list(among), limit=limit, offset=offset)
    return [Project.from_row(row) for row in rows]


def count(reading: Reading, among: Sequence[str]) -> int:
    return int(reading.value(_queries().count, names=list(among)))


def members(reading: Reading, project: str, limit: int, offset: int) -> list[Member]:
    rows = reading.rows(_queries().members, project=project, limit=limit, offset=offset)
    return [Member.from_row(row) for row in rows]


def count_members(reading: Reading, project: str) -> int:
    return int(reading.value(_queries().count_members, project=project))


def member(reading: Reading, project: str, user_id: str) -> Member | None:
    """Any user, with the roles they have in the project, which may be none."""
    row = reading.row(_queries().member, project=project, id=user_id)
    return Member.from_row(row) if row else None


def take_roles(transaction: Transaction, project: str, user_id: str) -> None:
    transaction.run(_queries().take_roles, project=project, id=user_id)


def has_other_owners(reading: Reading, project: str, user_id: str) -> bool:
    values = {"project": project, "id": user_id, "role": DATA_OWNER}
    return bool(reading.value(_queries().other_owners, **values))


def _queries() -> Queries:
    return load("grnry.projects")
