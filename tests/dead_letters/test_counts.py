"""What is counted of dead letters is what is there, and pages show each of them once."""

import random
import threading
from collections import Counter
from typing import Any

import psycopg
import pytest

from grnry.database.pool import Database
from grnry.database.sql import SQL
from grnry.dead_letters import counts, store
from grnry.dead_letters.model import OPEN, LetterState, Selection

NAMES = ("one", "other")
STATES = [*((state,) for state in LetterState), OPEN, tuple(LetterState)]
ADD = """
insert into grnry.dead_letters
  (deployment, topic, partition, record_offset, reason, sqlstate, state)
select %(name)s, 't', n %% 3, %(first)s + n, 'reason ' || n %% %(reasons)s,
  case when n %% 2 = 0 then '22P02' end, %(state)s
from generate_series(1, %(many)s) as n
on conflict do nothing
"""
CHANGES = (
    "update grnry.dead_letters set state = 'queued' where id %% 3 = %(chance)s",
    "update grnry.dead_letters set state = 'replayed', last_reason = null where id %% 5 = 1",
    """
    update grnry.dead_letters
    set state = 'failed', last_reason = 'again', last_sqlstate = '23514' where id %% 7 = %(chance)s
    """,
    "update grnry.dead_letters set warned_at = now() where id %% 4 = %(chance)s",
    "update grnry.dead_letters set copied_at = now() where id %% 2 = %(chance)s %% 2",
    "delete from grnry.dead_letters where id %% 11 = %(chance)s",
)
RIGHTS = "grant update, delete on grnry.dead_letters to grnry_worker"


def truth(database: Database, name: str) -> list[dict[str, Any]]:
    with database.transaction() as transaction:
        return transaction.rows(
            SQL(
                "select id, state, coalesce(last_reason, reason) as reason, warned_at,"
                " case when last_reason is null then sqlstate else last_sqlstate end as sqlstate,"
                " partition, record_offset, failed_at"
                " from grnry.dead_letters where deployment = %(name)s order by id"
            ),
            name=name,
        )


def compare(database: Database) -> None:
    for name in NAMES:
        rows = truth(database, name)
        with database.transaction() as transaction:
            for states in STATES:
                source, reasons = store.tally(transaction, name, "calls", states)
                told = {(each.reason, each.sqlstate): each.count for each in reasons}
                asked = [row for row in rows if row["state"] in states]
                assert told == Counter((row["reason"], row["sqlstate"]) for row in asked)
            found = {state: count for state, count in source.counts.items() if count}
            assert found == Counter(row["state"] for row in rows)
            waiting = [row for row in rows if row["state"] in OPEN]
            assert source.expiring == sum(row["warned_at"] is not None for row in waiting)
            assert source.oldest == min((row["failed_at"] for row in waiting), default=None)
            if waiting:
                why = Selection(OPEN, waiting[0]["reason"])
                assert store.count(transaction, name, why) == sum(
                    row["reason"] == why.reason for row in waiting
                )


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_what_is_there(database: Database, worker_database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    with database.transaction() as transaction:
        transaction.run(SQL(RIGHTS))
    with psycopg.connect(worker_database_url, autocommit=True) as worker:
        for step in range(25):
            values = {
                "name": chance.choice(NAMES),
                "state": chance.choice(list(LetterState)).value,
                "many": chance.randrange(40),
                "first": chance.randrange(100),
                "reasons": chance.randrange(1, 9),
                "chance": chance.randrange(7),
            }
            worker.execute(chance.choice((ADD, *CHANGES)).encode(), values)
            if chance.random() < 0.3:
                with worker.transaction(force_rollback=True):
                    worker.execute(ADD.encode(), values)
            if chance.random() < 0.3:
                counts.sum_up(database, threading.Event())
            if step % 5 == 4:
                compare(database)
    counts.sum_up(database, threading.Event())
    compare(database)
    with database.transaction() as transaction:
        (left,) = transaction.rows(
            SQL(
                "select count(*) filter (where is_fresh) as fresh,"
                " count(*) - count(distinct (deployment, state, reason, sqlstate)) as double,"
                " count(*) filter (where letters = 0 and warned = 0) as nothing"
                " from grnry.dead_letter_counts"
            )
        )
    assert left == {"fresh": 0, "double": 0, "nothing": 0}


def test_two_who_sum_up_at_once_lose_nothing(database: Database, database_url: str) -> None:
    another = Database(database_url).open()
    stop = threading.Event()

    def sum_up() -> None:
        while not stop.is_set():
            counts.sum_up(another, threading.Event())

    thread = threading.Thread(target=sum_up)
    thread.start()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for first in range(0, 600, 20):
            values = {"name": "one", "state": "failed", "many": 20, "first": first, "reasons": 3}
            connection.execute(ADD.encode(), values)
            counts.sum_up(database, threading.Event())
    stop.set()
    thread.join()
    another.close()
    compare(database)


def test_pages_show_each_once_and_in_order(database: Database) -> None:
    with database.transaction() as transaction:
        for number, state in enumerate([*LetterState, *LetterState]):
            transaction.run(
                SQL(ADD), name="one", state=state.value, many=9, first=number * 20, reasons=2
            )
    rows = truth(database, "one")
    with database.transaction() as transaction:
        for states in STATES:
            for reason in (None, "reason 1"):
                selection = Selection(states, reason)
                wanted = [
                    (row["partition"], row["record_offset"])
                    for row in rows
                    if row["state"] in states and reason in (None, row["reason"])
                ]
                for size in (1, 7, 100):
                    shown = []
                    for skipped in range(0, len(wanted) + 2 * size, size):
                        found = store.page(
                            transaction,
                            "one",
                            selection,
                            limit=size,
                            skipped=skipped,
                            total=len(wanted),
                        )
                        assert len(found) <= size
                        shown += [(letter.partition, letter.offset) for letter in found]
                    assert shown == wanted, (states, reason, size)


def test_of_two_at_one_place_the_later_is_meant(database: Database) -> None:
    """A topic was made again."""
    with database.transaction() as transaction:
        for hour in (1, 2):
            transaction.run(
                SQL(
                    "insert into grnry.dead_letters"
                    " (deployment, topic, partition, record_offset, record_time, reason)"
                    " values ('one', 't', 0, 7, to_timestamp(%(hour)s), %(reason)s)"
                ),
                hour=hour,
                reason=f"reason {hour}",
            )
        place = Selection(partition=0, offset=7)
        found = store.letter(transaction, "one", place)
        assert found is not None
        assert found.reason == "reason 2"
        assert store.edit(transaction, "one", place, b"{}") == 1
        assert store.queue(transaction, "one", place, "me", forced=False) == 1
        assert store.drop(transaction, "one", place) == 1
        found = store.letter(transaction, "one", place)
        assert found is not None
        assert (found.reason, found.state, found.is_edited) == ("reason 1", "failed", False)


def test_workers_cannot_count(worker_database_url: str) -> None:
    with psycopg.connect(worker_database_url, autocommit=True) as worker:
        for statement in (
            "select * from grnry.dead_letter_counts",
            "update grnry.dead_letter_counts set letters = 0",
            "insert into grnry.dead_letter_counts default values",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(statement.encode())


def test_states_are_all_asked_for() -> None:
    """A page goes through the states by name."""
    statement = store._queries().page.as_string(None)
    assert all(f"state = '{state.value}'" in statement for state in LetterState)
