"""The database role of a project, and the file that keeps its password for its owner only."""

import os
import secrets
from pathlib import Path

import msgspec

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import Transaction


class Credentials(msgspec.Struct, frozen=True):
    """How a project logs in to the database."""

    username: str
    password: str


def role_of(project: str) -> str:
    return f"grnry_project_{project}"


def file_of(folder: Path, project: str) -> Path:
    return folder / f"{role_of(project)}.json"


def read(folder: Path, project: str) -> Credentials | None:
    try:
        return msgspec.json.decode(file_of(folder, project).read_bytes(), type=Credentials)
    except FileNotFoundError:
        return None


def ensure_role(transaction: Transaction, folder: Path, project: str) -> None:
    """Make the project's role, its rights on its schema, and its secret, where they are missing."""
    known = read(folder, project)
    exists = transaction.value(_queries().role_exists, role=role_of(project))
    if known is None or not exists:
        known = Credentials(role_of(project), secrets.token_hex(24))
        role = sql.Identifier(known.username)
        password = sql.Literal(known.password)
        name = "set_password" if exists else "make_role"
        transaction.run(_queries().composed(name, role=role, password=password))
        _write(file_of(folder, project), known)
    names = {
        "role": sql.Identifier(role_of(project)),
        "schema": sql.Identifier(project),
        "database": sql.Identifier(transaction.connection.info.dbname),
    }
    for name in ("grant_connect", "grant_schema"):
        transaction.run(_queries().composed(name, **names))


def _write(file: Path, credentials: Credentials) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(msgspec.json.encode(credentials))
    new.rename(file)


def _queries() -> Queries:
    return load("grnry.projects", "credentials.sql")
