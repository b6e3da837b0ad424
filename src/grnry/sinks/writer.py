"""The writer: stores batches exactly once.

One transaction for a batch:
1. its lease rows are locked, their epochs checked, the offsets moved;
2. the lines are stored, the fast way first;
3. what can never be stored goes to the dead letters.
Only after its commit is the group told how far we are. A connection that breaks, even between
commit and answer, costs nothing: the leases are taken anew and the database says what is stored.
"""

import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import psycopg

from grnry.database.leases import Lease, LeaseLost, Leases, Partition
from grnry.deployments.worker import CannotGoOn
from grnry.log.records import Position
from grnry.sinks import dead_letters
from grnry.sinks.batch import Batch, DeadLetter
from grnry.sinks.narrowing import store_narrowed
from grnry.sinks.passage import Passage, roll_back
from grnry.sinks.replays import NOTHING, Replayed, Replays
from grnry.sinks.sessions import Sessions
from grnry.sinks.target import Connection, Statement, Target
from grnry.sinks.verdict import OF_RECORDS, verdict_of

logger = logging.getLogger(__name__)


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
        self._held: dict[Partition, Lease] = {}
        self._is_checked = False
        self._is_fresh = True
        self._told = dead_letters.Told()
        self.lost: set[Partition] = set()
        """Partitions that another worker has taken though we had not given them back."""

    def take(
        self, partitions: Sequence[Partition], topic_id: str | None = None
    ) -> dict[Partition, Position | None]:
        """Take partitions over; answers from where each goes on."""
        self._sessions.close_second()  # it is known as a session of what we hold by now
        taken = self._leases.take(self._connect(), partitions, topic_id)
        self._held |= taken
        self.lost -= taken.keys()
        return {partition: _position(lease) for partition, lease in taken.items()}

    def release(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            self._held.pop(partition, None)
            self.lost.discard(partition)
        if self.is_connected:
            self._leases.release(self._connect(), partitions)

    def go_back(self, offsets: Mapping[Partition, int]) -> None:
        """What is read from there on is stored, though more was stored once.

        The epoch of what comes before is unknown until something is stored.
        """
        connection = self._connect()
        offsets = {p: offset for p, offset in offsets.items() if p in self._held}
        try:
            with connection.transaction():
                self._leases.move(connection, self._held, offsets, {})
                dead_letters.doubt(connection, self._deployment, list(offsets))
        except LeaseLost as lost:
            self._lose(lost.partitions)
            return
        self._held |= {p: Lease(self._held[p].epoch, offset) for p, offset in offsets.items()}

    def begin(self, batch: Batch, busy: Connection | None) -> Passage | None:
        """Have a batch's transaction ready by a session that is not busy.

        None where there is none, or where the batch takes more than that and has to be written.
        """
        if self._is_fresh or batch.dead or batch.offsets.keys() - self._held.keys():
            return None
        if (connection := self._free_session(busy)) is None:
            return None
        try:
            connection.execute("begin")
            if self._target.refresh(connection, batch.lines):
                batch.remake(self._target)
            if not (batch.dead or self._is_about_letters(connection, batch)):
                load = self._target.load(connection, batch.lines)
                if load is not None:
                    return Passage(connection, batch, load, self._moves(batch))
        except psycopg.Error as error:
            roll_back(connection)
            if verdict_of(error) not in OF_RECORDS:
                raise
        else:
            roll_back(connection)
        return None

    def _is_about_letters(self, connection: Connection, batch: Batch) -> bool:
        """They would be locked before the batch's turn."""
        return dead_letters.is_about_some(connection, self._deployment, self._target, batch)

    def _free_session(self, busy: Connection | None) -> Connection | None:
        if not self.is_connected:
            return None
        return self._connect() if busy is None else self._sessions.other(busy, self._held)

    def _moves(self, batch: Batch) -> Statement:
        """What moves the offsets, or fails, within the batch's transaction."""
        return Statement(*self._leases.move_unseen(self._held, batch.offsets, batch.epochs))

    def write(self, batch: Batch) -> Batch:
        """Store a batch; answers what of it was ours to store. Raises the database's errors.

        Without dead letters the first record that cannot be stored ends it: all before it is
        stored, and `Refused` raised.
        """
        first: Refused | None = None
        while True:
            try:
                stored = self._write(batch)
            except Refused as refused:
                # What is before it is tried next: something of that may be refused as well, as it
                # was not asked of the database yet, or was outdated by what is left out now.
                first, batch = refused, batch.before(refused.letters)
            else:
                break
        if first is not None:
            raise first
        return stored

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

    def break_off_waiting(self) -> None:
        """By any thread: a statement of ours that waits for a lock fails. Raises the database's."""
        if pids := self._sessions.pids:
            with self._sessions.open() as another:
                self._leases.break_off_waiting(another, pids)

    def _lose(self, partitions: AbstractSet[Partition]) -> None:
        if partitions:
            logger.warning("Another worker has taken over: %s", sorted(partitions))
        for partition in partitions:
            self._held.pop(partition, None)
        self.lost |= partitions

    def _store(self, connection: Connection, batch: Batch) -> None:
        try:
            with connection.transaction():
                self._leases.move(connection, self._held, batch.offsets, batch.epochs)
                is_older = self._target.refresh(connection, batch.lines)
                # What could not be stored has no line that tells when it was refused.
                if is_older or batch.is_mistaken(self._target):
                    batch.remake(self._target)
                self._expect_none(batch.dead)
                # First, as replays lock dead letters before rows as well.
                dead_letters.keep(connection, self._deployment, self._target, batch, batch.dead)
                self._target.store(connection, batch.lines)
        except psycopg.Error as error:
            if verdict_of(error) not in OF_RECORDS:
                raise
        else:
            return
        with connection.transaction():
            self._leases.move(connection, self._held, batch.offsets, batch.epochs)
            bad = store_narrowed(connection, self._target, batch)
            self._expect_none(bad)
            good = batch.leaving_out(bad)
            letters = [*batch.dead, *bad]
            dead_letters.keep(connection, self._deployment, self._target, good, letters)
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


def _position(lease: Lease) -> Position | None:
    if lease.next_offset is None:
        return None
    return Position(lease.next_offset, lease.leader_epoch)
