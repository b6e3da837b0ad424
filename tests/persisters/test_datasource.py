"""Addresses as Spring clients write them, names of tables as in SQL: what of them is heeded."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from grnry.database.address import Place
from grnry.persisters.datasource import Datasource, missing_login, problem_of, read, table_name
from grnry.persisters.engine import Assignment, url_of
from grnry.persisters.model import Store, store_of

SECRET = "not to be seen"
OWN = Place("127.0.0.1", 5433, "grnry", ssl=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("jdbc:postgresql://db/x", ("db", 5432, "x", "prefer", "public")),
        ("jdbc:postgresql://db:6/x?currentSchema=a,b", ("db", 6, "x", "prefer", "a")),
        ("jdbc:postgresql://[::1]:6/my%20data", ("::1", 6, "my data", "prefer", "public")),
        ("jdbc:postgresql://db/", ("db", 5432, "me", "prefer", "public")),
        ("jdbc:postgresql://db/x?ssl=true", ("db", 5432, "x", "verify-full", "public")),
        (
            "jdbc:postgresql://db/x?ssl=false&sslmode=require",
            ("db", 5432, "x", "require", "public"),
        ),
    ],
)
def test_what_is_read(url: str, expected: tuple[str, int, str, str, str]) -> None:
    assert problem_of(url) == ""
    found = read(url, "me", SECRET)
    assert found is not None
    heeded = (found.host, found.port, found.database, found.sslmode, found.schema)
    assert heeded == expected


def test_nothing_is_read_where_nothing_is_named() -> None:
    assert read("", "me", SECRET) is None
    assert read("${database-url}", "me", SECRET) is None


@pytest.mark.parametrize(
    "more",
    [
        "options=-c%20search_path%3Devil",
        "service=admin&passfile=/etc/passwd",
        "sslkey=/root/.ssh/id_rsa&sslcert=/etc/shadow&sslrootcert=/etc/shadow",
        "host=/var/run/postgresql&hostaddr=10.0.0.1&dbname=other",
        "krbsrvname=x&require_auth=none&target_session_attrs=read-only",
    ],
)
def test_nothing_else_of_an_address_reaches_the_driver(more: str) -> None:
    url = f"jdbc:postgresql://db/x?{more}"
    assert problem_of(url) == ""
    found = read(url, "me", SECRET)
    assert found is not None
    assert conninfo_to_dict(url_of(found)) == {
        "host": "db",
        "port": "5432",
        "dbname": "x",
        "user": "me",
        "password": SECRET,
        "sslmode": "prefer",
        "gssencmode": "disable",
        "passfile": "/dev/null",
    }


def test_a_certificate_is_verified_by_the_machines_authorities() -> None:
    found = read("jdbc:postgresql://db/x?sslmode=verify-ca", "me", SECRET)
    assert found is not None
    parts = conninfo_to_dict(url_of(found))
    assert (parts["sslmode"], parts["sslrootcert"]) == ("verify-full", "system")


def test_no_password_is_printed() -> None:
    found = Datasource("db", 5432, "x", username="me", password=SECRET)
    work = Assignment("calls", "topic", "group", "deployment", elsewhere=found)
    assert SECRET not in f"{found} {found!r} {work} {work!r} {[work]}"
    assert "the database x on db:5432" in repr(work)
    assert Assignment.from_environment(work.to_environment()) == work


@pytest.mark.parametrize(
    ("username", "password", "why"),
    [
        ("", "p", "spring.datasource.username is not given"),
        ("u", "", "spring.datasource.password is not given"),
        ("${superuser-username}", "p", "spring.datasource.username is a placeholder"),
        ("u", "${superuser-password}", "spring.datasource.password is a placeholder"),
    ],
)
def test_nobody_logs_in_by_a_placeholder(username: str, password: str, why: str) -> None:
    found = Datasource("db", 5432, "x", username=username, password=password)
    assert missing_login(found).startswith(why)
    assert missing_login(Datasource("db", 5432, "x", username="u", password="p")) == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("public.eventstore", ("public", "eventstore")),
        ("Events", ("public", "events")),
        ('"Events"', ("public", "Events")),
        ('"with-hyphen"."a ""quoted"" one"', ("with-hyphen", 'a "quoted" one')),
        ('Sales."Events.of.2024"', ("sales", "Events.of.2024")),
        ("", None),
        ("a.b.c", None),
        ("a.", None),
        (".a", None),
        ("a..b", None),
        ('"a', None),
        ('""', None),
        ("a b", None),
        ("1a", None),
        ("a;drop table x", None),
        ('a"."b', None),
        ('"a\0b"', None),
        ("a" * 64, None),
        ("'a'", None),
        ("a\n", None),
        ("ä", None),
    ],
)
def test_names_of_tables(text: str, name: tuple[str, str] | None) -> None:
    assert table_name(text) == name


def test_the_platforms_own_database_is_known() -> None:
    login = {"spring.datasource.username": "u", "spring.datasource.password": "p"}
    own = {"spring.datasource.url": "jdbc:postgresql://localhost:5433/grnry", **login}
    assert store_of("calls", 1, {}, OWN, "role") == Store()
    assert store_of("calls", 1, own, OWN, "role") == Store()
    table = {"eventstore.tablename": '"my-project".events'}
    assert store_of("calls", 1, table, OWN, "role") == Store(("my-project", "events"), "role")
    other = {"spring.datasource.url": "jdbc:postgresql://localhost:5434/grnry", **login}
    found = store_of("calls", 1, {**other, **table}, OWN, "role")
    assert (found.table, found.owner, found.kept_as) == (
        ("my-project", "events"),
        "",
        "grnry-p-pg-calls/1",
    )
    assert store_of("calls", 2, other, OWN, "role").kept_as != found.kept_as
