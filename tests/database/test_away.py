"""A server that is killed, frozen, full or read-only, with real processes and signals."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from grnry.database.embedded import EmbeddedPostgres
from grnry.database.pool import Database
from grnry.database.transaction import Collision, DatabaseAway, Reading, Transaction
from grnry.errors import ServiceAway
from tests.conftest import PASSWORD, free_port, wait_for

ONE = sql.SQL("select 1")
SLEEP = sql.SQL("select pg_sleep(30)")
# Far below what a time-out would take, far above what a busy machine takes.
AT_ONCE = 2.0
ANSWER_SECONDS = 1.0


class Server:
    """One of our own, to be mistreated."""

    def __init__(self, folder: Path) -> None:
        (folder / "run").mkdir()
        self.postgres = EmbeddedPostgres(
            folder / "postgres", folder / "run", free_port(), PASSWORD, PASSWORD
        )
        self._log = (folder / "postgres.log").open("w")
        self.start()

    def start(self, extra: str = "") -> None:
        self.postgres.folder.mkdir(exist_ok=True)
        (self.postgres.folder / "extra.conf").write_text(extra)
        self.postgres.make()
        self.process = subprocess.Popen(self.postgres.command(), stderr=self._log)
        wait_for(self.postgres.is_ready, what="PostgreSQL is ready")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def close(self) -> None:
        self.stop()
        self._log.close()

    def pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, children.read_text().split())]

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        # The postmaster first, so that it makes no more of them.
        os.kill(self.process.pid, signal.SIGSTOP)
        stopped = self.pids()
        for pid in stopped[1:]:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                # One that was ending is reaped as soon as the postmaster goes on.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def url(self, role: str = "grnry") -> str:
        return self.postgres.url(role, PASSWORD, socket=False)

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url(), autocommit=True)


@pytest.fixture(scope="module")
def victim() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="grnry-test-"))
    server = Server(folder)
    yield server
    server.close()
    shutil.rmtree(folder)


@pytest.fixture
def pool(victim: Server) -> Iterator[Database]:
    pool = Database(victim.url(), size=4, answer_seconds=ANSWER_SECONDS).open()
    yield pool
    pool.close()


def ask(pool: Database) -> object:
    with pool.transaction() as transaction:
        return transaction.value(ONE)


def read(pool: Database) -> object:
    with pool.reading() as reading:
        return reading.value(ONE)


Asking = Callable[[Database], object]
either_way = pytest.mark.parametrize("asking", [ask, read])


def fill(pool: Database) -> None:
    """So that all connections of the pool are open and rest."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(pool.transaction())
    assert pool.statistics().resting == 4


def seconds_to_refusal(pool: Database, asking: Asking = ask) -> float:
    began = time.monotonic()
    with pytest.raises(ServiceAway):
        asking(pool)
    return time.monotonic() - began


@either_way
def test_killed_and_started_again(victim: Server, pool: Database, asking: Asking) -> None:
    fill(pool)
    victim.kill()
    assert sum(seconds_to_refusal(pool, asking) for _ in range(5)) < AT_ONCE
    victim.start()
    assert asking(pool) == 1
    assert pool.statistics().failures == 5


def test_stopped_in_the_middle_of_a_transaction(victim: Server, pool: Database) -> None:
    with pytest.raises(DatabaseAway), pool.transaction() as transaction:
        transaction.value(ONE)
        victim.stop()
        transaction.value(ONE)
    victim.start()
    assert ask(pool) == 1


def test_stopped_between_two_questions(victim: Server, pool: Database) -> None:
    fill(pool)
    with pytest.raises(DatabaseAway), pool.reading() as reading:
        reading.value(ONE)
        victim.stop()
        reading.value(ONE)
    victim.start()
    assert read(pool) == 1


def end_all_sessions(victim: Server) -> None:
    with victim.connect() as other:
        other.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where usename = 'grnry' and pid <> pg_backend_pid()"
        )


@either_way
def test_all_sessions_ended_at_once(victim: Server, pool: Database, asking: Asking) -> None:
    fill(pool)
    end_all_sessions(victim)
    # None of them is noticed by a caller.
    assert asking(pool) == 1
    assert pool.statistics().failures == 0


