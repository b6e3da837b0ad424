"""Is all there what was written? Every byte of a stopped broker's files is read, none changed."""

import json
from pathlib import Path

from grnry.log.broker.storage.files import read_if_there
from grnry.log.broker.storage.group_offsets import parsed

from . import folder
from .segments import Counts, look_at_partition
from .values import Finding, Report


def check(data: Path) -> Report:
    """Raises InspectionError where a broker runs on the folder, or where there is none."""
    held = folder.lock(data)
    counts = Counts()
    topics = partitions = 0
    _look_at_identity(data / "broker.json", counts)
    for topic in sorted((data / "topics").iterdir()):
        topics += 1
        partitions += _look_at_topic(topic, counts)
    _look_at_group_offsets(data / "group-offsets", counts)
    was_clean = (data / "clean-shutdown").exists()
    del held
    return Report(
        data, was_clean, topics, partitions, counts.segments, counts.batches, counts.records,
        counts.bytes, tuple(counts.findings),
    )  # fmt: skip


def _look_at_identity(path: Path, counts: Counts) -> None:
    try:
        content = json.loads(path.read_bytes())
        is_right = {"format", "cluster", "epoch", "producer_ids_from"} <= content.keys()
    except (OSError, ValueError, AttributeError):
        is_right = False
    if not is_right:
        remedy = "Restore it from a backup."
        counts.findings.append(Finding("damage", path, "it can't be read", remedy=remedy))


def _look_at_topic(topic: Path, counts: Counts) -> int:
    """How many partitions have been written."""
    path = topic / "topic.json"
    most = None
    try:
        content = json.loads(path.read_bytes())
        most = int(content["partitions"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Restore it from a backup, or move the folder away to go on without the topic."
        what = f"it can't be read ({error})"
        counts.findings.append(Finding("damage", path, what, remedy=remedy))
    written = [one for one in topic.iterdir() if one.name.isdigit() and one.is_dir()]
    for one in sorted(written, key=lambda one: int(one.name)):
        if most is not None and int(one.name) >= most:
            what = f"the topic has {most} partitions only"
            counts.findings.append(Finding("note", one, what, remedy="The folder is not used."))
        look_at_partition(one, counts)
    return len(written)


def _look_at_group_offsets(path: Path, counts: Counts) -> None:
    lines = (read_if_there(path) or b"").splitlines(keepends=True)
    sound = [parsed(line) is not None for line in lines]
    if all(sound):
        return
    first = sound.index(False)
    position = sum(map(len, lines[:first]))
    size = sum(map(len, lines)) - position
    if not any(sound[first:]):
        what = f"a commit that was not finished, {size} bytes"
        remedy = "The next start cuts it by itself."
        counts.findings.append(Finding("torn", path, what, position, remedy=remedy))
        return
    what = (
        f"a damaged entry; cutting there loses {size} bytes and {sum(sound[first:])} sound "
        f"entries, so that groups go back to what they had committed before"
    )
    remedy = f"Restore the file from a backup, or cut it with: truncate -s {position} '{path}'"
    counts.findings.append(Finding("damage", path, what, position, remedy=remedy))
