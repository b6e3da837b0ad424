"""What is a valid record is a row of a real table, and what PostgreSQL refuses was named before."""

import orjson
import pytest
from psycopg import sql

from grnry.database.pool import Database
from grnry.schemas import RecordValidator, columns_of, live_segment_schema
from tests.schemas.test_documents import live

VALUES = {
    "date": ["0001-01-01", "9999-12-31", "2024-02-29"],
    "date-time": [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "2024-02-29t10:00:00.1+15:59",
        "2024-02-29 10:00:00-15:59",
        "2016-12-31T23:59:60.000z",
    ],
    "uuid": ["0B9F2A54-0000-4000-8000-00000000000a"],
}
NAMES = ["é" * 31 + "x", "select", 'a "quoted" name', "%s", "Name", "name", "oid", "a.b/c~d"]


def create(database: Database, schema: str) -> list[str]:
    columns = columns_of(live_segment_schema(schema))
    parts = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(column.name),
            sql.SQL(str(column.type)),
            sql.SQL("" if column.nullable else " not null"),
        )
        for column in columns
    ]
    with database.transaction() as transaction:
        transaction.run(sql.SQL("create table public.t ({})").format(sql.SQL(", ").join(parts)))
    return [column.name for column in columns]


@pytest.mark.parametrize("kind", VALUES)
def test_texts_of_typed_columns_are_taken(database: Database, kind: str) -> None:
    schema = live({"a": {"type": "string", "format": kind}})
    validator = RecordValidator(live_segment_schema(schema))
    create(database, orjson.dumps(schema).decode())
    for value in VALUES[kind]:
        assert validator.problem({"id": 1, "a": value}) is None
        with database.transaction() as transaction:
            transaction.run(sql.SQL("insert into public.t values (1, {})").format(value))


def test_names_of_columns_are_taken_as_they_are(database: Database) -> None:
    schema = live({name: {"type": "integer"} for name in NAMES})
    names = create(database, orjson.dumps(schema).decode())
    query = sql.SQL(
        "select array_agg(attname::text order by attnum) from pg_attribute "
        "where attrelid = 'public.t'::regclass and attnum > 0"
    )
    with database.transaction() as transaction:
        assert transaction.value(query) == names


def test_the_greatest_numbers_of_columns_are_taken(database: Database) -> None:
    schema = live({"a": {"type": "integer"}, "b": {"type": "number"}})
    validator = RecordValidator(live_segment_schema(schema))
    create(database, orjson.dumps(schema).decode())
    insert = sql.SQL("insert into public.t values (1, %(a)s, %(b)s)")
    for a, b in ((2**63 - 1, 1.7976931348623157e308), (-(2**63), 5e-324)):
        assert validator.problem({"id": 1, "a": a, "b": b}) is None
        with database.transaction() as transaction:
            transaction.run(insert, a=a, b=b)
