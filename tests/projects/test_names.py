"""The technical names of projects."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from grnry.database.pool import Database
from grnry.errors import AlreadyExists, BadInput
from grnry.projects.names import KEYWORDS, derive, is_reserved, name_for, with_digits
from grnry.projects.service import free_name


@pytest.mark.parametrize(
    ("display_name", "name"),
    [
        ("Web shop", "Web-shop"),
        ("  two \t\n spaces  ", "two-spaces"),
        ("a/b:c_d.e!", "abcde"),
        ("Bücher & Öl", "Bcher-l"),
        ("a - b", "a---b"),
        ("exactly twenty chars", "exactly-twenty-chars"),
        ("what is longer than twenty", "what-is-longer-than-"),
        ("no\u00a0break\u2003wide", "no-break-wide"),
        ("2024", "2024"),
    ],
)
def test_what_a_display_name_leads_to(display_name: str, name: str) -> None:
    assert derive(display_name) == name_for(display_name) == name


@pytest.mark.parametrize("display_name", ["", "  ", "!?", "---", "- -", "日本"])
def test_what_leaves_nothing_is_refused(display_name: str) -> None:
    with pytest.raises(BadInput, match="'displayName' must contain a letter or a digit"):
        name_for(display_name)


RESERVED = """
    pg; PGanything; p_g stats; grnry; Grnry Shop; Public; segments; POSTGRES; Project API;
    profile-api; EVENT api; realm management; Account; broker; admin-cli; user; Select; TABLE
"""


@pytest.mark.parametrize("display_name", [name.strip() for name in RESERVED.split(";")])
def test_reserved_names_are_refused(display_name: str) -> None:
    with pytest.raises(BadInput, match="which is reserved"):
        name_for(display_name)


@pytest.mark.parametrize("name", ["information_schema", "segment-management-api"])
def test_names_that_a_display_name_cannot_lead_to_are_reserved_as_well(name: str) -> None:
    assert is_reserved(name)
    assert is_reserved(name.upper())


@given(st.text(max_size=300))
def test_a_name_is_always_one(display_name: str) -> None:
    name = derive(display_name)
    assert re.fullmatch(r"[a-zA-Z0-9-]{0,20}", name)
    assert derive(name) == name
    try:
        assert not is_reserved(name_for(display_name))
    except BadInput:
        assert is_reserved(name) or not name.strip("-")


@given(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,19}", fullmatch=True), st.integers(0, 9999))
def test_where_it_is_taken_the_last_four_are_digits(name: str, digits: int) -> None:
    other = with_digits(name, digits)
    assert other == f"{name[: max(len(name) - 4, 0)]}{digits:04d}"
    assert len(other) <= max(len(name), 4)


@given(st.sets(st.integers(0, 99)), st.lists(st.integers(0, 99), min_size=200, max_size=200))
def test_names_are_tried_until_one_is_free(taken: set[int], drawn: list[int]) -> None:
    names = {"Shop-name", *(f"Shop-{number:04d}" for number in taken)}
    draws = iter(drawn)
    try:
        found = free_name("Shop-name", names.__contains__, lambda _: next(draws))
    except AlreadyExists:
        assert taken.issuperset(drawn[:99])
    else:
        assert found not in names


def test_digits_make_no_reserved_name() -> None:
    draws = iter([1, 2])
    assert free_name("abcd", {"abcd"}.__contains__, lambda _: next(draws)) == "0001"


def test_postgresql_has_no_keyword_that_is_not_known(database: Database) -> None:
    query = sql.SQL("select word from pg_get_keywords() where catcode in ('R', 'T')")
    with database.transaction() as transaction:
        reserved = {row["word"] for row in transaction.rows(query)}
    assert reserved <= KEYWORDS
