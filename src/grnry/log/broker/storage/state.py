"""What a partition knows beside its batches, saved when a segment is full and at a clean stop."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import crc32c

from .files import read_if_there, write_atomically

SUFFIX = ".state"


class State(NamedTuple):
    """Holds for the log up to an offset, which is the file's name."""

    end_offset: int
    segment: int  # the base of the last segment
    size: int  # of that segment
    producers: list[Any]
    epochs: list[list[int]]


def path_of(folder: Path, end_offset: int) -> Path:
    return folder / f"{end_offset:020}{SUFFIX}"


def save(folder: Path, state: State) -> None:
    body = json.dumps(state._asdict(), separators=(",", ":")).encode()
    data = b"%08x\n%s" % (crc32c.crc32c(body), body)
    write_atomically(path_of(folder, state.end_offset), data)


def load(folder: Path, end_offset: int) -> State | None:
    """The state as saved, or None where it is missing or damaged: the log can replace it."""
    data = read_if_there(path_of(folder, end_offset))
    if data is None:
        return None
    crc, _, body = data.partition(b"\n")
    if crc != b"%08x" % crc32c.crc32c(body):
        return None
    return State(**json.loads(body))


def drop_others(folder: Path, keep: set[int]) -> None:
    for path in folder.glob(f"*{SUFFIX}"):
        if int(path.stem) not in keep:
            path.unlink(missing_ok=True)
