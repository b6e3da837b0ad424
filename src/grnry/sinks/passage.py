"""A batch's way into the database, in steps of which none waits longer than it has to.

`__init__`  its COPY is begun
`bring`     its lines are on their way
`finish`    they are there; what is left, and the commit, are on their way
`land`      it is committed
"""

import contextlib

import psycopg
from psycopg.pq import TransactionStatus

from grnry.sinks.batch import Batch
from grnry.sinks.target import Connection, Load, Statement


class Passage:
    """One transaction, which is begun. Every step raises the database's errors."""

    def __init__(self, connection: Connection, batch: Batch, load: Load) -> None:
        self.connection = connection
        self.batch = batch
        self._load = load
        self._steps = contextlib.ExitStack()
        self._copy: psycopg.Copy | None = None
        if load.copy is not None:
            self._copy = self._steps.enter_context(connection.cursor().copy(load.copy))

    def bring(self) -> None:
        if self._copy is not None:
            self._copy.write(self._load.data)

    def finish(self, first: Statement) -> None:
        """The server does what is left and commits; after what fails it does nothing more."""
        self._steps.close()
        self._steps.enter_context(self.connection.pipeline())
        for query, values in (first, *self._load.rest):
            self.connection.execute(query, values)
        self.connection.execute("commit")

    def land(self) -> None:
        """Nothing is stored where this raises; or nobody knows, of a connection that broke."""
        self._steps.close()
        if self.connection.info.transaction_status is not TransactionStatus.IDLE:
            raise psycopg.OperationalError("nobody knows whether it is committed")

    def give_up(self) -> None:
        """Leave nothing behind. A connection that is closed leaves nothing, or nobody knows."""
        with contextlib.suppress(psycopg.Error, _GivenUp):
            self._steps.__exit__(_GivenUp, _GivenUp(), None)
        roll_back(self.connection)


class _GivenUp(Exception):  # noqa: N818 - what a COPY is ended with
    """The batch is not stored this way."""


def roll_back(connection: Connection) -> None:
    """End what is begun; a connection that cannot is closed."""
    try:
        connection.execute("rollback")
    except psycopg.Error:
        connection.close()
