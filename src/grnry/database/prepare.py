"""Before the first request: wait for the database, see that it serves, make roles, migrate."""

import logging
import time
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from grnry.database.connection import SESSION
from grnry.database.migrate import be_alone, make_history, migrate
from grnry.database.queries import load
from grnry.database.transaction import is_away
from grnry.database.worker_role import ensure_worker_role
from grnry.errors import StartError

logger = logging.getLogger(__name__)

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.05
CONNECT_SECONDS = 3
OLDEST = 140000
# What a server says at once and for ever: waiting for it is no use.
_REFUSALS = ("password authentication failed", "pg_hba.conf", "does not exist", "no password")


def prepare_database(url: str, worker_url: str = "", wait_seconds: float = WAIT_SECONDS) -> None:
    """Wait for the database and bring it to where this version needs it."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            with psycopg.connect(
                url,
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=CONNECT_SECONDS,
                options=f"{conninfo_to_dict(url).get('options') or ''} {SESSION}".strip(),
            ) as connection:
                _prepare(connection, worker_url)
        except psycopg.Error as error:
            said = str(error).strip().splitlines()[0]
            if error.sqlstate is None and any(word in said for word in _REFUSALS):
                raise StartError(f"The database refuses GRNRY_DATABASE_URL: {said}.") from error
            if not is_away(error):
                raise
            if time.monotonic() > deadline:
                raise StartError(f"The database does not answer: {said}") from error
            time.sleep(LOOK_SECONDS)
        else:
            return


def _prepare(connection: psycopg.Connection[DictRow], worker_url: str) -> None:
    _expect_that_it_serves(connection)
    make_history(connection)
    with connection.transaction():
        be_alone(connection)
        ensure_worker_role(connection, worker_url)
    for migration in migrate(connection):
        logger.info("Applied migration %s.", migration)


def _expect_that_it_serves(connection: psycopg.Connection[DictRow]) -> None:
    queries = load("grnry.database", "prepare.sql")
    seen = connection.execute(queries.look).fetchone()
    if seen is None:
        raise StartError("The database has no schema 'public': let a DBA run: create schema public")
    if seen["is_read_only"]:
        # As what says so to a statement: a standby may become the primary while we wait.
        raise psycopg.errors.ReadOnlySqlTransaction("the server takes no changes (a standby?)")
    if seen["is_superuser"]:
        logger.warning("The role %s is a superuser, which Granary does not need.", seen["role"])
    if wrong := _what_is_wrong(seen):
        raise StartError(wrong.format(**seen, statement=_statement(connection, seen)))
    if seen["is_public_open"]:
        connection.execute(queries.close_public)


def _what_is_wrong(seen: dict[str, Any]) -> str:
    if seen["version"] < OLDEST:
        return "Granary needs PostgreSQL 14 or newer, but GRNRY_DATABASE_URL leads to {version}."
    if seen["encoding"] != "UTF8":
        return (
            "The database '{database}' is encoded as {encoding}, in which not every event can be"
            " kept. Make one with: create database … template template0 encoding 'UTF8'"
        )
    if not (seen["may_make_schemas"] and seen["may_use_public"]):
        return (
            "The role '{role}' may not make schemas in the database '{database}', or no tables in"
            " its schema 'public'. Let a DBA run, in that database: {statement}"
        )
    if seen["is_public_open"] and not seen["owns_public"]:
        return (
            "In the database '{database}' everybody may make tables in the schema 'public', and"
            " the role '{role}' may not forbid it. Let a DBA run, in that database: {statement}"
        )
    if not seen["may_make_roles"]:
        return (
            "The role '{role}' may not make roles, and each project needs one. Let a DBA run:"
            " {statement}"
        )
    return ""


def _statement(connection: psycopg.Connection[Any], seen: dict[str, Any]) -> str:
    """What a DBA has to run, whatever of it is missing."""
    role, database = sql.Identifier(seen["role"]), sql.Identifier(seen["database"])
    return (
        sql.SQL(
            "alter role {role} createrole; alter database {database} owner to {role};"
            " alter schema public owner to {role};"
        )
        .format(role=role, database=database)
        .as_string(connection)
    )
