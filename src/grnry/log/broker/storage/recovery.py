"""Opening a partition: from its last checkpoint, by reading what has been written since."""

import logging
import os
from contextlib import suppress
from pathlib import Path

from grnry.log.broker.errors import DamagedLogError
from grnry.log.broker.protocol.batches import Header

from . import checkpoint, scan, state
from .files import OpenFiles, read_if_there
from .index import Index
from .partition import START_FILE, PartitionLog
from .rewritten import UNFINISHED
from .segment import Segment

log = logging.getLogger("grnry.log.broker")


def open_partition(folder: Path, files: OpenFiles, now: int) -> PartitionLog:
    """The partition as its files tell; a folder that is not there is an empty partition."""
    partition = PartitionLog(folder, files)
    partition.rolled_at(now)
    bases = _listing(folder)
    if not bases:
        return partition
    partition.segments = [_segment(folder, base, files) for base in bases]
    _check_order(partition.segments)
    partition.start_offset = max(bases[0], int(read_if_there(folder / START_FILE) or 0))
    partition.rolled_at(_begun(folder, bases[-1], now))
    position = _resume(partition, now)
    if position < partition.segments[-1].size:
        _recover(partition, position, now)
    partition.show_all()
    return partition


def _listing(folder: Path) -> list[int]:
    """Where the segments begin; what was left half written goes."""
    bases, checkpoints = [], []
    try:
        names = os.listdir(folder)  # noqa: PTH208 (thousands of them at start)
    except FileNotFoundError:
        names = []
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        if dot + suffix == ".log" and stem.isdigit():
            bases.append(int(stem))
        elif dot + suffix == checkpoint.SUFFIX and stem.isdigit():
            checkpoints.append(int(stem))
        elif dot + suffix == UNFINISHED:
            (folder / name).unlink()
    for base in checkpoints:
        if base != max(bases, default=-1):
            checkpoint.path_of(folder, base).unlink()
    return sorted(bases)


def _segment(folder: Path, base: int, files: OpenFiles) -> Segment:
    segment = Segment(str(folder), base, 0, files)
    segment.size = os.stat(segment.path).st_size  # noqa: PTH116 (thousands of them at start)
    return segment


def _begun(folder: Path, base: int, now: int) -> int:
    """When the last file was begun, as near as other files tell: a restart makes it no younger."""
    for path in (state.path_of(folder, base), folder.parent / "topic.json"):
        with suppress(FileNotFoundError):
            return min(now, path.stat().st_mtime_ns // 1_000_000)
    return now


def _check_order(segments: list[Segment]) -> None:
    for segment in segments[:-1]:
        if segment.size == 0:
            raise DamagedLogError(
                f"{segment.path} is empty, but records were in it. Restore the file from a "
                f"backup, or delete it to go on without them."
            )


def _resume(partition: PartitionLog, now: int) -> int:
    """Take up what is known; gives the byte of the last segment from which on nothing is."""
    last = partition.segments[-1]
    known = checkpoint.load(checkpoint.path_of(partition.folder, last.base), last.size)
    if known is not None:
        _load_state(partition, known.state)
        last.set_index(known.places)
        partition.end_offset = known.state.end_offset
        return known.places.size
    saved = state.load(partition.folder, last.base)
    if saved is not None and saved.size == 0:
        _load_state(partition, saved)
    elif len(partition.segments) > 1:
        _replay_full_segments(partition, now)
    partition.end_offset = last.base
    last.set_index(Index())
    return 0


def _load_state(partition: PartitionLog, saved: state.State) -> None:
    partition.producers.load(saved.producers)
    partition.epochs.load(saved.epochs)


def _recover(partition: PartitionLog, position: int, now: int) -> None:
    """Read what was written since, cut what was written in part, replay what batches tell."""
    last = partition.segments[-1]
    index = last.index
    verified = scan.Verified(last.file, last.size, partition.end_offset, position=position)
    for header in verified:
        index.add(header.base_offset, header.next_offset, header.size, header.max_timestamp)
        _replay(partition, header, now)
        partition.end_offset = header.next_offset
        partition.unchecked += 1
    if verified.damage is not None:
        _cut(last, verified.damage, partition.end_offset)
    last.size = index.size
    partition.unchecked += (last.size - position) // checkpoint.COST_OF_BYTES
    partition.needs_sync()
    state.drop_others(partition.folder, {last.base})


def _replay_full_segments(partition: PartitionLog, now: int) -> None:
    for segment in partition.segments[:-1]:
        for _position, header in scan.walk(segment.file, 0, segment.size):
            _replay(partition, header, now)


def _replay(partition: PartitionLog, header: Header, now: int) -> None:
    partition.producers.replay(header, now)
    partition.epochs.replay(header.leader_epoch, header.base_offset)


def _cut(segment: Segment, damage: scan.Damage, end_offset: int) -> None:
    if damage.next_good is not None:
        raise DamagedLogError(
            f"{segment.path} is damaged at byte {damage.position} (offset {end_offset}); sound "
            f"batches follow from byte {damage.next_good} on. Restore the file from a backup, or "
            f"give up offset {end_offset} and all after it in this partition with: "
            f"truncate -s {damage.position} '{segment.path}'"
        )
    log.warning(
        "%s: cut %d bytes at its end, where the last write was not finished (offset %d)",
        segment.path,
        segment.size - damage.position,
        end_offset,
    )
    os.ftruncate(segment.file.fd, damage.position)
