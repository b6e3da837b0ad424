"""Compaction: of each key, the last record stays. Closed segments are written anew beside the old.

A pass is a generator: it yields work that may take long (to be done in a thread) and is given its
result, while what it does in between must happen where the partition is used. It can be left at
any point, by a crash too: each segment is the old one or the new one, earlier ones first, so that
a tombstone goes only when all that it deletes has gone.
"""

import json
from collections.abc import Callable, Generator, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from grnry.log.broker.errors import DamagedLogError
from grnry.log.broker.protocol.batches import Header, crc_matches, header_at
from grnry.log.broker.protocol.rewriting import Opened, Record, delete_horizon, opened, without

from . import scan
from .config import TopicConfig
from .files import OpenFile, read_at, read_if_there, sync_folder, write_atomically
from .partition import PartitionLog
from .rewritten import Rewriter, Rewritten
from .segment import Segment

CLEANED_FILE = "cleaned"
MOST_KEYS = 250_000  # in memory at once, some 40 MB; a pass that meets more is done in parts

Pause = Callable[[], None]
Steps = Generator[Callable[[], Any], Any, int]


class Cleaned(NamedTuple):
    """What earlier passes did."""

    offset: int = 0  # before it, no key comes twice
    horizon: int | None = None  # when the next tombstone may go


class Keys(NamedTuple):
    """The last offset of each key in a stretch of the log."""

    last: dict[bytes, int]
    until: int


def cleaned(folder: Path) -> Cleaned:
    """Where it can't be read, the next pass begins at the start."""
    try:
        return Cleaned(**json.loads(read_if_there(folder / CLEANED_FILE) or b"{}"))
    except (ValueError, TypeError):
        return Cleaned()


def is_due(log: PartitionLog, now: int) -> bool:
    """When half of what could be compacted has not been, or a tombstone's time has come."""
    closed = log.closed_segments()
    if not closed:
        return False
    done = cleaned(log.folder)
    dirty = _dirty(closed, done.offset, log.segments[len(closed)].base)
    if done.horizon is not None and done.horizon <= now:
        return True
    return 2 * sum(one.size for one in dirty) >= sum(one.size for one in closed) > 0 < len(dirty)


def _dirty(closed: list[Segment], offset: int, end: int) -> list[Segment]:
    ends = [one.base for one in closed[1:]] + [end]
    return [one for one, following in zip(closed, ends, strict=True) if following > offset]


def steps(
    log: PartitionLog, config: TopicConfig, now: int, pause: Pause, most_keys: int = MOST_KEYS
) -> Steps:
    """One pass; its value is how many bytes it freed. Closing it leaves a sound log."""
    closed = log.closed_segments()
    if not closed:
        return 0
    done = cleaned(log.folder)
    end = log.segments[len(closed)].base
    paths = [one.path for one in _dirty(closed, done.offset, end)]
    yield lambda: _save(log.folder, done)  # says to a check that offsets may have holes from now on
    keys: Keys = yield lambda: _read_keys(paths, done.offset, end, most_keys, pause)
    cleaner = _Cleaner(keys, now, now + config.delete_retention_ms)
    before = log.size
    for segment in closed:
        if segment.base >= keys.until:
            break
        new: Rewritten = yield lambda: cleaner.rewrite(segment.path, pause)  # noqa: B023
        _swap(log, segment, new, is_edge=segment in {closed[0], closed[-1]})
        yield lambda: sync_folder(log.folder)
    progress = Cleaned(max(keys.until, done.offset), cleaner.horizon)
    yield lambda: _save(log.folder, progress)
    return before - log.size


def _save(folder: Path, progress: Cleaned) -> None:
    write_atomically(folder / CLEANED_FILE, json.dumps(progress._asdict()).encode())


def run(pass_: Steps) -> int:
    """All of a pass at once, here."""
    try:
        work = next(pass_)
        while True:
            work = pass_.send(work())
    except StopIteration as end:
        freed: int = end.value
        return freed


