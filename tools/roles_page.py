"""Writes the tables of `docs/reference/roles.md`, made of the one table that decides.

`python -m tools.roles_page` writes them anew; a test holds the page to them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grnry.control_plane import ControlPlane
from grnry.identity.access import PROJECT, TABLE, Permission
from grnry.settings import Settings

PAGE = Path(__file__).parent.parent / "docs/reference/roles.md"
METHODS = ("get", "post", "put", "delete")


def permissions() -> str:
    """Who may do what."""
    rows = [(each.meaning, _where(each), _roles(each)) for each in TABLE if each.client]
    return _table(("what", "client", "any of the roles"), rows)


def operations(described: Mapping[str, Any]) -> str:
    """What each operation of the machine-readable contract needs."""
    rows = [
        (f"`{method.upper()} {path}`", _where(permission), _roles(permission))
        for path, method, permission in sorted(_operations(described), key=lambda each: each[:2])
    ]
    return _table(("operation", "client", "any of the roles"), rows)


def _operations(described: Mapping[str, Any]) -> Iterator[tuple[str, str, Permission]]:
    by_name = {permission.name: permission for permission in TABLE}
    for path, item in described["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, by_name[item[method]["x-permission"]]


def _where(permission: Permission) -> str:
    if permission.client == PROJECT:
        return "the project"
    return f"`{permission.client}`" if permission.client else ""


def _roles(permission: Permission) -> str:
    if not permission.needs_token:
        return "without a token"
    return ", ".join(f"`{role}`" for role in permission.roles) or "any valid token"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def written(page: str, described: Mapping[str, Any]) -> str:
    """The page with its two tables as they should be."""
    tables = iter((permissions(), operations(described)))
    return re.sub(r"(?m)(^\|.*\n)+", lambda _: next(tables) + "\n", page)


def contract() -> Mapping[str, Any]:
    """The machine-readable contract of an API that nobody has started."""
    nowhere = "127.0.0.1:1"
    settings = Settings(database_url=f"postgresql://{nowhere}/none", kafka_bootstrap=nowhere)
    plane = ControlPlane(settings, "http://127.0.0.1")
    described: Mapping[str, Any] = plane.app().openapi()
    plane.producer.close()
    plane.database.close()
    return described


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), contract()))
