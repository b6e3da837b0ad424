"""What the role of a project tries, and must not do. Each of these is run on every server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql

from grnry.database.connection import connect
from grnry.database.migrate import Migration, migrate, migrations
from grnry.deployments.processes import Processes
from grnry.deployments.reconciler import Reconciler
from grnry.event_types import relations
from grnry.event_types.kinds import DATA_IN
from grnry.projects.database_space import Limits, drop_space, make_space, role_of
from grnry.projects.watchdog import Watchdog
from tests.conftest import wait_for
from tests.projects.conftest import LIMITS, Arena, Connection

# Whoever takes the defence away sees the statement succeed, or fail for another reason.
FORBIDDEN = [
    # what is others'
    "select * from public.eventstore",
    "select count(*) from public.eventstore",
    "select * from south.eventstore_fish",
    "select * from grnry.users",
    "select * from grnry.signing_keys",
    "select * from grnry.clients",
    "select * from grnry.leases",
    "select * from grnry.dead_letters",
    "select * from grnry.migrations",
    "select rolpassword from pg_catalog.pg_authid",
    "select * from pg_catalog.pg_statistic",
    "select * from pg_catalog.pg_largeobject",
    # what is the platform's, to be read only
    "insert into north.eventstore_birds (correlation_id, event_id) values ('a', 'b')",
    "update north.eventstore_birds set message = null",
    "delete from north.eventstore_birds",
    "truncate public.eventstore",
    "begin; lock table north.eventstore_birds in access exclusive mode",
    "begin; lock table public.eventstore in access share mode",
    "begin; lock table grnry.migrations in access share mode",
    "begin; lock table grnry.leaders in access share mode",
    "drop view north.eventstore_birds",
    "drop view north.eventstore_birds cascade",
    "alter view north.eventstore_birds rename to mine",
    "alter view north.eventstore_birds set schema pg_temp",
    "alter view north.eventstore_birds reset (security_barrier)",
    "alter view north.eventstore_birds owner to current_user",
    "create or replace view north.eventstore_birds as select 1 as one",
    "create rule mine as on insert to north.eventstore_birds do instead nothing",
    "comment on view north.eventstore_birds is 'mine'",
    "drop table public.eventstore",
    "alter table public.eventstore disable trigger all",
    "create index mine on public.eventstore (created)",
    "reindex table public.eventstore",
    "analyze public.eventstore",
    "vacuum public.eventstore",
    "drop schema north",
    "alter schema north rename to mine",
    "alter schema north owner to current_user",
    "drop owned by grnry",
    "reassign owned by grnry to current_user",
    # places that are not its own
    "create schema mine",
    "create table public.mine (i int)",
    "create function public.lower(text) returns text language sql as 'select $1'",
    "create table grnry.mine (i int)",
    "create table south.mine (i int)",
    "create table pg_catalog.mine (i int)",
    # other roles
    "set role grnry",
    "set role grnry_worker",
    "set role grnry_project_south",
    "set session authorization grnry",
    "set session authorization grnry_project_south",
    "create role mine",
    "alter role current_user createrole",
    "alter role current_user connection limit -1",
    "alter role grnry_project_south password 'mine'",
    "alter role grnry set search_path = north",
    "alter role all set search_path = north",
    "grant grnry to current_user",
    "grant grnry_worker to current_user",
    "grant pg_read_all_data to current_user",
    "alter default privileges for role grnry grant all on tables to public",
    # the machine
    "copy (select 1) to program 'true'",
    "copy pg_temp.mine from program 'true'",
    "copy (select 1) to '/dev/null'",
    "copy pg_temp.mine from '/etc/passwd'",
    "select lo_import('/etc/passwd')",
    "select lo_export(lo_create(0), '/dev/null')",
    "select pg_read_file('/etc/passwd')",
    "select pg_read_binary_file('PG_VERSION')",
    "select pg_ls_dir('/')",
    "select pg_stat_file('PG_VERSION')",
    "select pg_ls_logdir()",
    "load 'auto_explain'",
    # what runs with more rights than its caller's
    "create extension dblink",
    "create extension postgres_fdw",
    "create extension file_fdw",
    "create extension hstore",
    "create server mine foreign data wrapper postgres_fdw",
    "create foreign data wrapper mine",
    "create function north.mine() returns int language c as '/lib/x86_64-linux-gnu/libc.so.6'",
    "create function north.mine(internal) returns int language internal as 'int4in'",
    "create function north.mine() returns bool leakproof language sql as 'select true'",
    "create trusted language mine handler north.mine",
    "create event trigger mine on sql_drop execute function north.mine()",
    "create subscription mine connection 'host=127.0.0.1' publication mine",
    "create publication mine for all tables",
    "create tablespace mine location '/dev/null'",
    "create database mine",
    "alter database {database} set search_path = north",
    "alter system set work_mem = '1GB'",
    "set session_replication_role = replica",
    "set log_statement = 'all'",
    "set temp_file_limit = -1",
    "select pg_reload_conf()",
    "select pg_switch_wal()",
    "select pg_create_physical_replication_slot('mine')",
    "select pg_logical_slot_get_changes('mine', null, null)",
    "select pg_terminate_backend({platform})",
    "select pg_cancel_backend({platform})",
]
# Some are refused before it comes to rights.
OTHER_REFUSALS: dict[str, type[psycopg.Error] | tuple[type[psycopg.Error], ...]] = {
    "create server mine foreign data wrapper postgres_fdw": errors.UndefinedObject,
    "create event trigger mine on sql_drop execute function north.mine()": (
        errors.InsufficientPrivilege,
        errors.UndefinedFunction,
    ),
    "create trusted language mine handler north.mine": (
        errors.InsufficientPrivilege,
        errors.UndefinedFunction,
        errors.SyntaxError,
    ),
}


@pytest.fixture(scope="session")
def attacker(arena: Arena) -> Iterator[tuple[Connection, int]]:
    """A session of north's with a table of its own, and one of the platform's to shoot at."""
    with arena.project("north") as north, connect(arena.url, "grnry") as platform:
        north.execute("create temporary table mine (line text)")
        yield north, platform.info.backend_pid


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_it_may_not(arena: Arena, attacker: tuple[Connection, int], statement: str) -> None:
    north, platform = attacker
    said = statement.format(platform=platform, database=arena.name)
    with pytest.raises(OTHER_REFUSALS.get(statement, errors.InsufficientPrivilege)):
        north.execute(said.encode())
    north.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "grant select on north.eventstore_birds to grnry_project_south",
        "grant all on database {database} to public",
        "grant usage on schema north to public",
    ],
)
def test_the_server_only_warns_but_does_nothing(arena: Arena, statement: str) -> None:
    said: list[str] = []
    with arena.project("north") as north:
        north.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        north.execute(statement.format(database=arena.name).encode())
    assert said, statement
    with arena.project("south") as south, pytest.raises(errors.InsufficientPrivilege):
        south.execute("select * from north.eventstore_birds")


def test_it_sees_its_own_events(arena: Arena) -> None:
    with arena.project("north") as north:
        rows = north.execute("select event_id from eventstore_birds order by 1").fetchall()
    assert rows == [("1",), ("2",)]


# Peeping through the view ------------------------------------------------------------------------

LEAK = """
create function {schema}.leak(text) returns boolean language plpgsql cost 0.0000001 as
$$ begin raise warning 'seen %', $1; return true; end $$
"""
LEAKY_OPERATOR = """
create operator {schema}.<<<< (leftarg = text, rightarg = text, function = {schema}.leak2);
"""
LEAK2 = """
create function {schema}.leak2(text, text) returns boolean language plpgsql cost 0.0000001 as
$$ begin raise warning 'seen %', $1; return true; end $$
"""


def peep(arena: Arena, view: str, where: str) -> str:
    """What a function of north's has seen of the events when the view was read with it."""
    seen: list[str] = []
    with arena.project("north") as north:
        north.add_notice_handler(lambda notice: seen.append(str(notice.message_primary)))
        for off in ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan"):
            north.execute(f"set {off} = off".encode())
            if off != "enable_seqscan":
                north.execute("reset enable_seqscan")
                north.execute("set enable_bitmapscan = off")
            north.execute(f"select event_id from {view} where {where}".encode()).fetchall()
    assert seen
    return "\n".join(seen)


