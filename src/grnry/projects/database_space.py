"""The place of a project in the database: a schema, and a role that can do no harm outside of it.

The schema and all that the platform makes in it are the platform's; the role sees the platform's
views in it and makes its own things beside them. The role cannot log in before it is given a
password (see `credentials`).

What a role sets for itself it can set anew. Time-outs are therefore defaults only, and the watchdog
ends who goes beyond (see `watchdog`); the number of connections and, where the server lets us, the
size of temporary files are limits.
"""

import logging
from dataclasses import dataclass

from grnry.database import sql
from grnry.database.queries import Queries, load
from grnry.database.transaction import StillNeeded, Transaction
from grnry.errors import GranaryError

logger = logging.getLogger(__name__)

PREFIX = "grnry_project_"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one project may use of the database."""

    connections: int = 20
    statement_seconds: int = 300
    idle_in_transaction_seconds: int = 60
    lock_seconds: int = 30
    transaction_seconds: int = 900
    """Ended by the watchdog, whatever the session has set for itself."""
    temporary_files: str = "5GB"
    """Enforced where the server lets the platform's role do so: from PostgreSQL 15 on."""


LIMITS = Limits()


class SpaceTaken(GranaryError):  # noqa: N818
    """The schema of that name belongs to somebody else."""


def role_of(project: str) -> str:
    return f"{PREFIX}{project}"


def make_space(transaction: Transaction, project: str, limits: Limits = LIMITS) -> None:
    """Make schema and role, or set right what is not as it should be."""
    queries, names = _queries(), _names(transaction, project)
    transaction.run(queries.be_alone)
    transaction.run(queries.composed("make_schema", **names))
    owner = transaction.row(queries.owner_of_schema, schema=project)
    if owner is None or not owner["is_ours"]:
        raise SpaceTaken(
            f"The schema '{project}' belongs to '{owner and owner['owner']}'."
            " Rename it, or choose another name for the project."
        )
    if not transaction.value(queries.role_exists, role=role_of(project)):
        transaction.run(queries.composed("make_role", **names))
    transaction.run(queries.composed("join_role", **names))
    for name in ("take_from_all", "grant_schema", "grant_database"):
        transaction.run(queries.composed(name, **names))
    _limit(transaction, names, project, limits)


def _limit(
    transaction: Transaction, names: dict[str, sql.Composable], project: str, limits: Limits
) -> None:
    queries = _queries()
    connections = sql.Literal(limits.connections)
    transaction.run(queries.composed("limit_role", connections=connections, **names))
    defaults = {
        "search_path": project,
        "statement_timeout": f"{limits.statement_seconds}s",
        "idle_in_transaction_session_timeout": f"{limits.idle_in_transaction_seconds}s",
        "lock_timeout": f"{limits.lock_seconds}s",
    }
    for setting, value in defaults.items():
        pair = {"setting": sql.Identifier(setting), "value": sql.Literal(value)}
        transaction.run(queries.composed("set_for_role", **pair, **names))
    version = transaction.connection.info.server_version
    if version >= 150000 and transaction.value(queries.may_limit_files):
        size = sql.Literal(limits.temporary_files)
        transaction.run(queries.composed("limit_files", value=size, **names))


def drop_space(transaction: Transaction, project: str) -> None:
    """Drop the schema with all that is in it, and the role with all that it has made.

    Its sessions are ended, and none begins while this transaction lasts.
    """
    queries, names = _queries(), _names(transaction, project)
    transaction.run(queries.be_alone)
    exists = transaction.value(queries.role_exists, role=role_of(project))
    if exists:
        transaction.run(queries.composed("join_role", **names))
        transaction.run(queries.composed("keep_out", **names))
        transaction.rows(queries.end_sessions, role=role_of(project))
    transaction.run(queries.composed("drop_schema", **names))
    if exists:
        transaction.run(queries.composed("drop_owned", **names))
        _drop_role(transaction, names, project)


def _drop_role(transaction: Transaction, names: dict[str, sql.Composable], project: str) -> None:
    try:
        with transaction.savepoint():
            transaction.run(_queries().composed("drop_role", **names))
    except StillNeeded:
        # It has things in another database of the server, which are not ours to drop.
        logger.warning("The role %s stays, locked: another database needs it.", role_of(project))


def _names(transaction: Transaction, project: str) -> dict[str, sql.Composable]:
    return {
        "schema": sql.Identifier(project),
        "role": sql.Identifier(role_of(project)),
        "role_name": sql.Literal(role_of(project)),
        "database": sql.Identifier(transaction.connection.info.dbname),
    }


def _queries() -> Queries:
    return load("grnry.projects", "database_space.sql")
