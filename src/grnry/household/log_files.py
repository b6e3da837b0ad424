"""The files of `logs`: kept small while their processes write to them, and bounded in total.

A process holds its file open for appending and knows nothing of this. So a file that is full is
copied to `<name>.log.1` and then emptied in place: the next line lands at its beginning. What is
written between the last look at its end and the cut would be lost; that is some microseconds.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE_BYTES = 10 * 2**20
CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file of a process, and the one put aside before it."""

    path: Path

    @property
    def name(self) -> str:
        """Of the process."""
        return self.path.name.removesuffix(".log")

    @property
    def aside(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")


def log_files(logs: Path) -> list[LogFile]:
    """Those of the household's processes, and those of deployments."""
    found = [*logs.glob("*.log"), *(logs / "deployments").glob("*.log")]
    return [LogFile(path) for path in sorted(found)]


def put_aside(file: LogFile) -> None:
    """Move what is in the file to the one aside, whose earlier content goes."""
    new = file.aside.with_name(f"{file.aside.name}.new")
    with file.path.open("rb+") as source, new.open("wb") as target:
        shutil.copyfileobj(source, target, CHUNK)
        target.flush()
        new.replace(file.aside)
        while rest := source.read(CHUNK):
            target.write(rest)
            target.flush()
        os.ftruncate(source.fileno(), 0)


def keep_bounded(logs: Path, total_bytes: int, file_bytes: int = FILE_BYTES) -> None:
    """Put full files aside; above the total, the oldest of those aside go first."""
    for file in log_files(logs):
        with contextlib.suppress(OSError):
            if file.path.stat().st_size > file_bytes:
                put_aside(file)
    sizes = dict(_sizes(logs))
    too_much = sum(sizes.values()) - total_bytes
    for path in sorted(sizes, key=_age):
        if too_much <= 0:
            return
        with contextlib.suppress(OSError):
            os.truncate(path, 0)
            if not path.name.endswith(".log"):
                path.unlink()
            too_much -= sizes[path]


def _sizes(logs: Path) -> Iterable[tuple[Path, int]]:
    for pattern in ("*.log*", "deployments/*.log*"):
        for path in logs.glob(pattern):
            with contextlib.suppress(OSError):
                yield path, path.stat().st_size


def _age(path: Path) -> tuple[bool, float]:
    """First those that nobody writes to any more, the oldest of them first."""
    try:
        return path.name.endswith(".log"), path.stat().st_mtime
    except OSError:
        return False, 0.0
