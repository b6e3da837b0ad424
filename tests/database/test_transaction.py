import pytest
from psycopg import sql
from psycopg.pq import TransactionStatus

from grnry.database.pool import Database
from grnry.database.transaction import DatabaseAway, UniqueViolation
from tests.conftest import free_port

ADD = sql.SQL("insert into grnry.projects (name, display_name) values (%(name)s, %(name)s)")
COUNT = sql.SQL("select count(*) from grnry.projects where name = %(name)s")


def test_a_transaction_commits_at_its_end(database: Database) -> None:
    with database.transaction() as transaction:
        assert transaction.run(ADD, name="a") == 1
    with database.transaction() as transaction:
        assert transaction.value(COUNT, name="a") == 1


def test_an_exception_rolls_it_back(database: Database) -> None:
    with pytest.raises(RuntimeError, match="no"), database.transaction() as transaction:
        transaction.run(ADD, name="a")
        raise RuntimeError("no")
    with database.transaction() as transaction:
        assert transaction.value(COUNT, name="a") == 0


def test_reading_sees_what_was_committed_meanwhile(database: Database) -> None:
    with database.reading() as reading:
        assert reading.value(COUNT, name="a") == 0
        with database.transaction() as transaction:
            transaction.run(ADD, name="a")
            assert reading.value(COUNT, name="a") == 0
        assert reading.value(COUNT, name="a") == 1


def test_reading_keeps_no_transaction_open(database: Database) -> None:
    """So that it holds up no change of a table, and no removal of dead rows."""
    with database.reading() as reading:
        reading.value(COUNT, name="a")
        assert reading.connection.info.transaction_status == TransactionStatus.IDLE


def test_a_taken_key_names_its_constraint(database: Database) -> None:
    with pytest.raises(UniqueViolation) as caught, database.transaction() as transaction:
        transaction.run(ADD, name="global")
    assert caught.value.constraint == "projects_pkey"


def test_a_database_that_is_away_is_told_from_a_wrong_statement() -> None:
    away = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none").open()
    try:
        with pytest.raises(DatabaseAway), away.transaction():
            pass
    finally:
        away.close()
