"""The platform's database: a pool of connections and its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from grnry.database.transaction import DatabaseAway, Transaction, foreign_errors

CONNECT_SECONDS = 3


class Database:
    """Transactions on pooled connections; away is told from wrong."""

    def __init__(self, url: str, *, size: int = 8, application: str = "grnry") -> None:
        self._pool = ConnectionPool(
            url,
            kwargs={
                "row_factory": dict_row,
                "application_name": application,
                "connect_timeout": CONNECT_SECONDS,
            },
            connection_class=psycopg.Connection[DictRow],
            min_size=1,
            max_size=size,
            max_idle=60,
            timeout=CONNECT_SECONDS,
            reconnect_timeout=CONNECT_SECONDS,
            check=ConnectionPool.check_connection,
            open=False,
        )

    def open(self) -> "Database":
        self._pool.open()
        return self

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits at the end, rolls back on any exception."""
        with foreign_errors():
            try:
                connection = self._pool.getconn()
            except PoolTimeout as error:
                raise DatabaseAway from error
            try:
                with connection.transaction():
                    yield Transaction(connection)
            finally:
                self._pool.putconn(connection)