@pytest.mark.parametrize(
    "where",
    [
        "north.leak(event_type)",
        "north.leak(correlation_id)",
        "correlation_id operator(north.<<<<) 'x'",
        "case when north.leak(correlation_id) then true end",
    ],
)
def test_no_function_sees_what_the_view_hides(own_arena: Arena, where: str) -> None:
    with own_arena.project("north") as north:
        for text in (LEAK, LEAK2, LEAKY_OPERATOR):
            north.execute(sql.SQL(text).format(schema=sql.Identifier("north")))
    hidden = ("fish", "south")
    seen = peep(own_arena, "north.eventstore_birds", where)
    assert not any(word in seen for word in hidden)
    # The test can fail: without the barrier the same function sees all.
    with own_arena.database.transaction() as transaction:
        transaction.run(sql.SQL("alter view north.eventstore_birds set (security_barrier = false)"))
    seen = peep(own_arena, "north.eventstore_birds", where)
    assert any(word in seen for word in hidden)


def test_no_error_tells_what_the_view_hides(arena: Arena) -> None:
    """Of south's event the id is no number: a cast that saw it would say so."""
    look = "select count(*) from north.eventstore_birds where event_id::int > 0"
    with arena.project("north") as north:
        north.execute("set enable_indexscan = off; set enable_bitmapscan = off")
        assert north.execute(look.encode()).fetchone() == (2,)


