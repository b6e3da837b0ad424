"""One file of a partition's log, with its index beside it."""

from collections.abc import Iterator
from pathlib import Path

from grnry.log.broker.protocol.batches import HEADER_SIZE, Header, header_at

from . import scan
from .files import OpenFile, OpenFiles, read_at
from .index import Index


def log_name(base: int) -> str:
    return f"{base:020}.log"


class Segment:
    """Batches from a base offset on; only the last segment of a partition grows."""

    __slots__ = ("_files", "_index", "base", "path", "size")

    def __init__(self, folder: str, base: int, size: int, files: OpenFiles) -> None:
        self.path = f"{folder}/{log_name(base)}"
        self.base = base
        self.size = size
        self._files = files
        self._index: Index | None = None

    @property
    def file(self) -> OpenFile:
        return self._files.get(self.path)

    @property
    def index_path(self) -> Path:
        return Path(self.path).with_suffix(".index")

    @property
    def index(self) -> Index:
        if self._index is None:
            self._index = Index.load(self.index_path, self.size) or self._rebuilt_index()
        return self._index

    def set_index(self, index: Index) -> None:
        self._index = index

    def save_index(self) -> None:
        """Not synced: an index that is missing or damaged is made anew from the log."""
        self.index_path.write_bytes(self.index.dump())

    def release_index(self) -> None:
        self._index = None

    def _rebuilt_index(self) -> Index:
        index = Index()
        for _position, header in scan.walk(self.file, 0, self.size):
            index.add(header.base_offset, header.next_offset, header.size, header.max_timestamp)
        return index

    def find(self, offset: int, end: int) -> tuple[int, Header] | None:
        """The batch that holds the offset, or the first one after it."""
        for position, header in scan.walk(self.file, self.index.at_or_before(offset), end):
            if header.last_offset >= offset:
                return position, header
        return None

    def since(self, timestamp: int, end: int) -> Iterator[tuple[int, Header]]:
        """The batches that may hold records of that time or later, in order."""
        for position, header in scan.walk(self.file, self.index.before_time(timestamp), end):
            if header.max_timestamp >= timestamp:
                yield position, header

    def whole_batches(self, position: int, end: int, wanted: int, *, at_least_one: bool) -> int:
        """How many bytes from a position on are whole batches within the wanted number."""
        if position + wanted >= end:
            return end - position
        boundary = self.index.boundary(position, position + wanted)
        if boundary is not None:
            return boundary - position
        head = read_at(self.file, position, HEADER_SIZE)
        size = header_at(head, 0).size
        if size > wanted:
            return size if at_least_one else 0
        return self._walked(position, end, wanted)

    def _walked(self, position: int, end: int, wanted: int) -> int:
        total = 0
        for _position, header in scan.walk(self.file, position, end):
            if total + header.size > wanted:
                break
            total += header.size
        return total

    def replace(self, new: Path, index: Index) -> None:
        """Take another file's content; who reads the old one may finish."""
        self.index_path.unlink(missing_ok=True)  # never beside a log that it does not belong to
        new.replace(self.path)
        self._files.forget(self.path)
        self.size = index.size
        self.set_index(index)
        self.save_index()
        self.release_index()

    def delete(self) -> None:
        self._files.forget(self.path)
        self.index_path.unlink(missing_ok=True)
        Path(self.path).unlink(missing_ok=True)