@either_way
def test_a_session_that_ends_between_the_look_and_the_question(
    victim: Server, pool: Database, monkeypatch: pytest.MonkeyPatch, asking: Asking
) -> None:
    fill(pool)
    end_all_sessions(victim)
    monkeypatch.setattr("grnry.database.pool._is_usable", lambda _: True)
    assert asking(pool) == 1
    assert pool.statistics().failures == 0


def test_a_session_that_has_rested_is_replaced_once(victim: Server, pool: Database) -> None:
    fill(pool)
    with pool.reading() as reading:
        end_all_sessions(victim)
        assert reading.value(ONE) == 1
        end_all_sessions(victim)
        with pytest.raises(psycopg.OperationalError):
            reading.value(ONE)
    assert read(pool) == 1


@either_way
def test_frozen(victim: Server, pool: Database, asking: Asking) -> None:
    fill(pool)
    with victim.frozen():
        # The first ones are held for as long as an answer may take, and no longer.
        began = time.monotonic()
        held = [threading.Thread(target=seconds_to_refusal, args=(pool, asking)) for _ in range(4)]
        for thread in held:
            thread.start()
        for thread in held:
            thread.join(30)
        assert ANSWER_SECONDS <= time.monotonic() - began < ANSWER_SECONDS + 5
        # From then on a sign of life is asked for first.
        assert max(seconds_to_refusal(pool, asking) for _ in range(3)) < AT_ONCE
    wait_for(lambda: _answers(pool), what="it has recovered by itself")
    assert asking(pool) == 1


def _answers(pool: Database) -> bool:
    try:
        return ask(pool) == 1
    except DatabaseAway:
        return False


@pytest.mark.parametrize("block", [Database.transaction, Database.reading])
def test_a_statement_that_takes_too_long(
    victim: Server, pool: Database, block: Callable[[Database], AbstractContextManager[Reading]]
) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseAway), block(pool) as reading:
        reading.value(SLEEP)
    assert time.monotonic() - began < ANSWER_SECONDS + 5
    # The server has ended it too; the connection is good still.
    with victim.connect() as other:
        running = (
            "select count(*) from pg_stat_activity where query like '%pg_sleep(30)'"
            " and state = 'active' and pid <> pg_backend_pid()"
        )
        row = other.execute(running).fetchone()
    assert row == (0,)
    assert pool.statistics().resting == 1
    assert ask(pool) == 1


def test_a_lock_that_another_keeps(victim: Server, pool: Database) -> None:
    with victim.connect() as other:
        other.execute("create table if not exists public.kept (i int)")
        other.execute("begin; lock table public.kept")
        with pytest.raises(DatabaseAway), pool.transaction() as transaction:
            transaction.value(sql.SQL("select count(*) from public.kept"))
        other.execute("rollback")
    assert ask(pool) == 1


def test_no_connection_is_left(victim: Server, pool: Database) -> None:
    victim.stop()
    victim.start("max_connections = 8\nreserved_connections = 2\nautovacuum = off\n")
    taken: list[psycopg.Connection] = []
    try:
        with pytest.raises(psycopg.OperationalError):
            taken.extend(victim.connect() for _ in range(9))
        assert seconds_to_refusal(pool) < AT_ONCE
        taken.pop().close()
        wait_for(lambda: _answers(pool), what="the place is free")
    finally:
        for connection in taken:
            connection.close()
        victim.stop()
        victim.start()
    assert ask(pool) == 1


def test_others_cannot_take_the_last_connections(victim: Server, pool: Database) -> None:
    victim.stop()
    victim.start("max_connections = 8\nreserved_connections = 3\nautovacuum = off\n")
    with victim.connect() as platform:
        platform.execute("drop role if exists somebody")
        platform.execute(f"create role somebody login password '{PASSWORD}'".encode())
        platform.execute("grant connect on database grnry to somebody")
    taken: list[psycopg.Connection] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="reserved"):
            taken.extend(psycopg.connect(victim.url("somebody"), autocommit=True) for _ in range(9))
        assert ask(pool) == 1
    finally:
        for connection in taken:
            connection.close()
        victim.stop()
        victim.start()


def test_read_only_as_after_a_failover(victim: Server, pool: Database) -> None:
    make = sql.SQL("create table public.made ()")
    victim.stop()
    victim.start("default_transaction_read_only = on\n")
    with pytest.raises(DatabaseAway), pool.transaction() as transaction:
        transaction.run(make)
    # No connection to such a server is kept: the next one asks anew where the primary is.
    assert pool.statistics().resting == 0
    victim.stop()
    victim.start()
    with pool.transaction() as transaction:
        transaction.run(make)


