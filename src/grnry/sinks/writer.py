"""The writer: stores batches exactly once.

One transaction for a batch:
1. its lease rows are locked, their epochs checked, the offsets moved;
2. the lines are stored, the fast way first;
3. what can never be stored goes to the dead letters.
Only after its commit is the group told how far we are. A connection that breaks, even between
commit and answer, costs nothing: the leases are taken anew and the database says what is stored.

Under load the lines of a batch are brought to the server while the batch before it commits, by
another session; it moves the offsets when that one is known to be stored. Where anything is other
than usual, one batch is stored after the other.
"""

import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import psycopg

from grnry.database.leases import Lease, LeaseLost, Leases, Partition
from grnry.deployments.worker import CannotGoOn
from grnry.sinks import dead_letters
from grnry.sinks.batch import Batch, DeadLetter
from grnry.sinks.flight import Flight, roll_back
from grnry.sinks.narrowing import store_narrowed
from grnry.sinks.replays import NOTHING, Replayed, Replays
from grnry.sinks.sessions import Sessions
from grnry.sinks.target import Connection, Statement, Target
from grnry.sinks.verdict import Verdict, verdict_of

logger = logging.getLogger(__name__)

OF_RECORDS = (Verdict.THERE_ALREADY, Verdict.RECORDS)
"""Errors after which a batch is stored carefully."""


class Refused(CannotGoOn):
    """A record cannot be stored, and none may be left out."""

    def __init__(self, letters: Sequence[DeadLetter]) -> None:
        self.letters = tuple(letters)
        first = min(letters, key=lambda letter: letter.record.offset())
        record = first.record
        super().__init__(
            f"Topic {record.topic()}, partition {record.partition()}, offset {record.offset()}: "
            f"{first.reason}. Nothing after it is stored, as no record may be left out: set"
            " errorsTolerance to 'all' (eventstore.deadLetter to 'true') and it goes to the dead"
            " letters. The next start tries again."
        )


class _Brought(NamedTuple):
    """An open transaction that has a batch's lines, and what is to follow its moved offsets."""

    connection: Connection
    rest: Sequence[Statement]


