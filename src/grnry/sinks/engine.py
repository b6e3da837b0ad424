"""The engine of a sink.

Reads: one topic, as a member of the deployment's consumer group.
Writes: what its target says, with leases and offsets in the same transaction.

The reader thread owns the consumer: it makes lines of records and hands batches over. The writer
thread owns the database: it takes leases, stores batches, and waits for as long as the database is
away, while the reader stays in its group.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

import psycopg

from grnry.database.leases import LeaseLost, Partition
from grnry.log.consumer import Consumer
from grnry.log.records import Gap, Position, Record
from grnry.sinks.batch import Batch
from grnry.sinks.group_watch import GroupWatch, PartitionsForgotten
from grnry.sinks.interpreter import set_for_batches
from grnry.sinks.looks import Looks
from grnry.sinks.pace import Pace
from grnry.sinks.patience import Patience, Stopped
from grnry.sinks.relay import Relay
from grnry.sinks.rest import Rest
from grnry.sinks.status import Status
from grnry.sinks.target import Target
from grnry.sinks.topic_watch import TopicWatch
from grnry.sinks.verdict import Verdict, verdict_of
from grnry.sinks.writer import Writer

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
SETTLE_SECONDS = 0.02
BATCHES_IN_HAND = 3
"""One is read, two are copied, or one of them commits."""

FOLLOW_SECONDS = 1.0
"""How long the writer leaves full batches to themselves when nothing is heard of them."""

PIECE = 500
REVOKE_SECONDS = 5.0


class Engine:
    """Runs until it is told to stop."""

    def __init__(
        self,
        writer: Writer,
        target: Target,
        status: Status,
        pace: Pace,
        topic: TopicWatch,
        group: GroupWatch,
    ) -> None:
        self._writer = writer
        self._topic = topic
        self._group = group
        self._target, self._status = target, status
        self._pace = pace
        self._piece = min(PIECE, pace.batch_size)
        self._consumer: Consumer
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._relay = Relay(writer, lambda: self._work.put(self._receive))
        self._slots = threading.Semaphore(BATCHES_IN_HAND)
        self._is_writing = threading.Event()
        self._is_loaded = False
        self._reading: set[Partition] = set()
        self._granted: set[Partition] = set()
        self._started: queue.SimpleQueue[dict[Partition, Position | None]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._patience = Patience(self._relay, status, pace, self._stop)
        self._crash: BaseException | None = None
        self._looks = Looks()
        self._rest = Rest(writer)
        self._lock = threading.Lock()
        self._stored: dict[Partition, int] = {}
        self._back: dict[Partition, int] = {}
        self._done: list[Batch] = []  # the reader frees them: the server would wait for a writer

    def run(self, consumer: Callable[["Engine"], Consumer]) -> None:
        """Blocks until `stop`; raises what ended a thread."""
        set_for_batches()
        self._consumer = consumer(self)
        writer = threading.Thread(target=self._guarded, args=(self._write,), name="writer")
        writer.start()
        self._guarded(self._read)
        self._work.put(self._release_all)
        self._work.put(self._finish)
        self._patience.await_end(writer)
        self._commit_stored()
        self._consumer.close(leaves=isinstance(self._crash, PartitionsForgotten))
        if self._crash is not None:
            raise self._crash

    def stop(self) -> None:
        self._stop.set()

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Stopped:
            pass
        except BaseException as error:
            self._crash = self._crash or error
            self._stop.set()

    # The reader -------------------------------------------------------------------------------

    def _read(self) -> None:
        while not self._stop.is_set() and self._has_room():
            self._start_granted()
            self._commit_stored()
            self._tell_trouble()
            records = self._consumer.read(self._piece, self._idle_seconds())
            self._tell_trouble()
            if records:
                self._hand_over(records)
            else:
                self._slots.release()
            self._hand_over_gaps()

    def _idle_seconds(self) -> float:
        """How long to wait for records; not long while there is something else to see to."""
        is_settled = self._consumer.is_member and not self._granted
        return IDLE_SECONDS if is_settled or self._consumer.trouble else SETTLE_SECONDS

    def _tell_trouble(self) -> None:
        if self._consumer.trouble:
            self._status.trouble("log", self._consumer.trouble)
        else:
            self._status.clear("log")
        is_consuming = self._consumer.is_member and not self._granted
        self._status.consuming(yes=is_consuming)

    def _filled(self, batch: Batch) -> Batch:
        """Let a batch grow while more is there or the writer is busy; an idle one gets it at once.

        In pieces, as the writer waits for the interpreter while the client makes its records.
        """
        deadline = time.monotonic() + self._pace.batch_seconds
        while (room := batch.room(self._pace.batch_size)) > 0 and time.monotonic() < deadline:
            if self._back:  # what comes next is of another log
                break
            wait = 0.005 if self._is_writing.is_set() else 0
            more = self._consumer.read(min(room, self._piece), wait)
            if not more and not self._is_writing.is_set():
                break
            batch.add(more, self._target)
        return batch

    def _hand_over(self, records: Sequence[Record]) -> None:
        batch = self._filled(Batch.of(records, self._target))
        self._work.put(lambda: self._store(batch))

    def _has_room(self) -> bool:
        """Wait for room; stay in the group, with the partitions paused, where that takes long."""
        self._done.clear()
        if not self._slots.acquire(timeout=1.0):
            self._consumer.pause(list(self._reading))
            while not self._slots.acquire(timeout=IDLE_SECONDS):
                if self._stop.is_set():
                    return False
                self._read_nothing()
            self._consumer.resume(list(self._reading))
        return True

    def _commit_stored(self) -> None:
        """For others to see the lag."""
        with self._lock:
            stored, self._stored = self._stored, {}
        if stored:
            self._consumer.commit(stored)

    def _read_nothing(self) -> None:
        late = self._consumer.read(1, 0.01)
        if late:
            logger.warning("A paused partition gave a record; it is read again after a restart.")
            raise RuntimeError("a paused partition gave a record")
        self._hand_over_gaps()
        self._tell_trouble()

    def _start_granted(self) -> None:
        while not self._started.empty():
            positions = self._started.get()
            mine = {p: position for p, position in positions.items() if p in self._granted}
            self._granted -= mine.keys()
            self._reading |= mine.keys()
            if mine:
                self._consumer.start(mine)
                logger.info("Consuming %d partitions.", len(self._reading))

    def granted(self, partitions: Sequence[Partition]) -> None:
        self._granted.update(partitions)
        self._group.shared_out()
        if partitions:
            self._work.put(lambda: self._take(list(partitions)))

    def on_gap(self, gap: Gap) -> None:
        """Where the log lost its end, what is new stands where something stored has stood."""
        logger.error("%s.", gap)
        if gap.wanted > gap.found:
            self._back[gap.partition] = gap.found

    def _hand_over_gaps(self) -> None:
        """After what was read before, and before what is read next."""
        if self._back:
            places, self._back = self._back, {}
            self._work.put(lambda: self._go_back(places))

    def _release_all(self) -> None:
        self._release(list(self._reading))

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Wait for the batch in hand, but not for a database that is away: epochs guard it."""
        self._granted.difference_update(partitions)
        self._reading.difference_update(partitions)
        if self._stop.is_set():
            return
        done = threading.Event()

        def release() -> None:
            self._release(list(partitions))
            done.set()

        self._work.put(release)
        done.wait(REVOKE_SECONDS)

    # The writer -------------------------------------------------------------------------------

    def _write(self) -> None:
        while True:
            self._group.expect_all()
            self._topic.expect_the_same()
            try:
                job = self._next_job()
            except queue.Empty:
                self._do(self._replay)
                self._rest.look()
                continue
            if job == self._finish:
                self._relay.disconnect()
                return
            self._rest.is_over()
            self._do(job)
            del job  # what it has stored is not to stay until the next one comes
            if self._looks.is_due:
                self._do(self._replay)

    def _next_job(self) -> Callable[[], None]:
        """Where more is to come, nobody waits for what is on its way."""
        if not self._relay.is_settled:
            with contextlib.suppress(queue.Empty):
                return self._work.get(self._is_loaded, FOLLOW_SECONDS)
            self._do(self._settle)
        return self._work.get(timeout=self._looks.seconds(self._writer.is_connected))

    def _do(self, job: Callable[[], None]) -> None:
        self._is_writing.set()
        self._status.at_work(yes=True)
        try:
            job()
        finally:
            self._take_note()
            if self._relay.is_settled:
                self._is_writing.clear()
                self._status.at_work(yes=False)
        self._expect_nothing_lost()

    def _replay(self) -> None:
        """Some of the dead letters that are queued; what fails is tried again at a later look."""
        try:
            self._relay.settle()
            done = self._writer.replay()
        except psycopg.Error as error:
            logger.warning("Dead letters were not replayed, and stay queued: %s", error)
            self._relay.disconnect()
            passes = verdict_of(error) in (Verdict.AWAY, Verdict.PASSING)
            self._looks.failed(passes=passes)
            return
        self._looks.done(is_more=done.is_more)
        if done.is_more:
            self._rest.is_over()
            logger.info(
                "Replayed dead letters: %d stored, %d failed again, %d superseded.",
                done.stored,
                done.failed,
                done.superseded,
            )
        self._status.replayed += done.stored

    def _finish(self) -> None:
        """The last job."""

    def _take(self, partitions: list[Partition]) -> None:
        self._settle()
        topic_id = self._topic.begin(self._stop)
        self._started.put(self._patience.persist(lambda: self._writer.take(partitions, topic_id)))

    def _go_back(self, offsets: dict[Partition, int]) -> None:
        self._settle()
        # What another topic has must not pass for what this one had.
        self._topic.expect_the_same(at_once=True)
        self._patience.persist(lambda: self._writer.go_back(offsets))

    def _release(self, partitions: list[Partition]) -> None:
        self._or_disconnect(self._relay.settle, "A batch is left to who reads it next")
        self._or_disconnect(lambda: self._writer.release(partitions), "Leases were not given back")

    def _or_disconnect(self, step: Callable[[], None], otherwise: str) -> None:
        try:
            step()
        except psycopg.Error as error:
            logger.info("%s: %s", otherwise, error)
            self._relay.disconnect()

    def _store(self, batch: Batch) -> None:
        self._is_loaded = batch.room(self._pace.batch_size) <= 0
        self._patience.persist(lambda: self._relay.send(batch, is_followed=self._is_loaded))

    def _receive(self) -> None:
        self._patience.persist(self._relay.receive)

    def _settle(self) -> None:
        self._patience.persist(self._relay.settle)

    def _take_note(self) -> None:
        """Of what is stored by now."""
        for batch in self._relay.stored():
            self._topic.stored()
            self._status.rows += len(batch.lines)
            self._status.dead += len(batch.dead)
            with self._lock:
                self._stored |= batch.offsets
            self._done.append(batch)
            self._slots.release()

    def _expect_nothing_lost(self) -> None:
        if lost := self._writer.lost & self._reading:
            # We still read them, so the group and the leases disagree: begin anew.
            raise LeaseLost(sorted(lost))
