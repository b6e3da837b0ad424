"""What people do to a live segment's table, and what becomes of the records then."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from grnry.database.leases import Leases
from grnry.persisters.live_segment.table import LiveTable
from grnry.sinks.batch import Batch
from grnry.sinks.verdict import Verdict, verdict_of
from grnry.sinks.writer import Refused, Writer
from tests.sinks.records import TOPIC, Made

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "age": {"type": "integer"},
    },
}
MAKE = """
set search_path = global;
create table live (id bigint primary key, name text, age bigint);
grant select, insert, update, delete on live to grnry_worker;
grant usage on schema global to grnry_worker;
"""
RAISING = """
create function refuse() returns trigger language plpgsql as
  $$begin if new.age < 18 then raise exception 'too young: %', new.age; end if; return new; end$$;
create trigger refuse before insert or update on live for each row execute function refuse();
"""
OF_ANOTHER = """
create table ages (age bigint primary key);
insert into ages values (20);
alter table live add foreign key (age) references ages;
grant select on ages to grnry_worker;
"""
OF_A_RECORD = {
    "a check": (
        "alter table live add check (age >= 18)",
        "23514",
        "violates check constraint",
    ),
    "a check of a text": (
        "alter table live add check (name <> '')",
        "23514",
        "violates check",
    ),
    "a unique column": ("create unique index on live (name)", "23505", "duplicate key"),
    "a trigger": (RAISING, "P0001", "too young: 7"),
    "not null": (
        "alter table live alter name set not null",
        "23502",
        "null value in column",
    ),
    "a narrower type": ("alter table live alter age type smallint", "22003", "out of range"),
    "a shorter text": ("alter table live alter name type varchar(1)", "22001", "too long"),
    "a reference": (
        OF_ANOTHER,
        "23503",
        "violates foreign key",
    ),
}
BAD: dict[str, dict[str, Any]] = {
    "22003": {"age": 70000},
    "22001": {"name": "long"},
    "23505": {"name": "same"},
}
OF_THE_TABLE = {
    "gone": "drop table live",
    "renamed": "alter table live rename to elsewhere",
    "a column renamed": "alter table live rename name to other",
    "a column gone": "alter table live drop name",
    "another type": "alter table live alter age type date using null",
    "no key": "alter table live drop constraint live_pkey",
    "a column more that must be filled": "alter table live add more int not null",
    "no rights": "revoke insert on live from grnry_worker",
}


def made(at: int, **record: Any) -> Made:
    return Made(at, json.dumps({"id": at, **record}).encode())


@pytest.fixture(name="owner")
def an_owner(database_url: str) -> Iterator[psycopg.Connection[DictRow]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute(MAKE.encode())
        connection.execute(
            "insert into grnry.event_types (name, project, type, display_name, replication,"
            " partition_count, retention_ms, created_by, modified_by, phase)"
            " values ('live', 'global', 'live_segment', 'live', 1, 1, 1, '{}', '{}', 'ready')"
        )
        connection.execute(
            "insert into grnry.event_type_versions"
            " (name, version, eventstore_ttl, schema_document) values ('live', 1, 'P1D', %s)",
            [json.dumps(SCHEMA)],
        )
        yield connection


@pytest.fixture
def write(
    owner: psycopg.Connection[DictRow], worker_database_url: str
) -> Iterator[Callable[..., object]]:
    writer, target = a_writer(worker_database_url)

    def write(*records: Made) -> None:
        writer.write(Batch.of(records, target))

    yield write
    writer.disconnect()


def a_writer(url: str, *, has_dead_letters: bool = True) -> tuple[Writer, LiveTable]:
    target = LiveTable("live", "global", "live")
    leases = Leases("live", "first")
    writer = Writer(url, "live", leases, target, has_dead_letters=has_dead_letters)
    writer.take([(TOPIC, 0)])
    return writer, target


def rows(owner: psycopg.Connection[DictRow], statement: str) -> list[dict[str, Any]]:
    return owner.execute(statement.encode()).fetchall()


@pytest.mark.parametrize("name", OF_A_RECORD)
def test_one_record_that_a_constraint_refuses_costs_one_record(
    owner: psycopg.Connection[DictRow], write: Callable[..., object], name: str
) -> None:
    statement, sqlstate, reason = OF_A_RECORD[name]
    owner.execute(statement.encode())
    bad: dict[str, Any] = BAD.get(sqlstate, {"age": 7} if "text" not in name else {"name": ""})
    if sqlstate == "23505":
        write(made(1, name="same"))
    write(made(2, **bad))  # alone, so that nothing else tells that the table takes rows
    write(made(3, name="c", age=20), made(4, **bad), made(5, name="e", age=20))
    letters = rows(owner, "select record_offset, sqlstate, reason from grnry.dead_letters")
    assert {letter["record_offset"]: letter["sqlstate"] for letter in letters} == {
        2: sqlstate,
        4: sqlstate,
    }
    assert reason in letters[0]["reason"]
    assert {row["id"] for row in rows(owner, "select id from live")} - {1} == {3, 5}


@pytest.mark.parametrize("name", OF_THE_TABLE)
def test_a_table_that_takes_no_row_is_waited_for(
    owner: psycopg.Connection[DictRow], write: Callable[..., object], name: str
) -> None:
    owner.execute(OF_THE_TABLE[name].encode())
    outdated, deletion = made(1, name="a", age=1), Made(2, None, of_key=b"1")
    with pytest.raises(psycopg.Error) as refused:
        write(outdated, deletion, made(3, name="a", age=1), made(4, age="old"))
    assert verdict_of(refused.value) is Verdict.TABLE
    assert rows(owner, "select from grnry.dead_letters") == []
    assert rows(owner, "select from grnry.leases where next_offset is not null") == []


def test_a_table_is_not_altered_between_one_record_and_the_next(
    owner: psycopg.Connection[DictRow],
    write: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first record would be to blame for a column that is gone when the second one is tried."""
    owner.execute(b"alter table live add more int not null")
    owner.execute(b"set lock_timeout = 300")
    store, tries = LiveTable.store_carefully, []

    def altered(target: LiveTable, connection: Any, lines: Sequence[bytes]) -> int:
        tries.append(len(lines))
        if len(tries) == 3:  # all of them, the first one, the second one
            with contextlib.suppress(psycopg.errors.LockNotAvailable):
                owner.execute(b"alter table live drop more")
        return store(target, connection, lines)

    monkeypatch.setattr(LiveTable, "store_carefully", altered)
    with pytest.raises(psycopg.Error) as refused:
        write(made(1, name="a", age=1), made(2, name="b", age=2))
    assert verdict_of(refused.value) is Verdict.TABLE
    assert tries[:3] == [2, 1, 1]
    assert rows(owner, "select from grnry.dead_letters") == []