def test_statistics_of_others_are_not_shown(own_arena: Arena) -> None:
    with own_arena.database.transaction() as transaction:
        transaction.run(sql.SQL("analyze public.eventstore"))
        all_shown = sql.SQL("select count(*) from pg_catalog.pg_stats where tablename = %(t)s")
        assert transaction.value(all_shown, t="eventstore") > 0
    with own_arena.project("north") as north:
        shown = "select count(*) from pg_catalog.pg_stats where tablename = 'eventstore'"
        assert north.execute(shown.encode()).fetchone() == (0,)
        hidden = "select query from pg_catalog.pg_stat_activity where usename = 'grnry'"
        rows = north.execute(hidden.encode()).fetchall()
    assert {row[0] for row in rows} == {"<insufficient privilege>"}


# Names taken beforehand ---------------------------------------------------------------------------

TRAPS = [
    "create table north.eventstore_bees (correlation_id text)",
    "create view north.eventstore_bees as select 1 as one",
    "create materialized view north.eventstore_bees as select 1 as one",
    "create sequence north.eventstore_bees",
    "create type north.eventstore_bees as enum ('a')",
    "create type north.eventstore_bees as (a int)",
    "create domain north.eventstore_bees as int",
]


@pytest.mark.parametrize("trap", TRAPS)
def test_a_name_taken_beforehand_is_said_and_left_alone(own_arena: Arena, trap: str) -> None:
    from grnry.database.transaction import NameTaken

    with own_arena.project("north") as north:
        north.execute(trap.encode())
    with (
        pytest.raises(NameTaken, match="eventstore_bees"),
        own_arena.database.transaction() as transaction,
    ):
        relations.make(transaction, DATA_IN, "bees", "north", [])
    with own_arena.project("north") as north:
        kind = trap.split()[1].replace("materialized", "materialized view")
        north.execute(f"drop {kind} north.eventstore_bees".encode())
    with own_arena.database.transaction() as transaction:
        relations.make(transaction, DATA_IN, "bees", "north", [])


