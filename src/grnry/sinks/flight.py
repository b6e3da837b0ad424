"""A transaction whose end is on its way to the server, and nobody waits for the answer yet."""

import contextlib
from collections.abc import Sequence

import psycopg

from grnry.sinks.batch import Batch
from grnry.sinks.target import Connection, Statement


class Flight:
    """A batch whose rows the server has, in a transaction that goes on without us.

    The server runs the statements one after the other and commits; after the first that fails it
    runs none, and nothing is stored.
    """

    def __init__(
        self, connection: Connection, batch: Batch, statements: Sequence[Statement]
    ) -> None:
        self.batch = batch
        self.connection = connection
        self._pipeline = contextlib.ExitStack()
        self._pipeline.enter_context(connection.pipeline())
        for query, values in statements:
            connection.execute(query, values)
        connection.execute("commit")

    def land(self) -> None:
        """Wait until all is stored. Raises the database's error where nothing is, or who knows."""
        try:
            self._pipeline.close()
        except psycopg.Error:
            roll_back(self.connection)
            raise

    def abandon(self) -> None:
        """Of a connection that is closed: nobody knows how it ends."""
        with contextlib.suppress(psycopg.Error):
            self._pipeline.close()


def roll_back(connection: Connection) -> None:
    """End what is begun; a connection that cannot is closed."""
    try:
        connection.execute("rollback")
    except psycopg.Error:
        connection.close()
