"""The role of a project: made once, its secret readable by its owner only."""

from pathlib import Path

import psycopg
import pytest

from grnry.database.pool import Database
from grnry.projects.credentials import Credentials, ensure_role, file_of, read, role_of
from tests.conftest import Postgres


def made(database: Database, folder: Path) -> Credentials:
    with database.transaction() as transaction:
        ensure_role(transaction, folder, "global")
    found = read(folder, "global")
    assert found
    return found


def log_in(postgres: Postgres, name: str, credentials: Credentials) -> psycopg.Connection:
    url = postgres.url(name, credentials.username).replace("for-tests", credentials.password)
    return psycopg.connect(url, autocommit=True)


def test_a_role_its_rights_and_its_secret(
    database: Database, database_name: str, postgres: Postgres, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    assert read(folder, "global") is None
    first = made(database, folder)
    assert first.username == role_of("global") == "grnry_project_global"
    assert file_of(folder, "global").stat().st_mode & 0o777 == 0o600
    assert made(database, folder) == first
    file_of(folder, "global").unlink()
    second = made(database, folder)
    assert second.password != first.password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(postgres, database_name, first)
    with log_in(postgres, database_name, second) as connection:
        connection.execute("create table global.mine (i int)")
        for statement in (
            "select * from public.eventstore",
            "select * from grnry.users",
            "create table public.mine (i int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