def _swap(log: PartitionLog, segment: Segment, new: Rewritten, *, is_edge: bool) -> None:
    """Let the new file take the place of the old one.

    The first and the last closed segment stay in any case: they say where the log begins, and that
    offsets go on to where the next file begins.
    """
    is_there = segment in log.segments  # retention may have been faster
    if is_there and (new.records or is_edge):
        if new.path is not None:
            segment.replace(new.path, new.index)
            log.forget_reads()
        return
    if new.path is not None:
        new.path.unlink(missing_ok=True)
    if is_there:
        log.forget_reads()
        log.segments.remove(segment)
        segment.delete()


def _batches(path: str, pause: Pause) -> Iterator[tuple[int, Header, memoryview]]:
    """A closed segment's batches; damage ends the pass, it is never written anew."""
    file = OpenFile(path, read_only=True)
    size = Path(path).stat().st_size
    position = 0
    for at, header in scan.walk(file, 0, size):
        batch = memoryview(read_at(file, at, header.size))
        if not crc_matches(batch, 0, header_at(batch, 0)):
            break
        position = at + header.size
        yield at, header, batch
        pause()
    if position < size:
        raise DamagedLogError(f"{path} is damaged at byte {position}; it is not compacted.")


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=16).digest()


def _read_keys(paths: list[str], offset: int, end: int, most_keys: int, pause: Pause) -> Keys:
    last: dict[bytes, int] = {}
    for path in paths:
        for _at, header, batch in _batches(path, pause):
            if header.last_offset < offset:
                continue
            if len(last) >= most_keys:
                return Keys(last, header.base_offset)
            found = opened(batch, header)
            for record in found.records if found else ():
                if record.key is not None:
                    last[_digest(record.key)] = header.base_offset + record.offset_delta
    return Keys(last, end)


class _Cleaner:
    """Goes through the segments from the first one on."""

    def __init__(self, keys: Keys, now: int, new_horizon: int) -> None:
        self._keys = keys
        self._now = now
        self._new_horizon = new_horizon
        self._saw_unreadable = False
        self.horizon: int | None = None

    def rewrite(self, path: str, pause: Pause) -> Rewritten:
        """The segment beside the old one, where something is to go."""
        rewriter = Rewriter(Path(path))
        end = Path(path).stat().st_size
        try:
            for at, header, batch in _batches(path, pause):
                changed = self._changed(header, batch, is_last=at + header.size == end)
                rewriter.take(header, batch, changed)
            return rewriter.finish()
        except BaseException:
            rewriter.abandon()
            raise

    def _changed(self, header: Header, batch: memoryview, *, is_last: bool) -> bytes | None:
        """The batch without what may go; None leaves it as it is, no bytes leave it out."""
        found = opened(batch, header)
        if found is None:
            self._saw_unreadable = True
            return None
        if header.base_offset >= self._keys.until:
            return None
        kept = [one for one in found.records if self._stays(found, one)]
        horizon = self._horizon(header, kept)
        if len(kept) == len(found.records) and horizon is None:
            return None if kept or is_last else b""
        return without(found, kept, horizon) if kept or is_last else b""

    def _stays(self, batch: Opened, record: Record) -> bool:
        if record.key is None:
            return True
        offset = batch.header.base_offset + record.offset_delta
        if self._keys.last.get(_digest(record.key), -1) > offset:
            return False
        return not (record.is_tombstone and self._is_over(batch.header))

    def _is_over(self, header: Header) -> bool:
        """A batch that can't be read may hold what the tombstone deletes: then that stays."""
        horizon = delete_horizon(header)
        return horizon is not None and horizon <= self._now and not self._saw_unreadable

    def _horizon(self, header: Header, kept: list[Record]) -> int | None:
        """When tombstones may go, for batches in which that is not written yet."""
        if not any(one.is_tombstone and one.key is not None for one in kept):
            return None
        known = delete_horizon(header)
        horizon = self._new_horizon if known is None else known
        if not self._saw_unreadable:
            self.horizon = min(horizon, self.horizon or horizon)
        return horizon if known is None else None
