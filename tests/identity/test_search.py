"""Searching a hundred thousand users, with the index and where the server has none to offer.

What the server has to read is looked at here; `python -m benchmarks http` shows how long it takes.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from grnry.database import sql
from grnry.database.pool import Database
from grnry.database.queries import load
from grnry.identity.users import Users, queries
from grnry.projects import store as projects
from tests.conftest import Postgres

MANY = 100_000

_FILL = sql.SQL("""
insert into grnry.users (username, name, email, password_hash)
select 'u' || i || '.' || substr(md5(i::text), 1, 6), initcap(substr(md5((i * 7)::text), 1, 8))
  || case when i % 10 = 0 then ' Müller' else ' Meier' end,
  substr(md5((i * 3)::text), 1, 9) || '@example.com', ''
from generate_series(1, 100000) as i
""")
_FILL_MEMBERS = sql.SQL("""
insert into grnry.user_roles (user_id, client, role)
select id, client, role
from grnry.users, (values ('viewer'), ('producer')) as roles (role),
  (values ('global', 1), ('small', 1000)) as clients (client, each)
where hashtext(id::text) % each = 0
""")


@pytest.fixture(scope="module")
def crowd(postgres: Postgres) -> Iterator[Database]:
    name = postgres.make_database()
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute(_FILL)
        connection.execute(_FILL_MEMBERS)
        connection.execute("vacuum analyze grnry.users, grnry.user_roles")
    database = Database(postgres.url(name)).open()
    yield database
    database.close()
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def crowd_without_index(crowd: Database) -> Database:
    """As on a server without pg_trgm; for the last tests of this file."""
    with crowd.transaction() as transaction:
        transaction.run(sql.SQL("drop index grnry.users_searched"))
    return crowd


Plan = dict[str, Any]


def plan_of(database: Database, query: sql.SQL, **values: object) -> list[Plan]:
    """What the server did where, as it told when it had."""
    with database.transaction() as transaction:
        (row,) = transaction.rows(sql.SQL("explain (analyze, format json) ") + query, **values)
    (found,) = row["QUERY PLAN"]
    return [*nodes(found["Plan"])]


def reads_of(database: Database, search: str, offset: int = 0) -> list[Plan]:
    """How it got at rows of users."""
    values = {"pattern": sql.containing(search), "limit": 20, "offset": offset}
    plan = plan_of(database, queries.search if search else queries.page, **values)
    return [node for node in plan if node.get("Relation Name") == "users"]


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


def rows_looked_at(read: Plan) -> float:
    removed = read.get("Rows Removed by Filter", 0) + read.get("Rows Removed by Index Recheck", 0)
    return float((read["Actual Rows"] + removed) * read["Actual Loops"])


SEARCHES = [("a1b", 0), ("müller", 0), ("MÜLLER", 200), ("nobody at all", 0), ("u99", 200)]


def test_what_is_found(crowd: Database) -> None:
    found = Users(crowd).page("U99999.", 20, 0)
    assert found.total == 1
    assert found.accounts[0].username.startswith("u99999.")
    assert Users(crowd).page("%", 20, 0).total == Users(crowd).page("9_9", 20, 0).total == 0
    last = Users(crowd).page("mÜller", 20, MANY // 10 - 5)
    assert (last.total, len(last.accounts)) == (MANY // 10, 5)
    beyond = Users(crowd).page("MÜLLER", 20, MANY)
    assert (beyond.total, beyond.accounts) == (MANY // 10, [])


@pytest.mark.parametrize(("search", "offset"), SEARCHES)
def test_the_index_leads_to_what_is_found(crowd: Database, search: str, offset: int) -> None:
    first, *page = reads_of(crowd, search, offset)
    total = Users(crowd).page(search, 20, 0).total
    assert first["Node Type"] == "Bitmap Heap Scan"
    assert rows_looked_at(first) <= 1.1 * total + 100
    assert sum(map(rows_looked_at, page)) <= 20


@pytest.mark.parametrize(("project", "most"), [("global", 1_000), ("small", 2_000)])
def test_the_first_page_of_members_is_found_by_indexes(
    crowd: Database, project: str, most: int
) -> None:
    plan = plan_of(crowd, load("grnry.projects").members, project=project, limit=20, offset=0)
    assert sum(rows_looked_at(node) for node in plan if "Relation Name" in node) <= most
    with crowd.transaction() as transaction:
        found = projects.members(transaction, project, 20, 0)
    assert len(found) == 20
    assert {member.roles for member in found} == {("producer", "viewer")}
    assert found == sorted(found, key=lambda member: member.username)


@pytest.mark.parametrize("search", ["", "example.com"])
def test_the_last_page_of_all_reads_each_row_once(crowd: Database, search: str) -> None:
    assert sum(map(rows_looked_at, reads_of(crowd, search, MANY - 20))) <= MANY + 20


@pytest.mark.parametrize(("search", "offset"), SEARCHES)
def test_without_the_index_each_row_is_read_once(
    crowd_without_index: Database, search: str, offset: int
) -> None:
    first, *page = reads_of(crowd_without_index, search, offset)
    assert first["Node Type"] == "Seq Scan"
    assert rows_looked_at(first) <= MANY
    assert sum(map(rows_looked_at, page)) <= 20
