"""The role that workers write as: made and kept in step with `GRNRY_WORKER_DATABASE_URL`.

Its rights belong to the role `grnry_worker`, which migrations grant them to. A worker that logs in
by another name is a member of it.
"""

import logging
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from grnry.database.passwords import verifier
from grnry.database.queries import load
from grnry.database.roles import WORKER_ROLE
from grnry.errors import StartError

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3
# Of a server that has looked at the role and does not take it as it is.
_NOT_AS_IT_IS = ("authentication failed", "not permitted to log in", "does not exist")
_WHY = {
    "make_role": "is not there",
    "set_password": "has another password than GRNRY_WORKER_DATABASE_URL",
    "grant_rights": f"has not the rights of {WORKER_ROLE}",
    "grant_database": "may not connect to the database",
}


def ensure_worker_role(connection: psycopg.Connection[DictRow], worker_url: str) -> None:
    """Make the role, its membership and its password what the address says.

    Within a transaction of a caller who is alone: a server refuses two changes of one role at once.
    """
    wanted = conninfo_to_dict(worker_url) if worker_url else {}
    name = str(wanted.get("user") or WORKER_ROLE)
    is_made = _ensure(connection, WORKER_ROLE)
    # Where workers log in as the platform's role, there is nothing else to make.
    if name == connection.info.user:
        return
    if name != WORKER_ROLE:
        is_made = _ensure(connection, name)
    password = str(wanted.get("password") or "")
    if password and (is_made or _is_refused(worker_url)):
        _do(connection, "set_password", name, password=verifier(connection, name, password))


def _ensure(connection: psycopg.Connection[DictRow], name: str) -> bool:
    """Whether the role had to be made."""
    found = _find(connection, name)
    is_made = found is None
    if found is None:
        _do(connection, "make_role", name)
        found = _find(connection, name)
    assert found is not None
    if not found["has_rights"]:
        _do(connection, "grant_rights", name, rights=sql.Identifier(WORKER_ROLE))
    if not found["may_connect"]:
        database = sql.Identifier(connection.info.dbname)
        _do(connection, "grant_database", name, database=database)
        # The server only warns where somebody grants what is not theirs to grant.
        if not (_find(connection, name) or found)["may_connect"]:
            raise _left_to_a_dba(connection, "grant_database", name, database=database)
    return is_made


def _find(connection: psycopg.Connection[DictRow], name: str) -> dict[str, Any] | None:
    find = load("grnry.database", "prepare.sql").find_role
    return connection.execute(find, {"role": name, "rights": WORKER_ROLE}).fetchone()


def _is_refused(worker_url: str) -> bool:
    """Whether the server looks at the role and does not let it in.

    Workers may come from elsewhere, so anything else that goes wrong here says nothing about it.
    """
    try:
        psycopg.connect(worker_url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[0]
        if any(words in said for words in _NOT_AS_IT_IS):
            return True
        logger.warning("The address of workers could not be tried from here: %s", said)
    return False


def _do(
    connection: psycopg.Connection[DictRow], name: str, role: str, **parts: sql.Composable
) -> None:
    queries = load("grnry.database", "prepare.sql")
    try:
        connection.execute(queries.composed(name, role=sql.Identifier(role), **parts))
    except psycopg.errors.InsufficientPrivilege as error:
        raise _left_to_a_dba(connection, name, role, **parts) from error


def _left_to_a_dba(
    connection: psycopg.Connection[DictRow], name: str, role: str, **parts: sql.Composable
) -> StartError:
    """One sentence and the statement; a password is for them to fill in."""
    shown = {**parts, "password": sql.Literal("…")} if "password" in parts else parts
    queries = load("grnry.database", "prepare.sql")
    statement = queries.composed(name, role=sql.Identifier(role), **shown).as_string(connection)
    return StartError(
        f"The role '{role}' {_WHY[name]}, and '{connection.info.user}' may not change that."
        f" Let a DBA run: {statement};"
    )