TRIPWIRE = """
create table north.tripped (who text);
create function north.trip() returns trigger language plpgsql security invoker as
$$ begin insert into north.tripped values (current_user); return null; end $$;
create function north.bool_or(boolean) returns boolean language sql as 'select false';
create function north.starts_with(name, text) returns boolean language sql as 'select false';
create function north.steal(varchar, text) returns boolean language plpgsql as
$$ begin insert into north.tripped values (current_user); return true; end $$;
create operator north.= (leftarg = varchar, rightarg = text, function = north.steal);
create table north.waiting (correlation_id text);
create trigger trip after insert or update or delete or truncate on north.waiting
  execute function north.trip();
create table north.trap (i int default 1);
create trigger trip after insert or update or delete or truncate on north.trap
  execute function north.trip();
create view north.bait as select * from north.eventstore_birds;
create rule trip as on delete to north.trap do also insert into north.tripped values (current_user);
"""


def test_nothing_of_a_projects_runs_with_the_platforms_rights(own_arena: Arena) -> None:
    own_arena.make("west", "bats", {})
    with own_arena.project("west") as west:
        west.execute(TRIPWIRE.replace("north", "west").replace("birds", "bats").encode())
    with own_arena.database.transaction() as transaction:
        make_space(transaction, "west", LIMITS)
        relations.make(transaction, DATA_IN, "bees", "west", [])
        assert not relations.is_taken(transaction, DATA_IN, "wasps", "west")
        assert relations.built_on(transaction, DATA_IN, "bats", "west") == ["view west.bait"]
        relations.drop_view(transaction, DATA_IN, "bees", "west")
    assert Watchdog(own_arena.database).look() == 0
    with own_arena.database.transaction() as transaction:
        count = sql.SQL("select count(*) from west.tripped")
        # The platform may read what a project has made, as it may take it away.
        assert transaction.value(count) == 0
        drop_space(transaction, "west")


def test_every_session_of_ours_looks_names_up_in_the_catalogue_only(arena: Arena) -> None:
    with connect(arena.url, "grnry") as connection:
        row = connection.execute("show search_path").fetchone()
        assert row == {"search_path": "pg_catalog,pg_temp"}


# Time, connections, disk --------------------------------------------------------------------------


def test_connections_are_limited_and_the_platform_still_gets_one(own_arena: Arena) -> None:
    open_ones: list[Connection] = []
    try:
        # Of the whole server, so the sessions of other tests count as well.
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            open_ones.extend(own_arena.project("north") for _ in range(LIMITS.connections + 1))
        own_arena.project("south").close()
        own_arena.database.check()
    finally:
        for connection in open_ones:
            connection.close()


def lifted(arena: Arena) -> Connection:
    north = arena.project("north")
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
        north.execute(f"alter role current_user set {setting} = 0".encode())
        north.execute(f"set {setting} = 0".encode())
    return north


@pytest.mark.parametrize("statement", ["select 1", "select count(*) from eventstore_birds"])
def test_who_lifts_the_time_outs_is_ended_all_the_same(own_arena: Arena, statement: str) -> None:
    watchdog = Watchdog(
        own_arena.database, Limits(transaction_seconds=3600, idle_in_transaction_seconds=0)
    )
    with (
        lifted(own_arena) as north,
        own_arena.project("south") as south,
        pytest.raises(psycopg.OperationalError),
    ):
        south.execute("select 1")
        north.execute("begin")
        north.execute(statement.encode())
        wait_for(lambda: watchdog.look() == 1, what="the watchdog bites")
        assert south.execute("select 1").fetchone() == (1,)
        north.execute("select 1")


def test_a_long_transaction_is_ended_while_it_works(own_arena: Arena) -> None:
    watchdog = Watchdog(
        own_arena.database, Limits(transaction_seconds=0, idle_in_transaction_seconds=3600)
    )
    with lifted(own_arena) as north, pytest.raises(psycopg.OperationalError):
        north.execute("begin")
        north.execute("select 1")
        wait_for(lambda: watchdog.look() == 1, what="the watchdog bites")
        north.execute("select 1")


