"""The logs of deployments that are processes of this machine: one file each, all replicas' lines.

Kept over restarts, bounded: a file that is full is put aside, and the one put aside before it goes.
"""

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from grnry.logs import LogFile, put_aside

FILE_BYTES = 4 * 2**20
"""A deployment has two files of at most about this size."""

LONGEST_LINE = 16 * 2**10
_CHUNK = 64 * 2**10


class Logs(Protocol):
    """Where the lines are that a deployment's workers wrote: a port, as its deployer is."""

    def last(self, name: str, lines: int) -> list[str]:
        """The last of them, oldest first, over all restarts that are kept; none is none."""
        ...


def folder_in(data: Path) -> Path:
    """Where a data folder keeps them."""
    return data / "logs" / "deployments"


class LogFolder:
    """Files of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, name: str) -> LogFile:
        if "/" in name or name.startswith("."):
            raise ValueError(f"'{name}' is no name of a deployment")
        return LogFile(self._folder / f"{name}.log")

    def open(self, name: str) -> int:
        """For a replica to append to."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return os.open(self._file(name).path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def keep_bounded(self, name: str) -> None:
        file = self._file(name)
        with contextlib.suppress(OSError):
            if file.path.stat().st_size > FILE_BYTES:
                put_aside(file, most=FILE_BYTES)

    def keep_only(self, names: Collection[str]) -> None:
        """Delete the files of all others."""
        for path in self._folder.glob("*.log"):
            if path.name.removesuffix(".log") not in names:
                for one in (path, LogFile(path).aside):
                    with contextlib.suppress(OSError):
                        one.unlink()

    def last(self, name: str, lines: int) -> list[str]:
        file = self._file(name)
        found: list[str] = []
        for path in (file.path, file.aside):
            if len(found) < lines:
                found[:0] = _last_lines(path, lines - len(found))
        return found


def _last_lines(path: Path, most: int) -> list[str]:
    """Read from the end, so that a long file costs no more than a short one."""
    try:
        with path.open("rb") as file:
            text = b"".join(reversed(list(_enough(file.fileno(), most))))
    except FileNotFoundError:
        return []
    return [_shown(line) for line in text.splitlines()[-most:]]


def _enough(file: int, most: int) -> Iterator[bytes]:
    """Chunks from the end until they hold so many lines, or more than anybody is to be sent."""
    at, newlines, left = os.fstat(file).st_size, 0, FILE_BYTES
    while at > 0 and newlines <= most and left > 0:
        size = min(_CHUNK, at)
        at, left = at - size, left - size
        chunk = os.pread(file, size, at)
        newlines += chunk.count(b"\n")
        yield chunk


def _shown(line: bytes) -> str:
    text = line[:LONGEST_LINE].decode(errors="replace").replace("\0", "\ufffd")
    left_out = len(line) - LONGEST_LINE
    return f"{text}… ({left_out} bytes more)" if left_out > 0 else text
