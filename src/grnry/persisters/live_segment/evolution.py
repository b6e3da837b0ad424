"""The table of a live segment: made from its schema's versions, and changed with them.

Never written again: a new column is nullable, or has a constant default, which PostgreSQL keeps
beside the rows that are there.
"""

from collections.abc import Mapping, Sequence

import orjson

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.roles import WORKER_ROLE
from grnry.database.transaction import Transaction
from grnry.projects.credentials import role_of
from grnry.schemas import (
    AddColumn,
    Change,
    Column,
    ColumnType,
    Default,
    DropNotNull,
    JsonSchema,
    Table,
    changes,
    table_of,
)


def make_table(
    transaction: Transaction, project: str, name: str, versions: Sequence[JsonSchema]
) -> None:
    """Make it, for the project's role and the workers to write."""
    table = sql.Identifier(project, name)
    columns = sql.SQL(", ").join(map(_column, table_of(versions).columns))
    worker = sql.Identifier(WORKER_ROLE)
    transaction.run(_queries().composed("make_table", table=table, columns=columns))
    transaction.run(
        _queries().composed(
            "grant_table", table=table, role=sql.Identifier(role_of(project)), worker=worker
        )
    )
    transaction.run(
        _queries().composed("grant_schema", schema=sql.Identifier(project), worker=worker)
    )


def alter_table(
    transaction: Transaction, project: str, name: str, before: Table, after: Table
) -> None:
    """Bring it from some versions to more of them."""
    types = {column.name: column.type for column in after.columns}
    actions = [_action(change, types) for change in changes(before, after)]
    if actions:
        transaction.run(
            _queries().composed(
                "alter_table",
                table=sql.Identifier(project, name),
                actions=sql.SQL(", ").join(actions),
            )
        )


def drop_table(transaction: Transaction, project: str, name: str) -> None:
    transaction.run(_queries().composed("drop_table", table=sql.Identifier(project, name)))


def empty_table(transaction: Transaction, project: str, name: str) -> int:
    """Empty it; answers how many rows there were."""
    table = sql.Identifier(project, name)
    count = int(transaction.value(_queries().composed("count_rows", table=table)))
    transaction.run(_queries().composed("empty_table", table=table))
    return count


def _action(change: Change, types: Mapping[str, ColumnType]) -> sql.Composed:
    match change:
        case AddColumn(column):
            return sql.SQL("add column ") + _column(column)
        case DropNotNull(name):
            return sql.SQL("alter column {} drop not null").format(sql.Identifier(name))
    named = sql.Identifier(change.name)
    if change.default is None:
        return sql.SQL("alter column {} drop default").format(named)
    default = _literal(change.default, types[change.name])
    return sql.SQL("alter column {} set default {}").format(named, default)


def _column(column: Column) -> sql.Composed:
    parts = [sql.Identifier(column.name), sql.SQL(column.type.value)]
    if column.default is not None:
        parts += [sql.SQL("default"), _literal(column.default, column.type)]
    if not column.nullable:
        parts.append(sql.SQL("not null"))
    return sql.SQL(" ").join(parts)


def _literal(default: Default, of: ColumnType) -> sql.Composable:
    """As text, which the server reads as the column's type."""
    value = default.value
    if value is None:
        return sql.SQL("null")
    if of is ColumnType.BIGINT:
        return sql.Literal(int(value))  # a whole number may be written as 5.0
    if isinstance(value, str) and of is not ColumnType.JSONB:
        return sql.Literal(value)
    return sql.Literal(orjson.dumps(value).decode())


def _queries() -> Queries:
    return load("grnry.persisters.live_segment", "evolution.sql")
