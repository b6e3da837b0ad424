"""What a start after a crash has to read, and what it does where a checkpoint is of no use."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from grnry.log.broker.inspection.segments import Counts, look_at_partition
from grnry.log.broker.storage import scan
from grnry.log.broker.storage.checkpoint import Checkpoints, path_of
from grnry.log.broker.storage.config import LogDefaults, effective
from grnry.log.broker.storage.files import OpenFiles
from grnry.log.broker.storage.partition import PartitionLog
from grnry.log.broker.storage.recovery import open_partition
from tests.log.broker.batch_maker import batch, checked

CONFIG = effective({}, LogDefaults())
PRODUCER = 7


def reopened(folder: Path) -> PartitionLog:
    return open_partition(folder, OpenFiles(10), 0)


def append(log: PartitionLog, count: int, checkpoints: Checkpoints | None = None) -> int:
    """So many batches of a producer; gives how many checkpoints were written meanwhile."""
    written = 0
    for _ in range(count):
        value = batch(b"v", producer=(PRODUCER, 0, log.end_offset))
        log.append(*checked(value), CONFIG, 1, 0)
        for one in checkpoints.due(log) if checkpoints else ():
            written += 1
            for file in one.begin_sync().files:
                file.sync()
    return written


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The offsets of the batches that recovery reads."""
    offsets: list[int] = []
    original = scan.Verified.__iter__

    def spied(self: scan.Verified) -> Sequence[object]:
        found = list(original(self))
        offsets.extend(header.base_offset for header in found)
        return iter(found)  # type: ignore[return-value]

    monkeypatch.setattr(scan.Verified, "__iter__", spied)
    return offsets


def test_a_start_reads_what_came_after_the_checkpoint_and_knows_the_rest(
    tmp_path: Path, read: list[int]
) -> None:
    log = reopened(tmp_path / "0")
    checkpoints = Checkpoints(most=100)
    assert append(log, 101, checkpoints) == 1
    assert append(log, 50, checkpoints) == 0
    again = reopened(tmp_path / "0")
    assert read == list(range(101, 151))
    assert again.end_offset == again.stable_offset == 151
    assert again.segments[-1].index.dump() == log.segments[-1].index.dump()
    assert again.producers.dump() == log.producers.dump()
    assert again.epochs.dump() == [[1, 0]]
    assert append(again, 1) == 0


def test_a_clean_stop_leaves_nothing_to_read(tmp_path: Path, read: list[int]) -> None:
    log = reopened(tmp_path / "0")
    append(log, 20)
    log.close()
    append(reopened(tmp_path / "0"), 3)
    assert read == []
    reopened(tmp_path / "0")
    assert read == [20, 21, 22]


@pytest.mark.parametrize("how", ["missing", "flipped", "cut", "empty"])
def test_without_a_sound_checkpoint_the_file_is_read(
    tmp_path: Path, read: list[int], how: str
) -> None:
    log = reopened(tmp_path / "0")
    append(log, 20)
    log.close()
    path = path_of(tmp_path / "0", 0)
    data = path.read_bytes()
    path.unlink()
    if how == "flipped":
        path.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    elif how != "missing":
        path.write_bytes(data[: len(data) // 2] if how == "cut" else b"")
    again = reopened(tmp_path / "0")
    assert read == list(range(20))
    assert again.producers.dump() == log.producers.dump()
    assert again.end_offset == 20


def test_a_log_that_was_cut_before_its_checkpoint(tmp_path: Path) -> None:
    """By hand, or by a disk that lost what it said it had."""
    log = reopened(tmp_path / "0")
    append(log, 20)
    log.close()
    size = log.size // 20
    with Path(log.segments[0].path).open("r+b") as file:
        file.truncate(size * 10 + 5)
    again = reopened(tmp_path / "0")
    assert again.end_offset == 10
    append(again, 1)
    assert reopened(tmp_path / "0").end_offset == 11


def test_damage_before_the_checkpoint_is_found_by_check_and_not_by_the_start(
    tmp_path: Path,
) -> None:
    log = reopened(tmp_path / "0")
    append(log, 20)
    log.close()
    with Path(log.segments[0].path).open("r+b") as file:
        file.seek(200)
        file.write(b"?")
    assert reopened(tmp_path / "0").end_offset == 20
    counts = Counts()
    look_at_partition(tmp_path / "0", counts)
    assert [one.severity for one in counts.findings] == ["damage"]


def test_a_new_file_needs_no_checkpoint_of_the_one_before(tmp_path: Path) -> None:
    log = reopened(tmp_path / "0")
    append(log, 3)
    log.close()
    log.roll(0)
    assert not list((tmp_path / "0").glob("*.checkpoint"))
    stale = path_of(tmp_path / "0", 0)  # as a thread leaves it that is late
    stale.write_bytes(b"")
    again = reopened(tmp_path / "0")
    assert not stale.exists()
    assert again.end_offset == 3
    assert again.producers.dump() == log.producers.dump()


def test_what_all_partitions_together_leave_to_read_is_bounded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(most=100)
    logs = [reopened(tmp_path / str(number)) for number in range(30)]
    for turn in range(60):
        for number, log in enumerate(logs):
            append(log, 1 + (turn + number) % 3, checkpoints)
            assert sum(one.unchecked for one in logs) <= 100
