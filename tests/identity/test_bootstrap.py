"""What the first start makes, and what later starts leave alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql

from grnry.database.pool import Database
from grnry.errors import StartError
from grnry.identity import store
from grnry.identity.bootstrap import ADMIN, CLI_CLIENT, bootstrap
from grnry.identity.passwords import Passwords, secret_matches


def admin_of(database: Database) -> store.User:
    with database.transaction() as transaction:
        admin = store.find_user(transaction, ADMIN)
    assert admin
    return admin


def test_without_a_password_there_is_no_first_start(database: Database) -> None:
    with pytest.raises(StartError, match="GRNRY_ADMIN_PASSWORD"):
        bootstrap(database, "", "secret")


def test_a_password_nobody_used_yet_is_set_anew(database: Database) -> None:
    bootstrap(database, "one", "")
    bootstrap(database, "two", "")
    assert Passwords().matches("two", admin_of(database).password_hash)
    bootstrap(database, "", "")
    assert Passwords().matches("two", admin_of(database).password_hash)


def test_a_claimed_password_stays(database: Database) -> None:
    bootstrap(database, "one", "")
    with database.transaction() as transaction:
        store.claim_user(transaction, admin_of(database).id)
    bootstrap(database, "two", "")
    assert Passwords().matches("one", admin_of(database).password_hash)


def test_roles_taken_from_the_admin_stay_taken(database: Database) -> None:
    bootstrap(database, "one", "")
    with database.transaction() as transaction:
        transaction.run(sql.SQL("delete from grnry.user_roles where client = 'global'"))
    bootstrap(database, "one", "")
    with database.transaction() as transaction:
        roles = store.roles_of(transaction, admin_of(database).id)
    assert "global" not in roles
    assert "project-api" in roles


def test_the_secret_of_the_command_line_follows_what_is_given(database: Database) -> None:
    for secret in ("first", "second"):
        bootstrap(database, "one", secret)
        with database.transaction() as transaction:
            client = store.find_client(transaction, CLI_CLIENT)
        assert client
        assert client.secret_sha256
        assert secret_matches(secret, client.secret_sha256)
        assert secret.encode() not in client.secret_sha256
        assert client.acts_as == admin_of(database).id


def test_many_processes_start_at_once(database: Database) -> None:
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: bootstrap(database, "one", "secret"), range(6)))
    with database.transaction() as transaction:
        roles = store.roles_of(transaction, admin_of(database).id)
    assert sum(len(given) for given in roles.values()) == 9


def test_hashes_take_the_memory_they_should() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not Passwords().matches("x", None)
    assert not Passwords().matches("x", "no hash")
