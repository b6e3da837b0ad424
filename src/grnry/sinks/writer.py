"""The writer: stores batches exactly once.

One transaction for a batch:
1. its lease rows are locked, their epochs checked, the offsets moved;
2. the lines are stored, the fast way first;
3. what can never be stored goes to the dead letters.
Only after its commit is the group told how far we are. A connection that breaks, even between
commit and answer, costs nothing: the leases are taken anew and the database says what is stored.

Under load two sessions take turns: the transaction of a batch is begun while the one before it is
copied, and it is copied while the one before it commits. It moves the offsets, under its leases,
when that one is known to be stored. Where anything is other than usual, one batch is stored after
the other.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

import psycopg

from grnry.database.leases import Lease, LeaseLost, Leases, Partition
from grnry.deployments.worker import CannotGoOn
from grnry.sinks import dead_letters
from grnry.sinks.batch import Batch, DeadLetter
from grnry.sinks.narrowing import store_narrowed
from grnry.sinks.passage import Passage, roll_back
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
        self._copying: Passage | None = None
        self._landing: Passage | None = None
        self._unsettled: list[Batch] = []
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
                dead_letters.doubt(connection, self._deployment, list(offsets))
        except LeaseLost as lost:
            self._lose(lost.partitions)
            return
        self._held |= {p: Lease(self._held[p].epoch, offset) for p, offset in offsets.items()}

    def send(self, batch: Batch) -> None:
        """Store a batch after those that were sent before it. After an error it is sent again.

        It is on its way when this returns: `stored` tells when it is there, and `settle` waits for
        it. Raises the database's errors; nothing is on its way then.
        """
        passage = None
        try:
            self._store_unsettled()
            self._land()
            passage = self._begin(batch)
            self._finish()
            if passage is None:
                self._land()
            else:
                passage.bring()
        except psycopg.Error as error:
            if passage is not None:
                passage.give_up()
                passage = None
            self._turn_back(error)
        if passage is None:
            self._stored.append(self.write(batch))
        else:
            self._copying = passage

    def settle(self) -> None:
        """Wait until all that was sent is stored. Raises the database's errors, as `send`."""
        try:
            self._store_unsettled()
            self._land()
            self._finish()
            self._land()
        except psycopg.Error as error:
            self._turn_back(error)

    @property
    def is_settled(self) -> bool:
        return not (self._landing or self._copying or self._unsettled)

    def stored(self) -> list[Batch]:
        """What of the batches that were sent is stored since this was last asked."""
        stored, self._stored = self._stored, []
        return stored

    def _begin(self, batch: Batch) -> Passage | None:
        """Have a batch's transaction ready while the one before is copied.

        None where it has to wait for that one, or where it is not as usual.
        """
        if self._is_fresh or batch.dead or batch.offsets.keys() - self._held.keys():
            return None
        if (connection := self._free_session()) is None:
            return None
        try:
            connection.execute("begin")
            if self._target.refresh(connection, batch.lines):
                batch.remake(self._target)
            if not (batch.dead or self._is_about_letters(connection, batch)):
                load = self._target.load(connection, batch.lines)
                if load is not None:
                    return Passage(connection, batch, load)
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

    def _free_session(self) -> Connection | None:
        if not self.is_connected:
            return None
        if self._copying is None:
            return self._connect()
        return self._sessions.other(self._copying.connection, self._held)

    def _finish(self) -> None:
        """All lines are copied, so the next ones may be."""
        if self._copying is not None:
            passage, self._copying = self._copying, None
            with self._in_doubt(passage):
                moved = self._leases.move_unseen(self._held, passage.batch.offsets)
                passage.finish(Statement(*moved))
            self._landing = passage

    def _land(self) -> None:
        if self._landing is not None:
            passage, self._landing = self._landing, None
            with self._in_doubt(passage):
                passage.land()
            self._stored.append(passage.batch)

    @contextmanager
    def _in_doubt(self, passage: Passage) -> Iterator[None]:
        self._unsettled.append(passage.batch)
        try:
            yield
        except BaseException:
            passage.give_up()
            raise
        self._unsettled.pop()

    def _turn_back(self, error: psycopg.Error) -> None:
        """What is on its way is given up, as it would be in the way of what is to come before it.

        What the records are to blame for is stored carefully; other errors are raised again.
        """
        self._give_up()
        if verdict_of(error) not in OF_RECORDS:
            raise error
        self._store_unsettled()

    def _give_up(self) -> None:
        passages = [one for one in (self._landing, self._copying) if one is not None]
        self._landing = self._copying = None
        self._unsettled += [passage.batch for passage in passages]
        for passage in reversed(passages):
            passage.give_up()

    def _store_unsettled(self) -> None:
        """What was sent and has not arrived, as far as we know."""
        while self._unsettled:
            self._stored.append(self.write(self._unsettled[0]))
            del self._unsettled[0]

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
                dead_letters.keep(connection, self._deployment, self._target, batch, batch.dead)
                self._target.store(connection, batch.lines)
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
        self._give_up()
