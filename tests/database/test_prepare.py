"""A database of somebody else's: what the guide tells a DBA is enough, and what lacks is said."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from grnry.database.migrate import make_history, migrate
from grnry.database.prepare import prepare_database
from grnry.database.worker_role import ensure_worker_role
from grnry.errors import StartError
from tests.conftest import PASSWORD, Postgres, free_port
from tests.servers import OutsideServer

Server = Postgres | OutsideServer


@pytest.fixture
def name(server: Server) -> Iterator[str]:
    made = server.make_database()
    yield made
    server.drop_database(made)


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    made = server.make_empty_database()
    yield made
    server.drop_database(made)


def platform(server: Server, name: str) -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(server.url(name), autocommit=True, row_factory=dict_row)


# The platform ----------------------------------------------------------------------------------


def test_the_platforms_role_is_no_superuser(server: Server, name: str) -> None:
    with platform(server, name) as connection:
        row = connection.execute("select rolsuper from pg_roles where rolname = current_user")
        assert row.fetchone() == {"rolsuper": False}


def test_preparing_again_changes_nothing(server: Server, empty: str) -> None:
    urls = server.url(empty), server.url(empty, "grnry_worker")
    prepare_database(*urls)
    prepare_database(*urls)
    with platform(server, empty) as connection:
        assert migrate(connection) == []


def only_outside(server: Server) -> OutsideServer:
    if isinstance(server, Postgres):
        pytest.skip("the superuser of the embedded one logs in from nowhere")
    return server


def test_a_database_that_no_dba_has_prepared_is_refused_with_the_statement(server: Server) -> None:
    outside = only_outside(server)
    outside.run("create database {}", "unprepared")
    try:
        with pytest.raises(StartError, match="may not make schemas") as caught:
            prepare_database(outside.url("unprepared"))
        found = re.search("in that database: (.*)", caught.value.message)
        assert found
        with outside.superuser("unprepared") as dba:
            dba.execute(found[1].encode())
        prepare_database(outside.url("unprepared"))
    finally:
        outside.drop_database("unprepared")


def test_a_schema_that_everybody_may_write_to_is_closed_or_refused(server: Server) -> None:
    outside = only_outside(server)
    outside.run("create database {} owner grnry", "open_to_all")
    try:
        with outside.superuser("open_to_all") as dba:
            dba.execute("alter schema public owner to postgres")
            dba.execute("grant create on schema public to public")
        with pytest.raises(StartError, match="everybody may make tables"):
            prepare_database(outside.url("open_to_all"))
        with outside.superuser("open_to_all") as dba:
            dba.execute("alter schema public owner to grnry")
        prepare_database(outside.url("open_to_all"))
        with outside.superuser("open_to_all") as dba:
            row = dba.execute(
                "select has_schema_privilege('grnry_worker', 'public', 'create')"
            ).fetchone()
        assert row == (False,)
    finally:
        outside.drop_database("open_to_all")


def test_another_encoding_is_refused(server: Server) -> None:
    outside = only_outside(server)
    outside.run("create database {} owner grnry template template0 encoding 'LATIN1'", "latin")
    try:
        with pytest.raises(StartError, match="encoded as LATIN1"):
            prepare_database(outside.url("latin"))
    finally:
        outside.drop_database("latin")


def test_a_wrong_password_is_said_at_once(server: Server, name: str) -> None:
    with pytest.raises(StartError, match=r"refuses GRNRY_DATABASE_URL.*password authentication"):
        prepare_database(make_conninfo(server.url(name), password="wrong"))


def test_what_stays_away_is_said_in_the_end() -> None:
    with pytest.raises(StartError, match="does not answer"):
        prepare_database(f"postgresql://a@127.0.0.1:{free_port()}/none", wait_seconds=0.2)


# The role of workers ---------------------------------------------------------------------------

WRITER = "a-writer"


@pytest.fixture
def writer(server: Server, name: str) -> Iterator[str]:
    """An address of workers whose role is not there."""
    yield make_conninfo(server.url(name), user=WRITER, password=PASSWORD)
    with platform(server, name) as connection:
        drop = sql.SQL("drop owned by {role}; drop role {role}").format(role=sql.Identifier(WRITER))
        if connection.execute("select 1 from pg_roles where rolname = %s", (WRITER,)).fetchone():
            if server.version >= 16:
                connection.execute(
                    sql.SQL("grant {} to current_user with inherit true").format(
                        sql.Identifier(WRITER)
                    )
                )
            else:
                connection.execute(
                    sql.SQL("grant {} to current_user").format(sql.Identifier(WRITER))
                )
            connection.execute(drop)


def ensure(server: Server, name: str, url: str) -> None:
    with platform(server, name) as connection:
        make_history(connection)
        with connection.transaction():
            ensure_worker_role(connection, url)


def can_write(url: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select has_table_privilege('public.eventstore', 'insert')")
        return row.fetchone() == (True,)


def test_a_role_that_is_not_there_is_made_with_the_rights_of_workers(
    server: Server, name: str, writer: str
) -> None:
    with pytest.raises(psycopg.OperationalError):
        can_write(writer)
    ensure(server, name, writer)
    assert can_write(writer)
    ensure(server, name, writer)
    assert can_write(writer)


def test_another_password_is_taken_over(server: Server, name: str, writer: str) -> None:
    ensure(server, name, writer)
    changed = make_conninfo(writer, password="changed")
    ensure(server, name, changed)
    assert can_write(changed)
    with pytest.raises(psycopg.OperationalError):
        can_write(writer)


def test_what_only_a_dba_may_do_is_said_with_the_statement(server: Server, name: str) -> None:
    outside = only_outside(server)
    outside.run("create role {} login password 'other'", "theirs")
    url = make_conninfo(server.url(name), user="theirs", password=PASSWORD)
    outside.run("alter role {} nocreaterole", "grnry")
    try:
        if outside.version < 16:  # from then on, who administers a role may grant it
            with pytest.raises(StartError) as caught:
                ensure(server, name, url)
            said = caught.value.message
            assert said.startswith("The role 'theirs' ")
            assert said.endswith('Let a DBA run: grant "grnry_worker" to "theirs";')
            outside.run("grant grnry_worker to {}", "theirs")
        with pytest.raises(StartError, match=r"has another password.*alter role .theirs. login"):
            ensure(server, name, url)
    finally:
        outside.run("alter role {} createrole", "grnry")
        outside.run("drop owned by {0}; drop role {0}", "theirs")


@pytest.mark.parametrize(
    "statement",
    [
        "select * from grnry.users",
        "select * from grnry.signing_keys",
        "select * from grnry.clients",
        "select * from grnry.user_roles",
        "select * from grnry.deployments",
        "select * from grnry.migrations",
        "update grnry.leaders set backend_pid = 0",
        "lock table grnry.migrations in access share mode",
        "delete from grnry.leases",
        "truncate grnry.leases",
        "update grnry.dead_letters set reason = ''",
        "delete from grnry.dead_letters",
        "delete from public.eventstore",
        "truncate public.eventstore",
        "drop table public.eventstore",
        "alter table public.eventstore add column mine int",
        "create index mine on public.eventstore (created)",
        "create rule mine as on insert to public.eventstore do instead nothing",
        "create table public.mine (i int)",
        "create table grnry.mine (i int)",
        "create table global.mine (i int)",
        "create function public.lower(text) returns text language sql as 'select $1'",
        "create schema mine",
        "create role mine",
        "create extension dblink",
        "set role grnry",
        "set session authorization grnry",
        "copy (select 1) to program 'true'",
        "select pg_read_file('PG_VERSION')",
    ],
)
def test_a_worker_may_not(server: Server, name: str, statement: str) -> None:
    with (
        psycopg.connect(server.url(name, "grnry_worker")) as worker,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        worker.execute(statement.encode())
