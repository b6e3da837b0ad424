import pytest
from psycopg import sql

from grnry.database.queries import Queries

TEXT = """
-- name: first
select 1;

-- name: second
select * from {table} where a = %(a)s;
"""


def test_blocks_are_found_by_name() -> None:
    assert Queries(TEXT).first == sql.SQL("select 1")


def test_identifiers_are_composed_and_quoted() -> None:
    composed = Queries(TEXT).composed("second", table=sql.Identifier("a-b"))
    assert composed.as_string() == 'select * from "a-b" where a = %(a)s'


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="third"):
        _ = Queries(TEXT).third
