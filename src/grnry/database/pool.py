"""The platform's database: a pool of connections and its transactions.

A pool of its own, as a request has to learn at once that the database is away: whoever finds no
usable connection at rest makes one in its own thread, so that a refusal is its answer within
milliseconds and the first request after the database's return finds it.
"""

import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow

from grnry.database.connection import ANSWER_SECONDS, Address, Connection, Silent, connect
from grnry.database.transaction import (
    Collision,
    DatabaseAway,
    Reading,
    Row,
    Statement,
    Transaction,
    foreign_errors,
)

# How long a request waits for a place while all connections are at work.
BUSY_SECONDS = 3
IDLE_SECONDS = 60
# How often work is done anew that collided with another's, and the pause before the second time.
ATTEMPTS = 5
PAUSE_SECONDS = 0.01

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """The pool at this moment, and what it has counted since it was made."""

    size: int
    """How many transactions may run at the same time."""
    in_use: int
    resting: int
    """Open connections that wait for work."""
    waiting: int
    """Callers that wait for a place at this moment."""
    waits: int
    """How often a caller had to wait for a place."""
    wait_seconds: float
    """How long callers have waited, all together."""
    transactions: int
    connects: int
    """Connections made; far more than `size` says that they do not last."""
    failures: int
    """Transactions refused or broken off because the database was away."""
    retries: int
    """Transactions done anew because they collided with others."""


class Database:
    """Transactions on pooled connections; away is told from wrong."""

    def __init__(
        self,
        url: str,
        *,
        size: int = 8,
        application: str = "grnry",
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._url = url
        self._address = Address(url)
        self._application = application
        self._answer_seconds = answer_seconds
        self._size = size
        self._places = threading.BoundedSemaphore(size)
        self._resting: deque[tuple[float, Connection]] = deque()
        self._closed = False
        # Whether the server has left somebody without an answer: then it is asked for a sign of
        # life first, so that not every request waits for as long.
        self._may_be_frozen = False
        self._counting = threading.Lock()
        self._counted = dict.fromkeys(_COUNTED, 0)
        self._wait_seconds = 0.0

    def open(self) -> "Database":
        self._closed = False
        return self

    def close(self) -> None:
        self._closed = True
        self._forget()

    def statistics(self) -> PoolStatistics:
        with self._counting:
            counted, waited = dict(self._counted), self._wait_seconds
        return PoolStatistics(
            size=self._size, resting=len(self._resting), wait_seconds=waited, **counted
        )

    def check(self) -> None:
        """Raise `DatabaseAway` unless the database answers."""
        with self.reading() as reading:
            reading.value(sql.SQL("select 1"))

    def run(self, work: Callable[[Transaction], Result]) -> Result:
        """Do the work in a transaction, and anew where it collided with another's.

        Nothing of a transaction that collided is kept, so the work has to change the database only.
        """
        for attempt in range(1, ATTEMPTS):
            try:
                with self.transaction() as transaction:
                    return work(transaction)
            except Collision:
                self._count(retries=1)
                # Two that collided do not come back at the same moment.
                time.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311
        with self.transaction() as transaction:
            return work(transaction)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits at the end, rolls back on any exception."""
        with self._watched(), self._place(), ExitStack() as stack:
            connection = self._begin(stack)
            try:
                yield Transaction(connection)
            except psycopg.errors.ReadOnlySqlTransaction:
                # The server has become a standby: another is the one to ask.
                connection.is_stale = True
                self._forget()
                raise

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """For what only reads: it is not asked to begin and to commit, which costs two journeys."""
        with self._watched(), self._place():
            self._look_for_life()
            rested = self._take()
            session = _Session(rested or self._connect(), self._connect if rested else None)
            try:
                yield session
            finally:
                self._give_back(session.connection)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            with foreign_errors():
                yield
        except DatabaseAway as away:
            self._may_be_frozen |= isinstance(away.__cause__, Silent)
            self._count(failures=1)
            raise

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            self._wait_for_place()
        self._count(in_use=1, transactions=1)
        try:
            yield
        finally:
            self._count(in_use=-1)
            self._places.release()

    def _wait_for_place(self) -> None:
        began = time.monotonic()
        self._count(waiting=1, waits=1)
        try:
            if not self._places.acquire(timeout=BUSY_SECONDS):
                raise DatabaseAway("All connections to the database are at work. Try again.")
        finally:
            self._count(waiting=-1, seconds=time.monotonic() - began)

    def _begin(self, stack: ExitStack) -> Connection:
        """A connection in a transaction; the stack ends the one and gives back the other."""
        self._look_for_life()
        while True:
            rested = self._take()
            connection = rested or self._connect()
            block = connection.transaction()
            try:
                block.__enter__()
            except psycopg.OperationalError as error:
                connection.close()
                # What has rested may have ended this very moment; what is new may not.
                if rested is None or isinstance(error, Silent):
                    raise
            else:
                stack.callback(self._give_back, connection)
                stack.push(block)
                return connection

    def _look_for_life(self) -> None:
        if not self._may_be_frozen:
            return
        try:
            self._address.reach(is_alive=False)
        except OSError as error:
            raise DatabaseAway from error
        self._may_be_frozen = False

    def _take(self) -> Connection | None:
        """One that rests and is good, the one used last first."""
        while self._resting:
            try:
                _, connection = self._resting.pop()
            except IndexError:  # another thread was faster
                break
            if _is_usable(connection):
                return connection
            connection.close()
        return None

    def _connect(self) -> Connection:
        try:
            self._address.reach()
        except OSError as error:
            raise DatabaseAway from error
        try:
            connection = connect(self._url, self._application, self._answer_seconds)
        except psycopg.errors.ConnectionTimeout as error:
            raise Silent("The database did not answer to the connection.") from error
        self._count(connects=1)
        return connection

    def _give_back(self, connection: Connection) -> None:
        is_idle = connection.info.transaction_status == TransactionStatus.IDLE
        if self._closed or connection.is_stale or not is_idle:
            connection.close()
            return
        self._resting.append((time.monotonic(), connection))
        self._let_go()

    def _let_go(self) -> None:
        """Close what has rested for long; the one used last always stays."""
        while len(self._resting) > 1:
            try:
                since, connection = self._resting.popleft()
            except IndexError:
                return
            if time.monotonic() - since < IDLE_SECONDS:
                self._resting.appendleft((since, connection))
                return
            connection.close()

    def _forget(self) -> None:
        while self._resting:
            try:
                self._resting.pop()[1].close()
            except IndexError:
                return

    def _count(self, *, seconds: float = 0.0, **changes: int) -> None:
        with self._counting:
            self._wait_seconds += seconds
            for name, change in changes.items():
                self._counted[name] += change


class _Session(Reading):
    """Reads by a connection that has rested, or by a new one where that turns out to have ended."""

    connection: Connection

    def __init__(self, connection: Connection, renew: Callable[[], Connection] | None) -> None:
        super().__init__(connection)
        self._renew = renew

    def _execute(
        self, statement: Statement, values: Row, *, prepare: bool | None = None
    ) -> psycopg.Cursor[DictRow]:
        renew, self._renew = self._renew, None
        try:
            return super()._execute(statement, values, prepare=prepare)
        except psycopg.OperationalError as error:
            if renew is None or not self.connection.closed or isinstance(error, Silent):
                raise
        self.connection = renew()
        return super()._execute(statement, values, prepare=prepare)


_COUNTED = ("in_use", "waiting", "waits", "transactions", "connects", "failures", "retries")


def _is_usable(connection: Connection) -> bool:
    """A resting connection has nothing to say unless its server is going away or gone."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)
