"""The files of `logs`: kept small while their processes write to them, and bounded in total.

Those of deployments are kept small by the reconciler, and count in the total.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from grnry.logs import LogFile, put_aside

FILE_BYTES = 10 * 2**20


def log_files(logs: Path) -> list[LogFile]:
    """Those of the household's processes, and those of deployments."""
    found = [*logs.glob("*.log"), *(logs / "deployments").glob("*.log")]
    return [LogFile(path) for path in sorted(found)]


def keep_bounded(logs: Path, total_bytes: int, file_bytes: int = FILE_BYTES) -> None:
    """Put full files aside; above the total, the oldest of those aside go first."""
    for file in map(LogFile, logs.glob("*.log")):
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
