"""Tables that events are written to: what they have to be.

The platform's own is what migrations have made of it. One of a project, or of another database, is
looked at before it is written. A project's must be plain as well: a trigger, a rule, a default and
whatever else its owner can hang on a table runs with the rights of whoever writes it, and workers
write what all projects have.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from grnry.database.queries import Queries, load
from grnry.errors import GranaryError
from grnry.sinks.target import Connection

Name = tuple[str, str]
"""Schema and name."""

TEXT = ("varchar", "text")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "correlation_id": TEXT,
    "event_id": TEXT,
    "created": ("int8",),
    "message": ("jsonb",),
    "event_type": TEXT,
    "event_type_version": ("int4",),
    "event_harvester": TEXT,
    "partition_id": ("int8",),
    "partition_offset": ("int8",),
    "ttl": TEXT,
    "expires": ("int8",),
}
"""The columns by which events are kept, and what types each may have."""

KEY = ["correlation_id", "event_id", "event_type"]
_SHOWN = {"int8": "bigint", "int4": "integer"}
_CODE = {
    "is_partitioned": "partitions",
    "has_policies": "row-level security",
    "has_rules": "rules",
    "has_triggers": "triggers",
    "has_checks": "constraints other than keys",
    "has_expressions": "indexes on expressions or on some of its rows",
}


class Unfit(GranaryError):  # noqa: N818 - it names what the table is
    """The table is not one that events can be written to."""


def shown(name: Name) -> str:
    return ".".join(name)


def look(connection: Connection, name: Name) -> Mapping[str, Any]:
    """What the table is. Raises Unfit where there is none."""
    values = {"schema": name[0], "table": name[1]}
    found = connection.execute(queries().look, values).fetchone()
    if found is None:
        raise Unfit(f"There is no table {shown(name)}")
    return found


def expect_fit(found: Mapping[str, Any], name: Name) -> None:
    """Raise Unfit, with all that is wrong, unless events can be kept in it."""
    if wrong := list(_misfits(found)):
        raise Unfit(f"The table {shown(name)} cannot keep events: {'; '.join(wrong)}")


def expect_plain(found: Mapping[str, Any], name: Name, owner: str) -> None:
    """Raise Unfit unless the owner's it is, and nothing of it runs when it is written."""
    if found["owner"] != owner:
        raise Unfit(f"The table {shown(name)} belongs to {found['owner']}, and not to {owner}")
    if wrong := list(_code_of(found)):
        raise Unfit(
            f"The table {shown(name)} has {', '.join(wrong)}, which would run with the rights of"
            " workers. Keep the table plain, and such things in another that is filled from it"
        )


def _misfits(found: Mapping[str, Any]) -> Iterator[str]:
    if found["kind"] not in ("r", "p"):
        yield "it is no table"
        return
    there = {column["name"]: column for column in found["columns"]}
    for name, types in COLUMNS.items():
        wanted = " or ".join(_SHOWN.get(one, one) for one in types)
        if name not in there:
            yield f"it needs a column {name} ({wanted})"
        elif there[name]["type"] not in types:
            kind = _SHOWN.get(there[name]["type"], there[name]["type"])
            yield f"its column {name} must be {wanted} but is {kind}"
    for name in sorted(there.keys() - COLUMNS.keys()):
        if there[name]["is_needed"]:
            yield f"its column {name} must be nullable or have a default"
    if KEY not in found["keys"]:
        yield "it needs a key of event_type, correlation_id and event_id"
    if not found["may_write"]:
        yield "whoever writes it needs the rights select, insert and update on it"


def _code_of(found: Mapping[str, Any]) -> Iterator[str]:
    if found["kind"] != "r":
        yield "a kind that is not the one of a table"
    yield from (words for name, words in _CODE.items() if found[name])
    for column in sorted(found["columns"], key=lambda column: str(column["name"])):
        if not column["is_core"]:
            yield f"a column {column['name']} of a type of its own"
        if column["has_default"]:
            yield f"a column {column['name']} with a default"


def queries() -> Queries:
    return load("grnry.persisters", "tables.sql")
