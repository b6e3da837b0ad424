"""Files that survive a crash, and a bound on how many are open."""

import errno
import os
from collections import OrderedDict
from pathlib import Path

from grnry.log.broker.errors import SyncFailedError


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file's own fsync does not."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """The file holds either the old content or the new; where durable, after a power cut too."""
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    unfinished.replace(path)
    if durable:
        sync_folder(path.parent)


def read_if_there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


class OpenFile:
    """A file that closes when the last who uses it lets go, be it the cache or a thread."""

    __slots__ = ("fd",)

    def __init__(self, path: str, *, create: bool = False, read_only: bool = False) -> None:
        self.fd = -1
        flags = os.O_CLOEXEC | (os.O_RDONLY if read_only else os.O_RDWR)
        flags |= os.O_CREAT if create else 0
        self.fd = os.open(path, flags, 0o640)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def sync(self) -> None:
        os.fdatasync(self.fd)

    def sync_or_fail(self) -> None:
        """Where a failure is not the request's alone: the kernel may have dropped what it had."""
        try:
            self.sync()
        except OSError as error:
            raise SyncFailedError(error) from error


class FolderNames:
    """The names in a folder, to be made durable with the files that are new in it.

    The folder is opened at once: where that fails, what is written can still be refused.
    """

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = OpenFile(str(folder), read_only=True)

    def sync(self) -> None:
        os.fsync(self._folder.fd)


class OpenFiles:
    """The files in use, the least recently used of which is let go."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._files: OrderedDict[str, OpenFile] = OrderedDict()

    def __len__(self) -> int:
        return len(self._files)

    def get(self, path: str, *, create: bool = False) -> OpenFile:
        file = self._files.get(path)
        if file is not None:
            self._files.move_to_end(path)
            return file
        while len(self._files) >= self._limit:
            self._files.popitem(last=False)
        try:
            file = OpenFile(path, create=create)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE} or not self._files:
                raise
            self._files.popitem(last=False)  # connections have taken what was meant for files
            file = OpenFile(path, create=create)
        self._files[path] = file
        return file

    def forget(self, path: str) -> None:
        self._files.pop(path, None)


def write_at(file: OpenFile, data: memoryview | bytes, position: int) -> None:
    """Write all of it or nothing: what a full disk cut short is taken back."""
    try:
        written = os.pwrite(file.fd, data, position)
        while written < len(data):
            more = os.pwrite(file.fd, memoryview(data)[written:], position + written)
            if more == 0:
                raise OSError("The disk takes no more bytes.")  # noqa: TRY301
            written += more
    except OSError:
        os.ftruncate(file.fd, position)
        raise


def read_at(file: OpenFile, position: int, size: int) -> bytes:
    data = os.pread(file.fd, size, position)
    while len(data) < size:
        more = os.pread(file.fd, size - len(data), position + len(data))
        if not more:
            break
        data += more
    return data