def test_wrong_is_not_away(pool: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), pool.transaction() as transaction:
        transaction.value(sql.SQL("select count(*) from public.nothing"))
    assert pool.statistics().failures == 0


# Collisions ---------------------------------------------------------------------------------------


@pytest.fixture
def counters(victim: Server) -> Iterator[None]:
    with victim.connect() as connection:
        connection.execute("create table public.counters (id int primary key, n int not null)")
        connection.execute("insert into public.counters select i, 0 from generate_series(1, 2) i")
        yield
        connection.execute("drop table public.counters")


def in_threads(several: int, work: Callable[[], object]) -> list[BaseException]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(several)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


@pytest.mark.usefixtures("counters")
def test_serialization_failures_are_done_anew(victim: Server) -> None:
    # So many tries that three in a row of bad luck do not matter.
    pool = Database(victim.url(), size=3, answer_seconds=20).open()
    serializable = sql.SQL("set transaction isolation level serializable")
    read = sql.SQL("select n from public.counters where id = 1")
    add = sql.SQL("update public.counters set n = %(n)s + 1 where id = 1")

    def work(transaction: Transaction) -> None:
        transaction.run(serializable)
        transaction.run(add, n=transaction.value(read))

    def until_done() -> None:
        for _ in range(10):
            while True:
                with contextlib.suppress(Collision):
                    pool.run(work)
                    break

    assert in_threads(3, until_done) == []
    with pool.transaction() as transaction:
        assert transaction.value(read) == 30
    assert pool.statistics().retries > 0
    pool.close()


@pytest.mark.usefixtures("counters")
def test_deadlocks_are_done_anew(victim: Server) -> None:
    pool = Database(victim.url(), size=2, answer_seconds=20).open()
    add = sql.SQL("update public.counters set n = n + 1 where id = %(id)s")
    meet = threading.Barrier(2)
    rounds: list[list[int]] = [[1, 2], [2, 1]]

    def cross() -> None:
        order = rounds.pop()
        is_first = True

        def work(transaction: Transaction) -> None:
            nonlocal is_first
            transaction.run(add, id=order[0])
            if is_first:
                is_first = False
                meet.wait(30)
            transaction.run(add, id=order[1])

        pool.run(work)

    assert in_threads(2, cross) == []
    with pool.transaction() as transaction:
        total = sql.SQL("select sum(n)::int from public.counters")
        assert transaction.value(total) == 4
    assert pool.statistics().retries == 1
    pool.close()


def test_what_always_collides_is_given_up(pool: Database) -> None:
    tries = 0

    def work(transaction: Transaction) -> None:
        nonlocal tries
        tries += 1
        transaction.run(sql.SQL("do $$ begin raise serialization_failure; end $$"))

    with pytest.raises(Collision):
        pool.run(work)
    assert tries == 5


# Figures ------------------------------------------------------------------------------------------


def test_figures(pool: Database) -> None:
    at_rest = pool.statistics()
    assert (at_rest.size, at_rest.in_use, at_rest.connects) == (4, 0, 0)
    entered, leave = threading.Barrier(5), threading.Event()

    def hold() -> None:
        with pool.transaction():
            entered.wait(30)
            leave.wait(30)

    holders = [threading.Thread(target=hold) for _ in range(4)]
    waiter = threading.Thread(target=ask, args=(pool,))
    for thread in holders:
        thread.start()
    entered.wait(30)
    waiter.start()
    wait_for(lambda: pool.statistics().waiting == 1, what="one waits")
    assert pool.statistics().in_use == 4
    leave.set()
    for thread in (*holders, waiter):
        thread.join(30)
    after = pool.statistics()
    assert (after.in_use, after.waiting, after.waits, after.transactions) == (0, 0, 1, 5)
    assert after.connects == after.resting == 4
    assert after.wait_seconds > 0


def test_the_numbers_add_up_whatever_happens(pool: Database) -> None:
    def use() -> None:
        for _ in range(20):
            block = random.choice([pool.transaction, pool.reading])
            with contextlib.suppress(psycopg.Error, ServiceAway), block() as reading:
                reading.value(sql.SQL(random.choice(["select 1", "select 1 / 0"])))

    assert in_threads(6, use) == []
    after = pool.statistics()
    assert (after.in_use, after.waiting) == (0, 0)
    assert 1 <= after.resting <= 4