class Writer:
    """Owns the connection and the leases of one worker. Used by one thread."""

    def __init__(
        self,
        url: str,
        deployment: str,
        leases: Leases,
        target: Target,
        *,
        has_dead_letters: bool = True,
    ) -> None:
        # What is read later, among batches, would keep the memory around it from being given back.
        dead_letters.queries()
        self._has_dead_letters = has_dead_letters
        self._deployment = deployment
        self._leases = leases
        self._target = target
        self._replays = Replays(deployment, leases, target)
        self._sessions = Sessions(url, deployment, leases)
        self._flight: Flight | None = None
        self._unsettled: Batch | None = None
        self._stored: list[Batch] = []
        self._held: dict[Partition, Lease] = {}
        self._is_checked = False
        self._is_fresh = True
        self._told = dead_letters.Told()
        self.lost: set[Partition] = set()
        """Partitions that another worker has taken though we had not given them back."""

    def take(
        self, partitions: Sequence[Partition], topic_id: str | None = None
    ) -> dict[Partition, int | None]:
        """Take partitions over; answers from where each goes on."""
        self._sessions.close_second()  # it is known as a session of what we hold by now
        taken = self._leases.take(self._connect(), partitions, topic_id)
        self._held |= taken
        self.lost -= taken.keys()
        return {partition: lease.next_offset for partition, lease in taken.items()}

    def release(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            self._held.pop(partition, None)
            self.lost.discard(partition)
        if self.is_connected:
            self._leases.release(self._connect(), partitions)

    def go_back(self, offsets: Mapping[Partition, int]) -> None:
        """What is read from there on is stored, though more was stored once."""
        connection = self._connect()
        offsets = {p: offset for p, offset in offsets.items() if p in self._held}
        try:
            with connection.transaction():
                self._leases.move(connection, self._held, offsets)
        except LeaseLost as lost:
            self._lose(lost.partitions)
            return
        self._held |= {p: Lease(self._held[p].epoch, offset) for p, offset in offsets.items()}

    def send(self, batch: Batch) -> None:
        """Store a batch after those that were sent before it. After an error it is sent again.

        Its end may be on its way when this returns: `stored` tells when it is there, and `settle`
        waits for it. Raises the database's errors.
        """
        self._store_unsettled()
        brought = self._bring(batch)
        try:
            self._land()
        except psycopg.Error as error:
            if brought is not None:
                # It may have keys that the batch before is about to store.
                roll_back(brought.connection)
            if verdict_of(error) not in OF_RECORDS:
                raise
            self._store_unsettled()
            brought = None
        if brought is None:
            self._stored.append(self.write(batch))
        else:
            moved = Statement(*self._leases.move_unseen(self._held, batch.offsets))
            self._flight = Flight(brought.connection, batch, [moved, *brought.rest])

    def settle(self) -> None:
        """Wait until all that was sent is stored. Raises the database's errors, as `send`."""
        self._store_unsettled()
        try:
            self._land()
        except psycopg.Error as error:
            if verdict_of(error) not in OF_RECORDS:
                raise
            self._store_unsettled()

    @property
    def is_settled(self) -> bool:
        return self._flight is None and self._unsettled is None

    def stored(self) -> list[Batch]:
        """What of the batches that were sent is stored since this was last asked."""
        stored, self._stored = self._stored, []
        return stored

    def _bring(self, batch: Batch) -> "_Brought | None":
        """Begin a batch's transaction and bring its lines, whatever becomes of the one before.

        None where it has to wait for that, or where it is not as usual.
        """
        if self._is_fresh or batch.dead or batch.offsets.keys() - self._held.keys():
            return None
        connection: Connection | None = self._connect()
        if self._flight is not None:
            connection = self._sessions.other(self._flight.connection, self._held)
        if connection is None or self._is_fresh:
            return None
        try:
            connection.execute("begin")
            rest = self._brought(connection, batch)
        except psycopg.Error as error:
            roll_back(connection)
            if verdict_of(error) not in OF_RECORDS:
                raise
            rest = None
        else:
            if rest is None:
                roll_back(connection)
        return None if rest is None else _Brought(connection, rest)

    def _brought(self, connection: Connection, batch: Batch) -> Sequence[Statement] | None:
        if self._target.refresh(connection, batch.lines):
            batch.remake(self._target)
            if batch.dead:
                return None
        dead_letters.supersede(connection, self._deployment, self._target, batch)
        return self._target.bring(connection, batch.lines)

    def _land(self) -> None:
        if self._flight is None:
            return
        flight, self._flight = self._flight, None
        self._unsettled = flight.batch
        flight.land()
        self._stored.append(flight.batch)
        self._unsettled = None

    def _store_unsettled(self) -> None:
        """What was sent and has not arrived, as far as we know."""
        if self._unsettled is not None:
            self._stored.append(self.write(self._unsettled))
            self._unsettled = None

    def write(self, batch: Batch) -> Batch:
        """Store a batch; answers what of it was ours to store. Raises the database's errors.

        Without dead letters the first record that cannot be stored ends it: all before it is
        stored, and `Refused` raised.
        """
        try:
            return self._write(batch)
        except Refused as refused:
            self._write(batch.before(refused.letters))
            raise

    def _write(self, batch: Batch) -> Batch:
        connection = self._connect()
        if self._is_fresh:
            # The last commit's answer may have been lost: only the database knows what is stored.
            batch = batch.after({p: lease.next_offset for p, lease in self._held.items()})
        batch = batch.without(batch.offsets.keys() - self._held.keys())
        while batch.offsets:
            try:
                self._store(connection, batch)
            except LeaseLost as lost:
                self._lose(lost.partitions)
                batch = batch.without(lost.partitions)
            else:
                break
        self._is_fresh = False
        self._told.tell(batch.dead)
        return batch

    def replay(self) -> Replayed:
        """Store some of the dead letters that are queued. Raises the database's errors.

        While nothing is written there is no session of ours; one for a moment then has a look.
        """
        if not self._held or not (self.is_connected or self._is_queued()):
            return NOTHING
        connection = self._connect()
        try:
            return self._replays.replay(connection, self._held)
        except LeaseLost as lost:
            self._lose(lost.partitions)
            return NOTHING

    def _is_queued(self) -> bool:
        with self._sessions.open() as connection:
            return self._replays.is_queued(connection)

    @property
    def is_connected(self) -> bool:
        return self._sessions.is_connected

    def _lose(self, partitions: AbstractSet[Partition]) -> None:
        if partitions:
            logger.warning("Another worker has taken over: %s", sorted(partitions))
        for partition in partitions:
            self._held.pop(partition, None)
        self.lost |= partitions

    def _store(self, connection: Connection, batch: Batch) -> None:
        try:
            with connection.transaction():
                self._leases.move(connection, self._held, batch.offsets)
                is_older = self._target.refresh(connection, batch.lines)
                # What could not be stored has no line that tells when it was refused.
                if is_older or batch.is_mistaken(self._target):
                    batch.remake(self._target)
                self._expect_none(batch.dead)
                # First, as replays lock dead letters before rows as well.
                dead_letters.supersede(connection, self._deployment, self._target, batch)
                self._target.store(connection, batch.lines)
                dead_letters.add(connection, self._deployment, self._target, batch, batch.dead)
        except psycopg.Error as error:
            if verdict_of(error) not in OF_RECORDS:
                raise
        else:
            return
        with connection.transaction():
            self._leases.move(connection, self._held, batch.offsets)
            bad = store_narrowed(connection, self._target, batch)
            self._expect_none(bad)
            good = batch.leaving_out(bad)
            dead_letters.supersede(connection, self._deployment, self._target, good)
            letters = [*batch.dead, *bad]
            dead_letters.add(connection, self._deployment, self._target, good, letters)
        batch.put_aside(bad)

    def _expect_none(self, letters: Sequence[DeadLetter]) -> None:
        if letters and not self._has_dead_letters:
            raise Refused(letters)

    def _connect(self) -> Connection:
        return self._sessions.first(self._make_ready)

    def _make_ready(self, connection: Connection) -> None:
        """Before a new session is used: hold again what nobody has taken over meanwhile."""
        if not self._is_checked:
            self._target.check(connection)
            self._is_checked = True
        if self._held:
            held = self._leases.reclaim(connection, list(self._held))
            self._lose(self._held.keys() - held.keys())
            self._held = held
        self._is_fresh = True

    def disconnect(self) -> None:
        self._sessions.close()
        if self._flight is not None:
            self._flight.abandon()
            self._unsettled, self._flight = self._flight.batch, None
