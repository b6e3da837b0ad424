"""A partition's log: batches are appended, read by offset and by time, and expire.

Appended is not yet readable: `stable_offset` follows when the files are synced (or at once, where
the settings say so), and only what lies before it is shown to consumers.
"""

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from grnry.log.broker.protocol.batches import Header, patch, stamp
from grnry.log.broker.protocol.errors import ErrorCode, RequestError
from grnry.log.broker.protocol.records import first_since

from . import checkpoint, state
from .config import TopicConfig
from .epochs import Epochs
from .files import FolderNames, OpenFile, OpenFiles, read_at, write_at, write_atomically
from .index import Index
from .producers import Producers
from .segment import Segment

START_FILE = "start"
_PRODUCER_MEMORY_MS = 24 * 3600 * 1000
_REMEMBERED_READS = 8


class Appended(NamedTuple):
    base_offset: int
    timestamp: int  # the broker's, or -1 where the producer's counts


class Readable(NamedTuple):
    file: OpenFile
    position: int
    size: int


class SyncMark(NamedTuple):
    files: list[OpenFile | FolderNames]
    end_offset: int
    segment: int
    size: int


class PartitionLog:
    __slots__ = (
        "_dirty",
        "_files",
        "_reads",
        "_rolled_at",
        "_stable_segment",
        "_stable_size",
        "end_offset",
        "epochs",
        "folder",
        "producers",
        "segments",
        "stable_offset",
        "start_offset",
        "unchecked",
        "waiters",
    )

    def __init__(self, folder: Path, files: OpenFiles) -> None:
        self.folder = folder
        self._files = files
        self.segments: list[Segment] = []
        self.producers = Producers()
        self.epochs = Epochs()
        self.start_offset = 0
        self.end_offset = 0
        self.stable_offset = 0
        self._stable_segment = 0
        self._stable_size = 0
        self._rolled_at = 0
        self.unchecked = 0  # what a start would have to read, in the measure of `checkpoint`
        self._dirty: set[OpenFile | FolderNames] = set()
        self._reads: dict[int, tuple[Segment, int]] = {}
        self.waiters: set[Callable[[], None]] | None = None

    # Writing

    def append(
        self, records: memoryview, headers: list[Header], config: TopicConfig, epoch: int, now: int
    ) -> Appended:
        """Write one request's batches; they get the next offsets and this leader epoch.

        A batch that is here already is not written again: its first offset is the answer.
        """
        plan = self.producers.plan(headers, self.end_offset, now)
        if plan.duplicate_of is not None:
            return Appended(plan.duplicate_of, -1)
        if config.log_append_time:
            headers = stamp(records, headers, now)
        base_offset = self.end_offset
        try:
            segment = self._segment_for(len(records), config, now)
            patch(records, headers, base_offset, epoch)
            write_at(segment.file, records, segment.size)
        except OSError as error:
            raise RequestError(
                ErrorCode.KAFKA_STORAGE_ERROR, f"{self.folder} can't be written: {error}"
            ) from error
        self._dirty.add(segment.file)
        self._take(segment, headers, base_offset)
        self.producers.take(plan.changes)
        self.epochs.take(epoch, base_offset)
        return Appended(base_offset, now if config.log_append_time else -1)

    def _take(self, segment: Segment, headers: list[Header], base_offset: int) -> None:
        index = segment.index
        for header in headers:
            following = base_offset + header.last_offset_delta + 1
            index.add(base_offset, following, header.size, header.max_timestamp)
            base_offset = following
        self.unchecked += len(headers) + (index.size - segment.size) // checkpoint.COST_OF_BYTES
        segment.size = index.size
        self.end_offset = base_offset

    def _segment_for(self, size: int, config: TopicConfig, now: int) -> Segment:
        if not self.segments:
            self.folder.mkdir(exist_ok=True)
            self._dirty.add(FolderNames(self.folder.parent))
            return self._new_segment(now)
        last = self.segments[-1]
        is_full = last.size + size > config.segment_bytes
        is_old = now - self._rolled_at > config.segment_ms
        if last.size and (is_full or is_old):
            self.roll(now)
        return self.segments[-1]

    def roll(self, now: int) -> None:
        """Begin a new file; what is known of the log so far is saved beside it."""
        full = self.segments[-1]
        full.file.sync_or_fail()
        full.save_index()
        self.producers.expire(now - _PRODUCER_MEMORY_MS)
        state.save(self.folder, self._state(self.end_offset, 0))
        self._new_segment(now)
        self.unchecked = 0
        checkpoint.path_of(self.folder, full.base).unlink(missing_ok=True)
        full.release_index()
        state.drop_others(self.folder, {self.end_offset})

    def _new_segment(self, now: int) -> Segment:
        segment = Segment(str(self.folder), self.end_offset, 0, self._files)
        self._files.get(segment.path, create=True)
        self._dirty.add(FolderNames(self.folder))
        segment.set_index(Index())
        self.segments.append(segment)
        self._rolled_at = now
        return segment

    def _state(self, segment: int, size: int) -> state.State:
        known = self.producers.dump(), self.epochs.dump()
        return state.State(self.end_offset, segment, size, *known)

    def rolled_at(self, now: int) -> None:
        self._rolled_at = now

    # Durability

    def needs_sync(self) -> None:
        """What recovery found may be in memory only."""
        self._dirty.add(self.segments[-1].file)

    @property
    def is_dirty(self) -> bool:
        return bool(self._dirty)

    def begin_sync(self) -> SyncMark:
        files = list(self._dirty)
        self._dirty.clear()
        last = self.segments[-1]
        return SyncMark(files, self.end_offset, last.base, last.size)

    def end_sync(self, mark: SyncMark) -> None:
        self._show(mark.end_offset, mark.segment, mark.size)

    def show_all(self) -> None:
        """Let consumers read to the end."""
        if self.segments:
            self._show(self.end_offset, self.segments[-1].base, self.segments[-1].size)

    def _show(self, end_offset: int, segment: int, size: int) -> None:
        if end_offset > self.stable_offset or segment > self._stable_segment:
            self.stable_offset = max(end_offset, self.stable_offset)
            self._stable_segment, self._stable_size = segment, size
        self._wake()

    def _wake(self) -> None:
        if self.waiters:
            waiters, self.waiters = self.waiters, None
            for wake in waiters:
                wake()

    def close(self) -> None:
        """Save what makes the next start short; files must be synced."""
        if not self.segments:
            return
        last = self.segments[-1]
        last.file.sync()
        write_atomically(checkpoint.path_of(self.folder, last.base), self.checkpoint())

    def save_checkpoint_after(self, unchecked: int) -> None:
        """Where a start had to read that much, the next one need not."""
        if self.unchecked >= unchecked:
            self.unchecked = 0
            self.close()

    def checkpoint(self) -> bytes:
        """What recovery need not find out again; the last file has to be synced before."""
        last = self.segments[-1]
        return checkpoint.dump(self._state(last.base, last.size), last.index)

    # Reading

    def check_offset(self, offset: int) -> None:
        if not self.start_offset <= offset <= self.stable_offset:
            raise RequestError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Offsets go from {self.start_offset} to {self.stable_offset}.",
            )

    def readable(self, offset: int, max_bytes: int, *, at_least_one: bool) -> Readable | None:
        """Where the batches from an offset on lie, as many as fit into the bytes."""
        self.check_offset(offset)
        found = self._locate(offset)
        if found is None:
            return None
        segment, position = found
        end = self._readable_end(segment)
        size = segment.whole_batches(position, end, max_bytes, at_least_one=at_least_one)
        if size <= 0:
            return None
        if segment.base == self._stable_segment and position + size == self._stable_size:
            self._remember_end(segment, position + size)
        return Readable(segment.file, position, size)

    def _remember_end(self, segment: Segment, position: int) -> None:
        """Readers that caught up go on here: keep where that is in the file."""
        if len(self._reads) >= _REMEMBERED_READS:
            self._reads.pop(next(iter(self._reads)))
        self._reads[self.stable_offset] = (segment, position)

    def _locate(self, offset: int) -> tuple[Segment, int] | None:
        if offset >= self.stable_offset:
            return None
        remembered = self._reads.get(offset)
        if remembered and remembered[1] < self._readable_end(remembered[0]):
            return remembered
        place = max(bisect_right(self.segments, offset, key=_base) - 1, 0)
        for segment in self.segments[place:]:
            found = segment.find(offset, self._readable_end(segment))
            if found is not None:
                return segment, found[0]
        raise RequestError(
            ErrorCode.KAFKA_STORAGE_ERROR, f"{self.folder} has no batch with offset {offset}."
        )

    def _readable_end(self, segment: Segment) -> int:
        if segment.base < self._stable_segment:
            return segment.size
        return self._stable_size if segment.base == self._stable_segment else 0

    def first_since(self, timestamp: int) -> tuple[int, int] | None:
        """Offset and time of the first record that is not older than the timestamp."""
        for segment in self.segments:
            end = self._readable_end(segment)
            if segment.index.newest < timestamp:
                continue
            for position, header in segment.since(timestamp, end):
                if header.last_offset >= self.start_offset:
                    batch = read_at(segment.file, position, header.size)
                    offset, time = first_since(memoryview(batch), timestamp) or (-1, -1)
                    return max(offset, self.start_offset), time
        return None

    def newest(self) -> tuple[int, int] | None:
        """Offset and time of the newest batch's last record."""
        times = [segment.index.newest for segment in self.segments]
        return self.first_since(max(times)) if times and max(times) >= 0 else None

    def end_of_epoch(self, epoch: int) -> tuple[int, int]:
        return self.epochs.end_of(epoch, self.start_offset, self.stable_offset)

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)

    # Expiry

    def expire(self, config: TopicConfig, now: int) -> int:
        """Delete the segments that retention lets go; returns how many."""
        expired = 0
        while config.deletes and self.segments and self._oldest_is_expired(config, now):
            if len(self.segments) == 1:
                if self.stable_offset < self.end_offset or not self.segments[0].size:
                    break
                self.roll(now)
                self.show_all()
            if self.segments[1].base > self.stable_offset:
                break
            self._delete_oldest()
            expired += 1
        return expired

    def _oldest_is_expired(self, config: TopicConfig, now: int) -> bool:
        oldest = self.segments[0]
        if 0 <= config.retention_bytes <= self.size - oldest.size and len(self.segments) > 1:
            return True
        return 0 <= config.retention_ms < now - oldest.index.newest

    def _delete_oldest(self) -> None:
        self.segments.pop(0).delete()
        self._reads.clear()
        self.start_offset = max(self.start_offset, self.segments[0].base)
        self.epochs.forget_before(self.start_offset)

    def closed_segments(self) -> list[Segment]:
        """Those that nothing is written to any more, all of them synced and readable."""
        return [one for one in self.segments[:-1] if one.base < self._stable_segment]

    def forget_reads(self) -> None:
        self._reads.clear()

    def delete_before(self, offset: int) -> None:
        """Forget the records before an offset; whole files go, the rest is only hidden."""
        if offset > self.stable_offset or offset < 0:
            raise RequestError(ErrorCode.OFFSET_OUT_OF_RANGE)
        if offset <= self.start_offset:
            return
        write_atomically(self.folder / START_FILE, str(offset).encode())
        self.start_offset = offset
        while len(self.segments) > 1 and self.segments[1].base <= offset:
            self._delete_oldest()

    def forget_files(self) -> None:
        """The folder is about to go: readers that have a file open may finish."""
        self._wake()
        for segment in self.segments:
            self._files.forget(segment.path)


def _base(segment: Segment) -> int:
    return segment.base
