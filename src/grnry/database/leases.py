"""Leases: who may write what a partition gives, and from which offset it goes on.

A sink moves its offsets in the transaction that stores the rows, under the epoch it holds. Whoever
takes a partition over raises the epoch and ends the old owner's backend, so a frozen owner that
wakes up can neither write old values nor hold locks.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import DictRow

from grnry.database import sql
from grnry.database.queries import load
from grnry.errors import GranaryError

logger = logging.getLogger(__name__)

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one partition's rows."""

    epoch: int
    next_offset: int | None
    leader_epoch: int | None = None
    """Of the log, when the record before the next offset was written; where it is known."""


class LeaseLost(GranaryError):  # noqa: N818
    """Another worker has taken partitions over."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self.partitions = frozenset(partitions)
        super().__init__(f"Another worker has taken {len(partitions)} partitions over.")


class NoRoom(GranaryError):  # noqa: N818
    """More than half of the connections that the server takes are open."""


class Leases:
    """The leases of one deployment, as one of its workers holds them."""

    def __init__(self, deployment: str, owner: str) -> None:
        self._deployment = deployment
        self._owner = owner
        self._queries = load("grnry.database", "leases.sql")
        self._must_move = self._queries.composed("must_move", move=self._queries.move)

    def take(
        self,
        connection: psycopg.Connection[DictRow],
        partitions: Sequence[Partition],
        topic_id: str | None = None,
    ) -> dict[Partition, Lease]:
        """Take partitions over from whoever holds them.

        Where the topic has another id than the one that their offsets are of, they have none.
        """
        places = {**self._places(partitions), "topic_id": topic_id, "owner": self._owner}
        connection.execute(self._queries.end_owners, places)
        with connection.transaction():
            row = connection.execute(self._queries.was_made_again, places).fetchone()
            if row is not None and row["was_made_again"]:
                logger.error("The topic was deleted and made again: read from its beginning.")
            taken = _leases(connection.execute(self._queries.take, places))
        # A second session that the old owner has added meanwhile.
        connection.execute(self._queries.end_owners, places)
        return taken

    def reclaim(
        self, connection: psycopg.Connection[DictRow], partitions: Sequence[Partition]
    ) -> dict[Partition, Lease]:
        """On a new connection: hold again what is still ours; the session of the old one ends."""
        values = {**self._places(partitions), "owner": self._owner}
        connection.execute(self._queries.end_own_sessions, values)
        with connection.transaction():
            return _leases(connection.execute(self._queries.reclaim, values))

    def release(
        self, connection: psycopg.Connection[DictRow], partitions: Sequence[Partition]
    ) -> None:
        """Say that we are done with them; the next owner need not end us."""
        values = {**self._places(partitions), "owner": self._owner}
        connection.execute(self._queries.release, values)

    def add_session(
        self, connection: psycopg.Connection[DictRow], leases: Mapping[Partition, Lease]
    ) -> None:
        """On a second connection: let who takes over know of it.

        Raises NoRoom where others may need it more, and LeaseLost.
        """
        row = connection.execute(self._queries.has_room).fetchone()
        if row is None or not row["has_room"]:
            raise NoRoom
        values = {**self._places(list(leases)), "epochs": [one.epoch for one in leases.values()]}
        _expect(list(leases), connection.execute(self._queries.add_session, values).fetchall())

    def break_off_waiting(
        self, connection: psycopg.Connection[DictRow], pids: Sequence[int]
    ) -> None:
        """Have a statement of a session of ours fail if it waits for a lock."""
        connection.execute(self._queries.break_off_waiting, {"pids": pids})

    def hold(
        self,
        connection: psycopg.Connection[DictRow],
        leases: Mapping[Partition, Lease],
        partitions: Sequence[Partition],
    ) -> None:
        """Within a sink's transaction that moves no offsets: lock the rows, check the epochs."""
        epochs = [leases[partition].epoch for partition in partitions]
        values = {**self._places(partitions), "epochs": epochs}
        _expect(partitions, connection.execute(self._queries.hold, values).fetchall())

    def move(
        self,
        connection: psycopg.Connection[DictRow],
        leases: Mapping[Partition, Lease],
        offsets: Mapping[Partition, int],
        leader_epochs: Mapping[Partition, int | None],
    ) -> None:
        """Within a sink's transaction: lock the rows, check the epochs, move the offsets."""
        values = self._moves(leases, offsets, leader_epochs)
        _expect(list(offsets), connection.execute(self._queries.move, values).fetchall())

    def move_unseen(
        self,
        leases: Mapping[Partition, Lease],
        offsets: Mapping[Partition, int],
        leader_epochs: Mapping[Partition, int | None],
    ) -> tuple[sql.SQL, Mapping[str, object]]:
        """A statement that does the same, and fails where a lease is lost."""
        return self._must_move, self._moves(leases, offsets, leader_epochs)

    def _moves(
        self,
        leases: Mapping[Partition, Lease],
        offsets: Mapping[Partition, int],
        leader_epochs: Mapping[Partition, int | None],
    ) -> dict[str, object]:
        return {
            **self._places(list(offsets)),
            "epochs": [leases[partition].epoch for partition in offsets],
            "offsets": list(offsets.values()),
            "leader_epochs": [leader_epochs.get(partition) for partition in offsets],
        }

    def _places(self, partitions: Sequence[Partition]) -> dict[str, object]:
        return places_of(self._deployment, partitions)


def places_of(deployment: str, partitions: Sequence[Partition]) -> dict[str, object]:
    """A deployment's partitions, as statements want them."""
    return {
        "deployment": deployment,
        "topics": [topic for topic, _ in partitions],
        "partitions": [number for _, number in partitions],
    }


def _expect(partitions: Sequence[Partition], found: Sequence[DictRow]) -> None:
    if len(found) != len(partitions):
        held = {(row["topic"], row["partition"]) for row in found}
        raise LeaseLost([partition for partition in partitions if partition not in held])


def _leases(rows: Iterable[DictRow]) -> dict[Partition, Lease]:
    return {
        (row["topic"], row["partition"]): Lease(
            row["epoch"], row["next_offset"], row["leader_epoch"]
        )
        for row in rows
    }
