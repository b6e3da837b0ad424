"""The database role of a project, and the file that keeps its password for its owner only."""

import os
import secrets
from pathlib import Path

import msgspec

from grnry.database import sql
from grnry.database.passwords import verifier
from grnry.database.queries import Queries, load
from grnry.database.transaction import Transaction
from grnry.projects.database_space import make_space, role_of

__all__ = ["Credentials", "ensure_role", "file_of", "read", "role_of"]


class Credentials(msgspec.Struct, frozen=True):
    """How a project logs in to the database."""

    username: str
    password: str


def file_of(folder: Path, project: str) -> Path:
    return folder / f"{role_of(project)}.json"


def read(folder: Path, project: str) -> Credentials | None:
    try:
        return msgspec.json.decode(file_of(folder, project).read_bytes(), type=Credentials)
    except FileNotFoundError:
        return None


def ensure_role(transaction: Transaction, folder: Path, project: str) -> None:
    """Make the project's space in the database and its secret, where they are missing."""
    make_space(transaction, project)
    known = read(folder, project)
    if known is not None and transaction.value(_queries().may_log_in, role=role_of(project)):
        return
    known = Credentials(role_of(project), secrets.token_hex(24))
    secret = verifier(transaction.connection, known.username, known.password)
    names = {"role": sql.Identifier(known.username), "password": secret}
    transaction.run(_queries().composed("set_password", **names))
    _write(file_of(folder, project), known)


def _write(file: Path, credentials: Credentials) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(msgspec.json.encode(credentials))
        opened.flush()
        os.fsync(opened.fileno())
    new.rename(file)


def _queries() -> Queries:
    return load("grnry.projects", "credentials.sql")
