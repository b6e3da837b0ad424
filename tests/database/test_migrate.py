import threading

import psycopg
import pytest

from grnry.database.migrate import migrate, migrations
from grnry.errors import StartError
from tests.conftest import Postgres


@pytest.fixture
def empty_database(postgres: Postgres) -> str:
    postgres.run("create database {}", "empty")
    return postgres.url("empty")


@pytest.fixture(autouse=True)
def _drop(postgres: Postgres) -> object:
    yield
    postgres.run("drop database if exists {} with (force)", "empty")


def apply(url: str, applied: list[int]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        applied.extend(migration.number for migration in migrate(connection))


def test_several_processes_at_once_apply_each_migration_once(empty_database: str) -> None:
    applied: list[int] = []
    threads = [threading.Thread(target=apply, args=(empty_database, applied)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [migration.number for migration in migrations()]


def test_a_database_of_a_newer_version_is_refused(empty_database: str) -> None:
    apply(empty_database, [])
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("insert into grnry.migrations (number, name) values (9999, 'future')")
        with pytest.raises(StartError, match="newer version"):
            migrate(connection)


def test_the_numbers_have_no_gap() -> None:
    numbers = [migration.number for migration in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
