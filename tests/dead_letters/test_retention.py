"""What is old is said before it is dropped."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from grnry.database import sql
from grnry.database.pool import Database
from grnry.dead_letters.retention import AT_ONCE, Retention

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAYS = 30


def add(database: Database, age: timedelta, state: str = "failed", count: int = 1) -> None:
    with database.transaction() as transaction:
        transaction.run(
            sql.SQL(
                "insert into grnry.dead_letters (deployment, topic, partition, record_offset,"
                " reason, state, failed_at) select 'some', 'topic', 0, coalesce("
                " (select max(record_offset) from grnry.dead_letters), 0) + number, 'bad',"
                " %(state)s, %(at)s from generate_series(1, %(count)s) as number"
            ),
            at=NOW - age,
            state=state,
            count=count,
        )


def ages(database: Database) -> list[int]:
    with database.transaction() as transaction:
        rows = transaction.rows(sql.SQL("select failed_at from grnry.dead_letters order by 1"))
    return [(NOW - row["failed_at"]).days for row in rows]


def days(number: int) -> timedelta:
    return timedelta(days=number)


def test_it_is_said_a_week_before(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    for age in (22, 24, 29):
        add(database, days(age))
    retention = Retention(database, DAYS)
    retention.keep(NOW)
    assert (retention.warned, retention.dropped) == (2, 0)
    (said,) = caplog.messages
    assert said.startswith("2 dead letters of some will be dropped from 2026-11-28 12:00 UTC on.")
    caplog.clear()
    retention.keep(NOW + days(6))
    assert ages(database) == [29, 24, 22]
    (said,) = caplog.messages
    assert said.startswith("1 dead letters of some will be dropped from 2026-12-04 12:00 UTC on.")
    caplog.clear()
    retention.keep(NOW + days(7))
    assert ages(database) == [22]
    (said,) = caplog.messages
    assert said == "Dropped 2 dead letters of some, 30 days old and never replayed."
    assert (retention.warned, retention.dropped) == (3, 2)


def test_what_is_overdue_is_said_first_as_well(database: Database) -> None:
    add(database, days(400))
    retention = Retention(database, DAYS)
    retention.keep(NOW)
    retention.keep(NOW + days(6))
    assert retention.dropped == 0
    retention.keep(NOW + days(7))
    assert ages(database) == []


def test_of_a_short_time_half_is_notice(database: Database) -> None:
    add(database, days(0))
    retention = Retention(database, 1)
    retention.keep(NOW + timedelta(hours=11))
    assert retention.warned == 0
    retention.keep(NOW + timedelta(hours=13))
    assert retention.warned == 1
    retention.keep(NOW + timedelta(hours=24, minutes=30))
    assert retention.dropped == 0
    retention.keep(NOW + timedelta(hours=25, minutes=1))
    assert retention.dropped == 1


def test_many_and_those_that_are_done_with(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    add(database, days(40), "replayed", 10)
    add(database, days(40), "failed", 2 * AT_ONCE + 1)
    caplog.set_level(logging.WARNING)
    retention = Retention(database, DAYS)
    retention.keep(NOW)
    assert retention.warned == 2 * AT_ONCE + 1
    retention.keep(NOW + days(7))
    assert retention.dropped == 2 * AT_ONCE + 1
    assert ages(database) == []
