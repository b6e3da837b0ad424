"""Migrations: one history whoever starts when, and nothing half done."""

import multiprocessing
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from grnry.database.migrate import Migration, migrate, migrations
from grnry.errors import StartError
from tests.conftest import Postgres
from tests.database.catalogue import catalogue
from tests.servers import OutsideServer

Server = Postgres | OutsideServer

# What people have in their tables at a version, before the next one comes.
ROWS_AT = {
    1: """
        insert into grnry.users (username, name, password_hash) values ('ada', 'Ada', 'x');
        insert into grnry.event_types (name, project, type, display_name, replication,
          partition_count, retention_ms, created_by, modified_by)
        values ('calls', 'global', 'data_in', 'Calls', 1, 32, 1, '{}', '{}');
        insert into grnry.event_type_versions (name, version, eventstore_ttl)
        values ('calls', 1, 'P100Y');
        insert into grnry.leases (deployment, topic, partition) values ('calls', 'calls', 0);
        insert into grnry.dead_letters (deployment, topic, partition, record_offset, reason)
        values ('calls', 'calls', 0, 0, 'bad');
        insert into public.eventstore (correlation_id, event_id, created, message, event_type,
          partition_id, partition_offset)
        values ('u1', '1', 1, '{}', 'calls', 0, 0);
    """,
}


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    name = server.make_empty_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def another(server: Server) -> Iterator[str]:
    name = server.make_empty_database()
    yield server.url(name)
    server.drop_database(name)


def connected(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True)


def test_step_by_step_with_data_equals_made_new(empty: str, another: str) -> None:
    known = migrations()
    with connected(empty) as connection:
        for migration in known:
            assert migrate(connection, upto=migration.number) == [migration]
            if rows := ROWS_AT.get(migration.number):
                connection.execute(rows.encode())
        stepped = catalogue(connection)
        kept = connection.execute("select count(*) from public.eventstore").fetchone()
    with connected(another) as connection:
        assert migrate(connection) == known
        assert migrate(connection) == []
        made = catalogue(connection)
    assert stepped == made
    assert kept == (1,)


def test_the_comparison_sees_a_difference(empty: str, another: str) -> None:
    for url in (empty, another):
        with connected(url) as connection:
            migrate(connection)
    with connected(empty) as one, connected(another) as two:
        for change in (
            "alter table grnry.users alter column email drop default",
            "revoke select on grnry.dead_letters from grnry_worker",
            "comment on table grnry.users is 'people'",
            "alter table grnry.users enable row level security",
            "create function grnry.f() returns int language sql as 'select 1'",
        ):
            assert catalogue(one) == catalogue(two)
            two.execute(change.encode())
            assert catalogue(one) != catalogue(two), change
            one.execute(change.encode())


def _migrate_at_once(url: str, barrier: Any, answers: Any) -> None:
    barrier.wait(30)
    try:
        with connected(url) as connection:
            answers.put([migration.number for migration in migrate(connection)])
    except BaseException as error:
        answers.put(repr(error))
        raise


def test_several_processes_at_once_make_one_history(empty: str) -> None:
    several, context = 6, multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(several), context.Queue()
    processes = [
        context.Process(target=_migrate_at_once, args=(empty, barrier, answers))
        for _ in range(several)
    ]
    for process in processes:
        process.start()
    done = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * several, done
    applied = sorted(number for each in done for number in each)
    assert applied == [migration.number for migration in migrations()]


def test_one_that_fails_leaves_nothing_and_says_why(empty: str) -> None:
    text = "create table grnry.half (i int); insert into grnry.half values (1); select 1 / 0"
    known = [*migrations(), Migration(9000, "halves", text)]
    with connected(empty) as connection:
        with pytest.raises(StartError) as caught:
            migrate(connection, known=known)
        assert caught.value.message.startswith(
            "Migration 9000 (halves) failed and has changed nothing: division by zero."
        )
        assert connection.execute("select to_regclass('grnry.half')").fetchone() == (None,)
        # Those before it stay, and a version in which it is right goes on from there.
        known[-1] = Migration(9000, "halves", "create table grnry.half (i int)")
        assert migrate(connection, known=known) == known[-1:]


def test_one_that_was_edited_afterwards_is_noticed(empty: str) -> None:
    known = migrations()
    with connected(empty) as connection:
        migrate(connection)
        edited = [Migration(known[0].number, known[0].name, known[0].text + "\n"), *known[1:]]
        with pytest.raises(StartError, match=r"Migration 1 \(first\) was edited after"):
            migrate(connection, known=edited)
        assert migrate(connection) == []


def test_a_history_from_before_checksums_gets_them(empty: str, another: str) -> None:
    with connected(empty) as connection, connected(another) as new:
        migrate(connection)
        connection.execute("alter table grnry.migrations drop column checksum")
        assert migrate(connection) == []
        migrate(new)
        history = "select number, name, checksum from grnry.migrations order by 1"
        assert connection.execute(history).fetchall() == new.execute(history).fetchall()


def test_a_database_of_a_newer_version_is_refused(empty: str) -> None:
    with connected(empty) as connection:
        migrate(connection)
        connection.execute("insert into grnry.migrations (number, name) values (9999, 'future')")
        with pytest.raises(StartError, match="migration 9999"):
            migrate(connection)


def test_one_that_comes_too_late_is_refused(empty: str) -> None:
    later = Migration(9000, "later", "select 1")
    with connected(empty) as connection:
        migrate(connection, known=[*migrations(), later])
        late = Migration(8000, "late", "select 1")
        with pytest.raises(StartError, match=r"8000 \(late\) comes before migration 9000"):
            migrate(connection, known=[*migrations(), late, later])


def test_it_waits_for_locks_in_turns_and_does_not_hold_up_others(empty: str) -> None:
    """A migration that waits for a reader's lock would make every writer queue behind it."""
    with connected(empty) as connection, connected(empty) as reader:
        migrate(connection)
        reader.execute("begin")
        reader.execute("select * from public.eventstore")
        change = Migration(9000, "change", "alter table public.eventstore add column more int")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate(connection, known=[*migrations(), change])
        reader.execute("commit")
        assert migrate(connection, known=[*migrations(), change]) == [change]


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0002_one.sql").touch()
    (tmp_path / "0002_two.sql").touch()
    with pytest.raises(StartError, match="Two migrations have the number 2"):
        migrations(tmp_path)
    (tmp_path / "0002_two.sql").rename(tmp_path / "two.sql")
    with pytest.raises(StartError, match=r"two\.sql is not named like"):
        migrations(tmp_path)


def test_no_file_ends_its_transaction_or_needs_none() -> None:
    for migration in migrations():
        assert not re.search(
            r"^\s*(begin|commit|rollback|vacuum)\b|\bconcurrently\b",
            migration.text,
            re.IGNORECASE | re.MULTILINE,
        ), migration
