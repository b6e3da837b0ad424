"""The platform's database: a pool of connections and its transactions.

A pool of its own, as a request has to learn at once that the database is away: whoever finds no
usable connection at rest makes one in its own thread, so that a refusal is its answer within
milliseconds and the first request after the database's return finds it.
"""

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from grnry.database.transaction import DatabaseAway, Transaction, foreign_errors

CONNECT_SECONDS = 3
# How long a host may take to answer a TCP connection; a host that is off answers nothing.
REACH_SECONDS = 0.5
# How long a request waits for a place while all connections are at work.
BUSY_SECONDS = 3
IDLE_SECONDS = 60

Connection = psycopg.Connection[DictRow]


class Database:
    """Transactions on pooled connections; away is told from wrong."""

    def __init__(self, url: str, *, size: int = 8, application: str = "grnry") -> None:
        self._url = url
        self._address = _tcp_address(url)
        self._application = application
        self._places = threading.BoundedSemaphore(size)
        self._resting: deque[tuple[float, Connection]] = deque()
        self._closed = False

    def open(self) -> "Database":
        self._closed = False
        return self

    def close(self) -> None:
        self._closed = True
        while self._resting:
            self._resting.pop()[1].close()

    def check(self) -> None:
        """Raise `DatabaseAway` unless the database answers."""
        with self.transaction() as transaction:
            transaction.value(sql.SQL("select 1"))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits at the end, rolls back on any exception."""
        with foreign_errors(), self._place():
            connection = self._take()
            try:
                with connection.transaction():
                    yield Transaction(connection)
            finally:
                self._give_back(connection)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=BUSY_SECONDS):
            raise DatabaseAway("All connections to the database are at work. Try again.")
        try:
            yield
        finally:
            self._places.release()

    def _take(self) -> Connection:
        while self._resting:
            try:
                _, connection = self._resting.pop()
            except IndexError:  # another thread was faster
                break
            if _is_usable(connection):
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> Connection:
        if self._address:
            try:
                socket.create_connection(self._address, REACH_SECONDS).close()
            except OSError as error:
                raise DatabaseAway from error
        return psycopg.connect(
            self._url,
            row_factory=dict_row,
            application_name=self._application,
            connect_timeout=CONNECT_SECONDS,
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )

    def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.info.transaction_status != TransactionStatus.IDLE:
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


def _is_usable(connection: Connection) -> bool:
    """A resting connection has nothing to say unless its server is going away or gone."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)


def _tcp_address(url: str) -> tuple[str, int] | None:
    """Where to knock before connecting: nowhere for a Unix socket or a list of hosts."""
    parts: dict[str, Any] = conninfo_to_dict(url)
    host, port = str(parts.get("host") or ""), str(parts.get("port") or "5432")
    if not host or host.startswith(("/", "@")) or "," in host or not port.isdecimal():
        return None
    return host, int(port)
