"""Partitions, topics and group offsets as files, without a socket."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from grnry.log.broker import BrokerStartError, DamagedLogError
from grnry.log.broker.protocol.errors import ErrorCode, RequestError
from grnry.log.broker.storage.config import LogDefaults, check, effective
from grnry.log.broker.storage.files import OpenFiles, read_at
from grnry.log.broker.storage.group_offsets import Committed, GroupOffsets
from grnry.log.broker.storage.index import Index
from grnry.log.broker.storage.partition import PartitionLog
from grnry.log.broker.storage.recovery import open_partition
from grnry.log.broker.storage.store import Store
from tests.log.broker.batch_maker import batch, checked, headers_of

CONFIG = effective({}, LogDefaults())
SMALL = effective({"segment.bytes": "16384"}, LogDefaults())


def append(log: PartitionLog, *batches: bytes, config: Any = CONFIG, epoch: int = 0) -> int:
    records, headers = checked(*batches)
    base = log.append(records, headers, config, epoch, 1000).base_offset
    log.show_all()
    return base


def read(log: PartitionLog, offset: int, size: int = 1 << 20) -> bytes:
    found = log.readable(offset, size, at_least_one=True)
    return read_at(*found) if found else b""


def reopened(log: PartitionLog) -> PartitionLog:
    return open_partition(log.folder, OpenFiles(4), 1000)


@pytest.fixture
def log(tmp_path: Path) -> PartitionLog:
    return open_partition(tmp_path / "0", OpenFiles(4), 1000)


def test_nothing_is_on_disk_before_the_first_write(log: PartitionLog) -> None:
    assert read(log, 0) == b""
    assert not log.folder.exists()


def test_offsets_go_on_from_batch_to_batch(log: PartitionLog) -> None:
    assert append(log, batch(b"a", b"b")) == 0
    assert append(log, batch(b"c"), batch(b"d", b"e")) == 2
    assert [one.base_offset for one in headers_of(read(log, 0))] == [0, 2, 3]
    assert [one.base_offset for one in headers_of(read(log, 4))] == [3]
    assert log.end_offset == 5


def test_what_is_not_synced_is_not_shown(log: PartitionLog) -> None:
    append(log, batch(b"a"))
    records, headers = checked(batch(b"b"))
    log.append(records, headers, CONFIG, 0, 1000)
    assert (log.stable_offset, log.end_offset) == (1, 2)
    assert len(headers_of(read(log, 0))) == 1
    assert read(log, 1) == b""
    log.end_sync(log.begin_sync())
    assert len(headers_of(read(log, 0))) == 2


def test_reading_honours_the_size_and_gives_one_batch_at_least(log: PartitionLog) -> None:
    for number in range(200):
        append(log, batch(b"x" * 500, time=number))
    size = len(batch(b"x" * 500))
    assert len(read(log, 0, 10)) == size
    assert log.readable(0, 10, at_least_one=False) is None
    assert len(read(log, 0, 3 * size + 5)) == 3 * size
    some = headers_of(read(log, 57, 20_000))
    assert some[0].base_offset == 57
    assert sum(one.size for one in some) <= 20_000


def test_an_offset_out_of_range_is_told(log: PartitionLog) -> None:
    append(log, batch(b"a"))
    for offset in (-1, 2):
        with pytest.raises(RequestError) as caught:
            log.readable(offset, 100, at_least_one=True)
        assert caught.value.code is ErrorCode.OFFSET_OUT_OF_RANGE


def test_segments_roll_and_survive_reopening(log: PartitionLog) -> None:
    for number in range(100):
        append(log, batch(b"x" * 1000, time=number, producer=(9, 0, number)), config=SMALL)
    assert len(log.segments) > 5
    again = reopened(log)
    assert again.end_offset == 100
    seen: list[int] = []
    while len(seen) < 100:
        seen += [one.base_offset for one in headers_of(read(again, len(seen), 7000))]
    assert seen == list(range(100))
    assert append(again, batch(b"x" * 1000, producer=(9, 0, 99))) == 99  # known as a duplicate
    assert again.end_offset == 100


def test_a_clean_stop_is_taken_up_without_reading_the_log(log: PartitionLog) -> None:
    append(log, batch(b"a", producer=(1, 0, 0)))
    log.close()
    path = Path(log.segments[0].path)
    data = bytearray(path.read_bytes())
    data[65] ^= 1  # only a scan would see it
    path.write_bytes(data)
    again = reopened(log)
    assert again.end_offset == 1
    assert append(again, batch(b"a", producer=(1, 0, 0))) == 0


def test_duplicates_gaps_and_old_epochs(log: PartitionLog) -> None:
    for sequence in range(7):
        append(log, batch(b"x", producer=(1, 3, sequence)))
    assert append(log, batch(b"x", producer=(1, 3, 4))) == 4
    for refused, code in (
        ((1, 3, 8), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        ((1, 3, 1), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),  # more than five batches ago
        ((1, 2, 0), ErrorCode.INVALID_PRODUCER_EPOCH),
        ((1, 4, 5), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
    ):
        with pytest.raises(RequestError) as caught:
            append(log, batch(b"x", producer=refused))
        assert caught.value.code is code
    append(log, batch(b"x", producer=(1, 4, 0)))
    append(log, batch(b"x", producer=(2, 0, 55)))  # unknown, as after retention
    assert log.end_offset == 9


def test_sequences_wrap_around(log: PartitionLog) -> None:
    last = (1 << 31) - 1
    append(log, batch(b"x", b"y", producer=(1, 0, last)))
    assert append(log, batch(b"z", producer=(1, 0, 1))) == 2


def test_a_request_is_appended_whole_or_not(log: PartitionLog) -> None:
    with pytest.raises(RequestError):
        append(log, batch(b"a", producer=(1, 0, 0)), batch(b"b", producer=(1, 0, 5)))
    assert log.end_offset == 0
    assert append(log, batch(b"a", producer=(1, 0, 0)), batch(b"b", producer=(1, 0, 1))) == 0


def test_a_full_disk_is_an_error_and_no_damage(
    log: PartitionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, batch(b"a", producer=(1, 0, 0)))
    before = read(log, 0)
    real = os.pwrite

    def short_then_full(fd: int, data: Any, position: int) -> int:
        if len(data) <= 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[:-20], position)

    monkeypatch.setattr(os, "pwrite", short_then_full)
    with pytest.raises(RequestError) as caught:
        append(log, batch(b"b", producer=(1, 0, 1)))
    assert caught.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    monkeypatch.undo()
    assert Path(log.segments[0].path).read_bytes() == before
    assert append(log, batch(b"b", producer=(1, 0, 1))) == 1
    assert reopened(log).end_offset == 2


def test_offsets_by_time_where_times_go_back_and_forth(log: PartitionLog) -> None:
    for time in (100, 300, 200, 50, 400, 350):
        append(log, batch(b"x" * 200, time=time))
    expected = {0: 0, 100: 0, 101: 1, 300: 1, 301: 4, 400: 4}
    assert {time: (log.first_since(time) or (-1,))[0] for time in expected} == expected
    assert log.first_since(401) is None
    assert log.newest() == (4, 400)


def test_a_file_is_closed_when_it_is_old_enough(log: PartitionLog) -> None:
    config = CONFIG._replace(segment_ms=500)
    for now in (1000, 1400, 1500, 1501, 2001, 2002):
        log.append(*checked(batch(b"x")), config, 0, now)
        log.show_all()
    assert [one.base for one in log.segments] == [0, 3, 5]
    assert len(headers_of(read(reopened(log), 3))) == 2


def test_a_restart_makes_no_file_younger(tmp_path: Path) -> None:
    folder = tmp_path / "t" / "0"
    folder.parent.mkdir()
    config = CONFIG._replace(segment_ms=500)

    def bases_after_a_write(now: int) -> list[int]:
        log = open_partition(folder, OpenFiles(4), now)
        log.append(*checked(batch(b"x")), config, 0, now)
        log.show_all()
        log.close()
        return [one.base for one in log.segments]

    def make(path: Path, at: float) -> None:
        path.touch()
        os.utime(path, (at, at))

    make(folder.parent / "topic.json", 1.0)
    assert bases_after_a_write(1400) == [0]
    assert bases_after_a_write(1500) == [0]
    assert bases_after_a_write(1600) == [0, 2]
    make(folder / f"{2:020}.state", 1.6)
    assert bases_after_a_write(2100) == [0, 2]
    assert bases_after_a_write(2101) == [0, 2, 4]


def test_old_records_expire_and_offsets_go_on(log: PartitionLog) -> None:
    for number in range(100):
        append(log, batch(b"x" * 1000, time=number * 10), config=SMALL)
    config = SMALL._replace(retention_ms=500)
    assert log.expire(config, 1100) > 0
    assert 0 < log.start_offset <= 60
    log.expire(config, 10_000)
    assert log.start_offset == log.end_offset == 100
    again = reopened(log)
    assert (again.start_offset, again.end_offset) == (100, 100)
    assert append(again, batch(b"y")) == 100


def test_records_are_deleted_up_to_an_offset(log: PartitionLog) -> None:
    for _ in range(100):
        append(log, batch(b"x" * 1000), config=SMALL)
    log.delete_before(50)
    again = reopened(log)
    assert again.start_offset == 50
    with pytest.raises(RequestError):
        read(again, 49)
    assert headers_of(read(again, 50))[0].base_offset == 50


def test_epochs_say_where_they_end(log: PartitionLog) -> None:
    append(log, batch(b"a", b"b"), epoch=0)
    append(log, batch(b"c"), epoch=2)
    for one in (log, reopened(log)):
        assert one.end_of_epoch(0) == (0, 2)
        assert one.end_of_epoch(1) == (0, 2)
        assert one.end_of_epoch(2) == (2, 3)


def test_an_index_is_saved_and_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    index = Index()
    for number in range(1000):
        index.add(number * 3, number * 3 + 3, 5000, number)
    path = tmp_path / "x.index"
    path.write_bytes(index.dump())
    loaded = Index.load(path, index.size)
    assert loaded is not None
    assert loaded.at_or_before(1500) == index.at_or_before(1500) > 0
    assert (loaded.newest, loaded.next_offset) == (999, 3000)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    assert Index.load(path, index.size) is None


def test_settings_are_checked() -> None:
    assert check({"retention.ms": "5", "cleanup.policy": "delete"})["retention.ms"] == "5"
    assert check({"cleanup.policy": "compact,delete"}) == {"cleanup.policy": "compact,delete"}
    for name, value in (
        ("cleanup.policy", "shred"),
        ("cleanup.policy", "compact,shred"),
        ("cleanup.policy", ""),
        ("retention.ms", "-2"),
        ("retention.ms", "soon"),
        ("unknown", "1"),
    ):
        with pytest.raises(RequestError) as caught:
            check({name: value})
        assert caught.value.code is ErrorCode.INVALID_CONFIG


# Group offsets


def test_commits_are_there_after_reopening(tmp_path: Path) -> None:
    offsets = GroupOffsets(tmp_path)
    offsets.load()
    offsets.commit("g", {("t", 0): Committed(5, 0, "note"), ("u", 1): Committed(6, -1, "")})
    offsets.commit("g", {("t", 0): Committed(7, 1, "")})
    offsets.commit("h", {("t", 0): Committed(1, 0, "")})
    offsets.delete("h")
    offsets.forget_topic("u")
    for _ in range(2):
        offsets = GroupOffsets(tmp_path)
        offsets.load()
        assert offsets.of("g") == {("t", 0): Committed(7, 1, "")}
        assert offsets.groups() == ["g"]
        offsets.rewrite()


def test_a_torn_commit_is_cut_and_damage_before_it_is_told(tmp_path: Path) -> None:
    offsets = GroupOffsets(tmp_path)
    offsets.load()
    for number in range(3):
        offsets.commit("g", {("t", 0): Committed(number, 0, "")})
    path = tmp_path / "group-offsets"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    offsets = GroupOffsets(tmp_path)
    offsets.load()
    assert offsets.of("g")["t", 0].offset == 1
    path.write_bytes(whole[:20] + b"?" + whole[21:])
    with pytest.raises(DamagedLogError, match="group-offsets"):
        GroupOffsets(tmp_path).load()


# The store


def test_producer_ids_are_never_given_twice(tmp_path: Path) -> None:
    seen = []
    for _ in range(3):
        store = Store(tmp_path, LogDefaults(), 16)
        store.open()
        seen += [store.new_producer_id() for _ in range(3)]
        store.release()  # as after a kill
    assert len(set(seen)) == 9


def test_the_epoch_goes_up_with_every_start(tmp_path: Path) -> None:
    epochs = []
    for is_clean in (True, True, False, True):
        store = Store(tmp_path, LogDefaults(), 16)
        store.open()
        epochs.append(store.epoch)
        if is_clean:
            store.close()
        store.release()
    assert epochs == sorted(set(epochs))


def test_a_half_made_topic_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path, LogDefaults(), 16)
    store.open()
    store.topics.create("t", 2, {})
    (tmp_path / "unfinished" / "x").mkdir()
    store.release()
    store = Store(tmp_path, LogDefaults(), 16)
    store.open()
    assert [topic.name for topic in store.topics] == ["t"]
    assert not list((tmp_path / "unfinished").iterdir())
    store.release()


def test_a_topic_without_its_description_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "topics" / "t").mkdir(parents=True)
    with pytest.raises(BrokerStartError, match=r"topic\.json"):
        Store(tmp_path, LogDefaults(), 16).open()
