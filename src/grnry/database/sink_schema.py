"""The schema `grnry` of a database that is not the platform's: made when a sink first writes there.

The role is whichever somebody gave us, and the database theirs: each thing that is missing is one
sentence with what to do.
"""

import logging
from importlib.resources import files

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from grnry.database.migrate import migrate, migrations
from grnry.database.prepare import OLDEST
from grnry.database.queries import Queries, load
from grnry.database.transaction import is_away
from grnry.errors import StartError

logger = logging.getLogger(__name__)

PACKAGE = "grnry.database.elsewhere"


def prepare_sink(connection: psycopg.Connection[DictRow]) -> None:
    """Bring the schema to this version's; raises StartError where that cannot be."""
    seen = connection.execute(_queries().look).fetchone()
    assert seen is not None
    if seen["is_read_only"]:
        raise psycopg.errors.ReadOnlySqlTransaction("the server takes no changes (a standby?)")
    if wrong := _what_is_wrong(seen):
        statement = _statement(connection, seen)
        raise StartError(wrong.format(**seen, oldest=OLDEST // 10000, statement=statement))
    if seen["is_superuser"]:
        logger.warning("The role %s is a superuser, which Granary does not need.", seen["role"])
    try:
        for migration in migrate(connection, known=migrations(files(PACKAGE))):
            logger.info("Applied migration %s to %s.", migration, seen["database"])
        rights = connection.execute(_queries().rights).fetchone()
        has_rights = rights is not None and rights["has_rights"]
    except psycopg.Error as error:
        if is_away(error):
            raise
        has_rights, said = False, f": {error.diag.message_primary}"
    else:
        said = ""
    if not has_rights:
        role = sql.Identifier(seen["role"]).as_string(connection)
        raise StartError(
            f"The role {role} may not use the schema grnry of the database {seen['database']}"
            f"{said}. Let its owner run: grant usage, create on schema grnry to {role};"
            f" grant all on all tables in schema grnry to {role};"
        )


def _what_is_wrong(seen: DictRow) -> str:
    if seen["is_granary"]:
        return (
            "The database {database} is the one of a Granary, which only that one writes."
            " Name another, or take spring.datasource.url out to write into the platform's own."
        )
    if seen["version"] < OLDEST:
        return "Granary needs PostgreSQL {oldest} or newer, and this is {version}."
    if seen["encoding"] != "UTF8":
        return "The database {database} is encoded as {encoding}, which not every event fits."
    is_made = seen["has_schema"] or seen["may_make_schemas"]
    if not (is_made and seen["may_make_temporary"]):
        return (
            "The role {role} may not make a schema, or no temporary tables, in the database"
            " {database}. Let its owner run: {statement};"
        )
    return ""


def _statement(connection: psycopg.Connection[DictRow], seen: DictRow) -> str:
    role, database = sql.Identifier(seen["role"]), sql.Identifier(seen["database"])
    return _queries().composed("grants", role=role, database=database).as_string(connection)


def _queries() -> Queries:
    return load("grnry.database", "sink_schema.sql")