def test_defaults_of_a_session_are_what_the_platform_says(arena: Arena) -> None:
    with arena.project("north") as north:
        row = north.execute(
            "select current_setting('search_path'), current_setting('statement_timeout'),"
            " current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
    assert row == ("north", "5min", "1min")


def test_temporary_files_are_limited_where_the_server_lets_us(own_arena: Arena) -> None:
    if own_arena.server.version < 15:
        pytest.skip("before PostgreSQL 15 only a superuser may limit them, as the guide says")
    with own_arena.project("north") as north:
        north.execute("alter role current_user reset all")
    with own_arena.project("north") as north:
        assert north.execute("show temp_file_limit").fetchone() == ("1MB",)
        north.execute("set work_mem = '64kB'")
        with pytest.raises(errors.ConfigurationLimitExceeded):
            north.execute("select count(*) from (select generate_series(1, 500000) g order by g) s")


# Locks and notifications --------------------------------------------------------------------------


def test_no_advisory_lock_stalls_the_platform(own_arena: Arena) -> None:
    """Nobody can hold all of them; so none of ours may be one (see the test of the SQL files)."""
    known = [*migrations(), Migration(9000, "later", "create table grnry.later (i int)")]
    with own_arena.project("north") as north:
        for number in (0x6772_6E72_79, 0x6772_6E72_0001):
            north.execute("select pg_advisory_lock(%s)", (number,))
        north.execute("listen grnry_deployments")
        with connect(own_arena.url, "grnry") as platform:
            done = migrate(platform, known=known)
        assert [migration.number for migration in done] == [9000]


def test_the_leader_is_who_it_is(own_arena: Arena, tmp_path: Path) -> None:
    url = own_arena.url
    never: Callable[..., int] = lambda *_: 0
    one, two = (Reconciler(url, Processes(never, tmp_path)) for _ in range(2))
    try:
        with own_arena.project("north") as north:
            north.execute("notify grnry_deployments, 'x'")
            with pytest.raises(errors.InsufficientPrivilege):
                north.execute("update grnry.leaders set backend_pid = null")
        assert one.connect()
        assert not two.connect()
        one.disconnect()
        wait_for(two.connect, what="the other leads")
        assert not one.connect()
    finally:
        one.disconnect()
        two.disconnect()


# The space itself ---------------------------------------------------------------------------------


def test_large_objects_are_its_own_and_go_with_it(own_arena: Arena) -> None:
    own_arena.make("west", "bats", {})
    with own_arena.project("west") as west:
        row = west.execute("select lo_from_bytea(0, 'mine')").fetchone()
        assert row
        oid = row[0]
    with own_arena.project("south") as south, pytest.raises(errors.InsufficientPrivilege):
        south.execute("select lo_get(%s)", (oid,))
    with own_arena.database.transaction() as transaction:
        drop_space(transaction, "west")
        count = sql.SQL("select count(*) from pg_catalog.pg_largeobject_metadata")
        assert transaction.value(count) == 0


def test_a_space_goes_with_all_that_was_made_in_it(own_arena: Arena) -> None:
    own_arena.make("west", "bats", {"1": "pipistrelle"})
    west = own_arena.project("west")
    west.execute(TRIPWIRE.replace("north", "west").replace("birds", "bats").encode())
    west.execute("begin; select * from eventstore_bats")
    with own_arena.database.transaction() as transaction:
        drop_space(transaction, "west")
    with own_arena.database.transaction() as transaction:
        drop_space(transaction, "west")
        left = sql.SQL(
            "select (select count(*) from pg_catalog.pg_roles where rolname = %(role)s)"
            " + (select count(*) from pg_catalog.pg_namespace where nspname = 'west')"
        )
        assert transaction.value(left, role=role_of("west")) == 0
    with pytest.raises(psycopg.OperationalError):
        west.execute("select 1")
    west.close()
    with own_arena.project("south") as south:
        assert south.execute("select count(*) from eventstore_fish").fetchone() == (1,)
    own_arena.make("west", "bats", {})
    with own_arena.project("west") as again:
        assert again.execute("select count(*) from eventstore_bats").fetchone() == (1,)
