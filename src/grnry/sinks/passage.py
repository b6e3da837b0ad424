"""A batch's way into the database: under load a thread goes it while the writer begins the next.

Its lines are copied at once; what is left and the commit wait until the batch before is committed.
"""

import contextlib
import threading

import psycopg
from psycopg.pq import TransactionStatus

from grnry.sinks.batch import Batch
from grnry.sinks.target import Connection, Load, Statement

TURN_SECONDS = 1.0
"""How long one that holds keys lets the one before it copy, which may be waiting for a key."""


class GaveWay(Exception):  # noqa: N818 - what a passage ends with
    """The batch is not stored this way: others were before it."""


class Passage:
    """One transaction, which is begun, up to its COPY; raises the database's errors."""

    def __init__(self, connection: Connection, batch: Batch, load: Load, moves: Statement) -> None:
        self.connection = connection
        self.batch = batch
        self.error: BaseException | None = None
        self._load = load
        self._moves = moves
        self.is_copied, self.is_written = threading.Event(), threading.Event()
        self._is_over = threading.Event()
        self._steps = contextlib.ExitStack()
        self._copy: psycopg.Copy | None = None
        if load.copy is not None:
            self._copy = self._steps.enter_context(connection.cursor().copy(load.copy))

    def go(self, before: "Passage | None" = None, *, in_file: bool = False) -> None:
        """To the end, which `error` tells; nothing is left behind after one.

        `in_file`: it copies nothing until all of the one before is copied.
        """
        try:
            if before is not None and in_file:
                before.is_copied.wait()
            self._bring()
            if before is not None:
                self._await_turn(before)
            self._write()
            if before is not None:
                self._await_end(before)
            self._commit()
        except BaseException as error:
            self.error = error
            self._give_up()
        finally:
            self.is_copied.set()
            self.is_written.set()
            self._is_over.set()

    @property
    def is_over(self) -> bool:
        return self._is_over.is_set()

    def wait(self) -> None:
        self._is_over.wait()

    def _bring(self) -> None:
        if self._copy is not None:
            for piece in self._load.pieces:
                self._copy.write(piece)
        self._steps.close()
        self.is_copied.set()

    def _await_turn(self, before: "Passage") -> None:
        if self._load.holds_keys and not before.is_copied.wait(TURN_SECONDS):
            raise GaveWay("the batch before may be waiting for a key of this one")
        if self._load.rest_sees_rows:
            self._await_end(before)
        before.is_written.wait()

    def _await_end(self, before: "Passage") -> None:
        before.wait()
        if before.error is not None:
            raise GaveWay("the batch before is not stored")

    def _write(self) -> None:
        for query, values in self._load.rest:
            self.connection.execute(query, values)
        self.is_written.set()

    def _commit(self) -> None:
        """After an offset that does not move nothing is committed."""
        with self.connection.pipeline():
            self.connection.execute(*self._moves)
            self.connection.execute("commit")
        if self.connection.info.transaction_status is not TransactionStatus.IDLE:
            raise psycopg.OperationalError("nobody knows whether it is committed")

    def _give_up(self) -> None:
        """Leave nothing behind. A connection that is closed leaves nothing, or nobody knows."""
        with contextlib.suppress(psycopg.Error, GaveWay):
            self._steps.__exit__(GaveWay, GaveWay(), None)
        roll_back(self.connection)


def roll_back(connection: Connection) -> None:
    """End what is begun; a connection that cannot is closed."""
    try:
        connection.execute("rollback")
    except psycopg.Error:
        connection.close()
