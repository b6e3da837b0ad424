"""How far a partition's last file is known to be sound, so that a start need not read it again.

Written at a clean stop, and under load as often as bounds what a start after a crash has to read.
The file's name is the segment's; it is one file, so that its parts always belong together.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import crc32c

from .files import OpenFile, read_if_there, write_atomically
from .index import Index
from .state import State

if TYPE_CHECKING:
    from .partition import PartitionLog

SUFFIX = ".checkpoint"
COST_OF_BYTES = 16 << 10  # checking so many takes about as long as looking at one more batch
MOST_UNCHECKED = 32 << 10


class Checkpoint(NamedTuple):
    state: State
    places: Index


def path_of(folder: Path, base: int) -> Path:
    return folder / f"{base:020}{SUFFIX}"


def dump(state: State, index: Index) -> bytes:
    body = json.dumps(state._asdict(), separators=(",", ":")).encode() + b"\n" + index.dump()
    return b"%08x\n%s" % (crc32c.crc32c(body), body)


def load(path: Path, log_size: int) -> Checkpoint | None:
    """What was known, or None where it is missing, damaged or of a longer log: all is read then."""
    crc, _, body = (read_if_there(path) or b"").partition(b"\n")
    if crc != b"%08x" % crc32c.crc32c(body):
        return None
    head, _, rest = body.partition(b"\n")
    state = State(**json.loads(head))
    index = Index.parse(rest, state.size)
    if index is None or not 0 < state.size <= log_size or index.next_offset != state.end_offset:
        return None
    return Checkpoint(state, index)


class _Unsynced(NamedTuple):
    """Written behind the log's own sync. A power cut may damage it; its CRC tells."""

    path: Path
    data: bytes

    def sync(self) -> None:
        with suppress(OSError):  # a full disk, a deleted topic: the older one holds as well
            write_atomically(self.path, self.data, durable=False)


class _Mark(NamedTuple):
    files: list[OpenFile | _Unsynced]


class _Writing:
    """A checkpoint that is written by the thread that syncs, after the log itself."""

    def __init__(self, log: "PartitionLog") -> None:
        self._log = log

    def begin_sync(self) -> _Mark:
        log = self._log
        last = log.segments[-1]
        log.unchecked = 0
        try:
            file = last.file
        except OSError:  # the topic was deleted meanwhile, or too many files are open
            return _Mark([])
        return _Mark([file, _Unsynced(path_of(log.folder, last.base), log.checkpoint())])

    def end_sync(self, mark: _Mark) -> None:
        pass


class Checkpoints:
    """Chooses what to write: those partitions of which a start would have to read the most."""

    def __init__(self, most: int = MOST_UNCHECKED) -> None:
        self._most = most
        self._unchecked: dict[PartitionLog, int] = {}
        self._total = 0

    def due(self, log: "PartitionLog") -> Sequence[_Writing]:
        """To be asked after each append."""
        self._total += log.unchecked - self._unchecked.get(log, 0)
        self._unchecked[log] = log.unchecked
        if self._total <= self._most:
            return ()
        chosen = []
        for one, unchecked in sorted(self._unchecked.items(), key=_second, reverse=True):
            if self._total <= self._most // 2:
                break
            chosen.append(_Writing(one))
            del self._unchecked[one]
            self._total -= unchecked
        return chosen


def _second(item: "tuple[PartitionLog, int]") -> int:
    return item[1]