def test_ids_that_come_again_after_a_refused_record_are_good(
    owner: psycopg.Connection[DictRow], write: Callable[..., None]
) -> None:
    """A batch is stored in pieces where something in it is refused; rows are in several of them."""
    owner.execute(b"alter table live add check (age >= 18)")
    write(*(made(at, id=at % 3, age=20 + at if at < 97 else 7) for at in range(100)))
    letters = rows(owner, "select record_offset as at, sqlstate from grnry.dead_letters order by 1")
    assert letters == [{"at": at, "sqlstate": "23514"} for at in (97, 98, 99)]
    found = rows(owner, "select id, age from live order by id")
    assert found == [{"id": 0, "age": 116}, {"id": 1, "age": 114}, {"id": 2, "age": 115}]


def test_a_look_at_the_table_waits_for_nobodys_row(
    owner: psycopg.Connection[DictRow], write: Callable[..., None]
) -> None:
    owner.execute(b"alter table live alter age type smallint")
    with owner.transaction():
        owner.execute(b"insert into live select id, '', 20 from generate_series(-5, 5) as id")
        write(made(6, age=70000))  # alone, so that a sample is tried
    assert len(rows(owner, "select from grnry.dead_letters")) == 1


@pytest.mark.parametrize("is_alone", [True, False])
def test_what_a_new_version_takes_is_no_dead_letter_of_the_old_one(
    owner: psycopg.Connection[DictRow], worker_database_url: str, *, is_alone: bool
) -> None:
    """It was read before this worker knew the version; what comes after it perhaps was not."""
    add = (
        "insert into grnry.event_type_versions (name, version, eventstore_ttl, schema_document)"
        " values ('live', %s, 'P1D', %s)"
    )
    any_age = {**SCHEMA["properties"], "age": {"type": "integer", "minimum": -5}}
    adults = {**any_age, "age": {"type": "integer", "minimum": 18}}
    owner.execute(add.encode(), [2, json.dumps({**SCHEMA, "properties": adults})])
    writer, target = a_writer(worker_database_url)
    batch = Batch.of([made(1, age=3), made(2, age=-9)], target)
    assert len(batch.dead) == 2
    owner.execute(add.encode(), [3, json.dumps({**SCHEMA, "properties": any_age})])
    if not is_alone:
        writer.write(Batch.of([made(0, age=20)], target))
        batch.add([made(3, age=4)], target)
    writer.write(batch)
    writer.disconnect()
    found = rows(owner, "select id from live where age < 18 order by id")
    assert [row["id"] for row in found] == ([1] if is_alone else [1, 3])
    assert rows(owner, "select record_offset as at from grnry.dead_letters") == [{"at": 2}]


@pytest.mark.parametrize("later", [{}, {"id": 2, "age": 20}], ids=["another", "the same id"])
def test_where_none_may_be_left_out_all_before_the_first_refused_is_stored(
    owner: psycopg.Connection[DictRow], worker_database_url: str, later: dict[str, Any]
) -> None:
    """Also where the reader refuses a later one, and where the batch goes on with the same id."""
    owner.execute(b"alter table live add check (age >= 18)")
    writer, target = a_writer(worker_database_url, has_dead_letters=False)
    wrong = made(4, age="old")
    records = (made(1, age=20), made(2, age=7), made(3, age=20), wrong, made(5, **later))
    with pytest.raises(Refused, match=r"partition 0, offset 2: .*violates check constraint"):
        writer.write(Batch.of(records, target))
    writer.disconnect()
    assert rows(owner, "select id from live") == [{"id": 1}]
    assert rows(owner, "select next_offset from grnry.leases") == [{"next_offset": 2}]
    assert rows(owner, "select from grnry.dead_letters") == []


def test_of_a_thousand_refused_records_of_one_id_the_first_one_is_named(
    owner: psycopg.Connection[DictRow], worker_database_url: str
) -> None:
    """Only the last of an id is given to the database, so each is refused when it is the last."""
    owner.execute(b"alter table live add check (age >= 18)")
    writer, target = a_writer(worker_database_url, has_dead_letters=False)
    records = [made(1, age=20), *(made(at, id=2, age=7) for at in range(2, 1200))]
    with pytest.raises(Refused, match="partition 0, offset 2: "):
        writer.write(Batch.of(records, target))
    writer.disconnect()
    assert rows(owner, "select id from live") == [{"id": 1}]
    assert rows(owner, "select next_offset from grnry.leases") == [{"next_offset": 2}]
