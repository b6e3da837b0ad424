"""A partition's batches, one after the other, as their headers tell."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from grnry.log.broker.errors import InspectionError
from grnry.log.broker.protocol.batches import LOG_APPEND_TIME, Header, crc_matches
from grnry.log.broker.storage import scan
from grnry.log.broker.storage.files import OpenFile, read_at

from . import folder
from .segments import codec_of
from .values import BatchInfo, Unreadable


def dump(
    data: Path, topic: str, partition: int, *, from_offset: int = 0, limit: int | None = None
) -> Iterator[BatchInfo | Unreadable]:
    """The batches that hold the offset or come after it, and the bytes that are no batch.

    Raises InspectionError at once where there is nothing to look at; while the iterator lives, no
    broker starts on the folder.
    """
    held = folder.lock(data)
    path = data / "topics" / topic
    if "/" in topic or not (path / "topic.json").exists():
        raise InspectionError(f"{data} has no topic {topic}.")
    _check_number(path, partition)
    found = _all(held, folder.segments(path / str(partition)), from_offset)
    return islice(found, limit)


def _check_number(topic: Path, partition: int) -> None:
    """A partition that was never written has no folder, and no batches."""
    if (topic / str(partition)).is_dir():
        return
    try:
        count = int(json.loads((topic / "topic.json").read_bytes())["partitions"])
    except (ValueError, KeyError, TypeError):
        return
    if not 0 <= partition < count:
        raise InspectionError(f"{topic.name} has no partition {partition}, only 0 to {count - 1}.")


def _all(
    held: OpenFile | None, files: list[Path], from_offset: int
) -> Iterator[BatchInfo | Unreadable]:
    for number, path in enumerate(files):
        is_last = number + 1 == len(files)
        if is_last or int(files[number + 1].stem) > from_offset:
            yield from _batches(path, from_offset)
    del held


def _batches(path: Path, from_offset: int) -> Iterator[BatchInfo | Unreadable]:
    file = OpenFile(str(path), read_only=True)
    size = path.stat().st_size
    position = 0
    while position < size:
        for at, header in scan.walk(file, position, size):
            position = at + header.size
            if header.last_offset >= from_offset:
                yield _info(path.name, file, at, header)
        if position < size:
            following = _next_sound(file, position, size, int(path.stem))
            yield Unreadable(path.name, position, following - position)
            position = following


def _next_sound(file: OpenFile, position: int, size: int, base: int) -> int:
    """Where the next batch begins that can be told, or the end of the file."""
    found = scan.Verified(file, size, base, position=position)
    for _header in found:
        return position
    return found.damage.next_good or size if found.damage else size


def _info(name: str, file: OpenFile, position: int, header: Header) -> BatchInfo:
    data = memoryview(read_at(file, position, header.size))
    return BatchInfo(
        file=name,
        position=position,
        size=header.size,
        first_offset=header.base_offset,
        last_offset=header.last_offset,
        records=header.record_count,
        first_time=header.base_timestamp,
        newest_time=header.max_timestamp,
        is_broker_time=bool(header.attributes & LOG_APPEND_TIME),
        codec=codec_of(header),
        leader_epoch=header.leader_epoch,
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        is_crc_ok=crc_matches(data, 0, header),
    )
