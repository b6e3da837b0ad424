"""One partition looked at: its files in order, each batch, the indexes and what is saved beside."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from grnry.log.broker.protocol.batches import COMPRESSION, Header
from grnry.log.broker.storage import checkpoint, scan, state
from grnry.log.broker.storage.compaction import CLEANED_FILE
from grnry.log.broker.storage.files import OpenFile, read_if_there
from grnry.log.broker.storage.index import Index
from grnry.log.broker.storage.partition import START_FILE

from .folder import segments
from .values import Finding, Loss

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@dataclass(slots=True)
class Counts:
    segments: int = 0
    batches: int = 0
    records: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


class Place(NamedTuple):
    """A segment among its neighbours."""

    path: Path
    size: int
    base: int
    next_base: int | None  # None for the last, which alone may be torn
    has_holes: bool  # compaction may have been here


def codec_of(header: Header) -> str:
    number = header.attributes & COMPRESSION
    return CODECS[number] if number < len(CODECS) else f"codec {number}"


def look_at_partition(folder: Path, counts: Counts) -> int:
    """Adds what is found to the counts; gives the offset after the last sound batch."""
    files = segments(folder)
    is_compacted = (folder / CLEANED_FILE).exists()
    next_offset = 0
    for number, path in enumerate(files):
        following = int(files[number + 1].stem) if number + 1 < len(files) else None
        has_holes = is_compacted and following is not None
        place = Place(path, path.stat().st_size, int(path.stem), following, has_holes)
        next_offset = _look_at_segment(place, counts)
    if files:
        _look_at_start(folder / START_FILE, next_offset, counts)
        _look_at_states(folder, counts)
    return next_offset


def _look_at_segment(place: Place, counts: Counts) -> int:
    counts.segments += 1
    counts.bytes += place.size
    index = Index()
    file = OpenFile(str(place.path), read_only=True)
    verified = scan.Verified(file, place.size, place.base, has_holes=place.has_holes)
    next_offset = place.base
    for header in verified:
        counts.batches += 1
        counts.records += header.record_count
        index.add(header.base_offset, header.next_offset, header.size, header.max_timestamp)
        next_offset = header.next_offset
    if verified.damage is not None:
        counts.findings.append(_damage(place, file, verified.damage, next_offset))
    else:
        _look_at_end(place, next_offset, counts)
        _look_at_index(place, index, counts)
    return next_offset


def _damage(place: Place, file: OpenFile, damage: scan.Damage, offset: int) -> Finding:
    loss = _loss(place, file, damage, offset)
    if place.next_base is None and damage.next_good is None:
        return Finding(
            "torn", place.path, "a write that was not finished", damage.position, offset, loss,
            "The next start cuts it by itself.",
        )  # fmt: skip
    return Finding(
        "damage", place.path, "what is there is not what was written", damage.position, offset,
        loss,
        f"Restore the file from a backup, or cut it with: "
        f"truncate -s {damage.position} '{place.path}'",
    )  # fmt: skip


def _loss(place: Place, file: OpenFile, damage: scan.Damage, offset: int) -> Loss:
    batches = records = 0
    next_good = damage.next_good
    while next_good is not None:
        rest = scan.Verified(file, place.size, offset, position=next_good, has_holes=True)
        for header in rest:
            batches += 1
            records += header.record_count
        next_good = rest.damage and rest.damage.next_good
    return Loss(offset, place.next_base, place.size - damage.position, batches, records)


def _look_at_end(place: Place, next_offset: int, counts: Counts) -> None:
    """How the file joins the next one."""
    if place.next_base is None:
        return
    if place.size == 0:
        finding = Finding(
            "damage", place.path, "the file is empty, but records were in it", 0, place.base,
            remedy="Restore it from a backup, or delete it to go on without them.",
        )  # fmt: skip
    elif next_offset > place.next_base:
        finding = Finding(
            "damage", place.path, f"its offsets overlap those of the next file, from "
            f"{place.next_base} on", offset=place.next_base,
            remedy="Restore both files from a backup.",
        )  # fmt: skip
    elif next_offset < place.next_base and not place.has_holes:
        finding = Finding(
            "note", place.path, f"offsets {next_offset} to {place.next_base - 1} are in no file",
            offset=next_offset, remedy="Consumers go on behind them.",
        )  # fmt: skip
    else:
        return
    counts.findings.append(finding)


def _look_at_index(place: Place, expected: Index, counts: Counts) -> None:
    path = place.path.with_suffix(".index")
    saved = Index.load(path, place.size)
    if saved is None:
        if place.next_base is not None:
            what = "the index is missing or damaged"
            remedy = "It is made anew when it is needed."
            counts.findings.append(Finding("note", path, what, remedy=remedy))
    elif saved.dump() != expected.dump():
        what = "the index leads to other places than where the batches are"
        remedy = "Delete it: it is made anew when it is needed."
        counts.findings.append(Finding("damage", path, what, remedy=remedy))


def _look_at_start(path: Path, next_offset: int, counts: Counts) -> None:
    content = read_if_there(path)
    if content is None:
        return
    try:
        is_right = 0 <= int(content) <= next_offset
    except ValueError:
        is_right = False
    if not is_right:
        what = f"the first offset is {content[:20]!r}, the log ends at {next_offset}"
        remedy = "Delete the file: records that were deleted by offset may come back."
        counts.findings.append(Finding("damage", path, what, remedy=remedy))


def _look_at_states(folder: Path, counts: Counts) -> None:
    for path in sorted(folder.glob(f"*{state.SUFFIX}")):
        if not path.stem.isdigit() or state.load(folder, int(path.stem)) is None:
            what = "what is known of producers is damaged"
            remedy = "It is made anew from the log at the next start."
            counts.findings.append(Finding("note", path, what, remedy=remedy))
    last = segments(folder)[-1]
    path = last.with_suffix(checkpoint.SUFFIX)
    if path.exists() and checkpoint.load(path, last.stat().st_size) is None:
        what = "the checkpoint is damaged, or the log was cut before it"
        remedy = "The next start reads the whole file instead."
        counts.findings.append(Finding("note", path, what, remedy=remedy))
