"""The table of a live segment over all versions of its schema, and what has to change in it.

Columns stay when their property goes, so the table is that of all versions together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grnry.schemas.columns import KEY, Column, Default, columns_of
from grnry.schemas.document import JsonSchema


@dataclass(frozen=True, slots=True)
class Table:
    """The columns, the key first; `current` are those that the latest version has."""

    columns: tuple[Column, ...]
    current: frozenset[str]
    key: str = KEY


@dataclass(frozen=True, slots=True)
class AddColumn:
    """A new column: nullable, or with a default, so that no row has to be written again."""

    column: Column


@dataclass(frozen=True, slots=True)
class DropNotNull:
    """The column may be null from now on."""

    name: str


@dataclass(frozen=True, slots=True)
class SetDefault:
    """The column's default for rows to come; None where it has none any more."""

    name: str
    default: Default | None


Change = AddColumn | DropNotNull | SetDefault


def table_of(versions: Sequence[JsonSchema]) -> Table:
    """The table that holds the records of all versions; they are compatible, in their order."""
    columns: dict[str, Column] = {}
    current: frozenset[str] = frozenset()
    for number, schema in enumerate(versions):
        own = {column.name: column for column in columns_of(schema)}
        for name in columns.keys() - own.keys():
            columns[name] = replace(columns[name], nullable=True, default=None)
        for name, column in own.items():
            columns[name] = _merged(columns.get(name), column, first=number == 0)
        current = frozenset(own)
    return Table(tuple(columns.values()), current)


def _merged(before: Column | None, now: Column, *, first: bool) -> Column:
    """The column as all versions need it.

    It stays nullable where it was, as rows may be null, and so is one that is added without a
    value for the rows that are there.
    """
    if first or now.name == KEY:
        return now
    nullable = now.nullable
    if before is not None:
        nullable = nullable or before.nullable
    elif now.default is None or now.default.value is None:
        nullable = True
    return replace(now, nullable=nullable)


def changes(before: Table, after: Table) -> tuple[Change, ...]:
    """What makes the one table the other; a type never changes between compatible versions."""
    known = {column.name: column for column in before.columns}
    found: list[Change] = []
    for column in after.columns:
        was = known.get(column.name)
        if was is None:
            found.append(AddColumn(column))
            continue
        assert was.type is column.type, f"the type of column {column.name} can not change"
        if column.nullable and not was.nullable:
            found.append(DropNotNull(column.name))
        if column.default != was.default:
            found.append(SetDefault(column.name, column.default))
    return tuple(found)
