"""A segment written anew beside the old one; nothing is written where nothing changes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from grnry.log.broker.protocol.batches import Header, header_at

from .index import Index

UNFINISHED = ".compacting"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file that is on the disk, to take the place of the old one; None where nothing changed."""

    path: Path | None
    index: Index
    records: int


class Rewriter:
    def __init__(self, old: Path) -> None:
        self._old = old
        self._new = old.with_suffix(UNFINISHED)
        self._index = Index()
        self._records = 0
        self._file: BinaryIO | None = None

    def take(self, header: Header, batch: memoryview, changed: bytes | None) -> None:
        """The next batch as it was (None), changed, or left out (no bytes)."""
        if changed is not None and self._file is None:
            self._begin()
        if changed is not None:
            if not changed:
                return
            header, batch = header_at(changed, 0), memoryview(changed)
        if self._file is not None:
            self._file.write(batch)
        self._records += header.record_count
        self._index.add(header.base_offset, header.next_offset, header.size, header.max_timestamp)

    def _begin(self) -> None:
        """All batches up to here stay as they are."""
        self._file = self._new.open("wb")
        left = self._index.size
        with self._old.open("rb") as old:
            while left:
                chunk = old.read(min(_CHUNK, left))
                self._file.write(chunk)
                left -= len(chunk)

    def finish(self) -> Rewritten:
        if self._file is None:
            return Rewritten(None, self._index, self._records)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Rewritten(self._new, self._index, self._records)

    def abandon(self) -> None:
        if self._file is not None:
            self._file.close()
            self._new.unlink(missing_ok=True)
