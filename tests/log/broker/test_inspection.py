"""What a look at a stopped broker's files tells, whatever was done to them."""

from pathlib import Path

import pytest

from grnry.log.broker import BatchInfo, InspectionError, LogDefaults, Unreadable, check, dump
from grnry.log.broker.storage.group_offsets import Committed
from grnry.log.broker.storage.partition import PartitionLog
from grnry.log.broker.storage.store import Store
from tests.log.broker.batch_maker import batch, checked
from tests.log.broker.running import RunningBroker

BATCH = len(batch(b"x" * 1000))
COUNT = 40


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A topic with 40 batches in three files, and a group."""
    store = _opened(tmp_path)
    topic = store.topics.create("t", 2, {"segment.bytes": "16384"})
    for number in range(COUNT):
        _append(store, batch(b"x" * 1000, time=number, producer=(7, 0, number)))
    assert len(topic.log(0, 0).segments) == 3
    store.group_offsets.commit("g", {("t", 0): Committed(5, 0, "")})
    store.group_offsets.commit("g", {("t", 0): Committed(6, 0, "")})
    store.close()
    return tmp_path


def _opened(folder: Path) -> Store:
    store = Store(folder, LogDefaults(), 16)
    store.open()
    return store


def _append(store: Store, data: bytes) -> PartitionLog:
    topic = store.topics.get("t")
    records, headers = checked(data)
    log = topic.log(0, 0)
    log.append(records, headers, topic.config, 0, 1000)
    log.show_all()
    return log


def _files(data: Path, suffix: str = ".log") -> list[Path]:
    return sorted((data / "topics" / "t" / "0").glob(f"*{suffix}"))


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


def test_a_sound_folder_is_sound(data: Path) -> None:
    report = check(data)
    assert report.is_sound
    assert report.was_clean
    assert report.findings == ()
    assert (report.topics, report.partitions, report.segments) == (1, 1, 3)
    assert (report.batches, report.records, report.bytes) == (COUNT, COUNT, COUNT * BATCH)
    assert str(report).endswith("Sound.")


def test_looking_changes_nothing(data: Path) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}

    before = content()
    check(data)
    list(dump(data, "t", 0))
    assert content() == before


def test_damage_in_an_old_file_says_what_cutting_loses(data: Path) -> None:
    first, second, _last = _files(data)
    _flip(first, 3 * BATCH + 100)
    _flip(first, 6 * BATCH + 100)
    (found,) = check(data).findings
    assert (found.severity, found.position, found.offset) == ("damage", 3 * BATCH, 3)
    assert found.loss is not None
    held = first.stat().st_size // BATCH
    assert found.loss.bytes == first.stat().st_size - 3 * BATCH
    assert (found.loss.from_offset, found.loss.next_offset) == (3, int(second.stem))
    assert found.loss.sound_records == held - 3 - 2
    assert f"truncate -s {3 * BATCH} '{first}'" in str(found)


def test_cutting_an_old_file_as_told_leaves_a_hole_and_a_log_that_works(data: Path) -> None:
    first, second, _last = _files(data)
    _flip(first, 3 * BATCH + 100)
    with first.open("r+b") as file:
        file.truncate(3 * BATCH)
    report = check(data)
    assert report.is_sound
    assert [one.severity for one in report.findings] == ["note", "note"]  # the hole and the index
    store = _opened(data)
    log = store.topics.get("t").log(0, 0)
    found = log.readable(3, 1, at_least_one=True)
    assert found is not None
    assert found.file is log.segments[1].file
    assert log.segments[1].path == str(second)
    store.close()


def test_a_torn_tail_needs_no_decision(data: Path) -> None:
    last = _files(data)[-1]
    with last.open("ab") as file:
        file.write(batch(b"y" * 100)[:-5])
    (found,) = check(data).findings
    assert (found.severity, found.offset) == ("torn", COUNT)
    assert found.loss is not None
    assert found.loss.sound_batches == 0
    assert check(data).is_sound


def test_damage_in_the_last_file_with_sound_batches_behind_it(data: Path) -> None:
    last = _files(data)[-1]
    _flip(last, BATCH + 70)
    report = check(data)
    (found,) = report.findings
    assert not report.is_sound
    assert found.loss is not None
    assert found.loss.next_offset is None
    assert "to the end" in str(report)


def test_indexes_and_states(data: Path) -> None:
    first, second = _files(data, ".index")
    (saved,) = _files(data, ".checkpoint")
    _flip(saved, 30)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    for path in _files(data, ".state"):
        _flip(path, 20)
    report = check(data)
    assert report.is_sound
    assert {one.severity for one in report.findings} == {"note"}
    assert {first, second, saved} < {one.path for one in report.findings}


def test_an_index_of_another_log_is_damage(data: Path) -> None:
    store = _opened(data)
    index = store.topics.get("t").log(0, 0).segments[0].index
    index.newest += 1
    _files(data, ".index")[0].write_bytes(index.dump())
    store.release()
    (found,) = check(data).findings
    assert (found.severity, found.path) == ("damage", _files(data, ".index")[0])


def test_an_empty_file_and_files_that_overlap(data: Path) -> None:
    first, second, _last = _files(data)
    second.rename(second.with_name(f"{int(second.stem) - 1:020}.log"))
    assert "overlap" in str(check(data))
    first.write_bytes(b"")
    assert f"damage: {first}, byte 0, offset 0: the file is empty" in str(check(data))


def test_descriptions_the_start_and_what_groups_committed(data: Path) -> None:
    (data / "broker.json").write_text("{}")
    (data / "topics" / "t" / "topic.json").write_text("{")
    (data / "topics" / "t" / "0" / "start").write_text("1000")
    offsets = data / "group-offsets"
    _flip(offsets, 12)
    found = {one.path.name: one for one in check(data).findings}
    assert set(found) == {"broker.json", "topic.json", "start", "group-offsets"}
    assert "1 sound entries" in str(found["group-offsets"])
    assert not check(data).is_sound
    offsets.write_bytes(offsets.read_bytes()[:-1])
    assert next(one for one in check(data).findings if one.path == offsets).severity == "torn"


def test_a_running_broker_and_a_strange_folder_are_refused(
    broker: RunningBroker, tmp_path: Path
) -> None:
    broker.create_topic("t")
    broker.produce("t", ["a"])
    for look in (lambda: check(broker.data), lambda: dump(broker.data, "t", 0)):
        with pytest.raises(InspectionError, match="A broker runs"):
            look()
    broker.kill()
    assert check(broker.data).is_sound
    assert not check(broker.data).was_clean
    with pytest.raises(InspectionError, match="no topics"):
        check(tmp_path / "nowhere")
    with pytest.raises(InspectionError, match="no topic u"):
        dump(broker.data, "u", 0)


def test_batches_are_dumped(data: Path) -> None:
    found = list(dump(data, "t", 0, from_offset=10, limit=5))
    batches = [one for one in found if isinstance(one, BatchInfo)]
    assert [one.first_offset for one in batches] == list(range(10, 15))
    one = batches[0]
    assert (one.records, one.codec, one.is_crc_ok) == (1, "none", True)
    assert (one.producer_id, one.producer_epoch, one.base_sequence) == (7, 0, 10)
    assert one.newest_time == 10
    assert "offsets 10-10 records 1 1970-01-01T00:00:00.010Z" in str(one)
    assert len(list(dump(data, "t", 0))) == COUNT
    assert list(dump(data, "t", 1)) == []


def test_a_dump_goes_on_behind_damage(data: Path) -> None:
    first = _files(data)[0]
    _flip(first, 2 * BATCH + 100)  # a body
    _flip(first, 4 * BATCH + 8)  # a length
    found = list(dump(data, "t", 0))
    assert [one.is_crc_ok for one in found[:4] if isinstance(one, BatchInfo)] == [
        True,
        True,
        False,
        True,
    ]
    assert found[4] == Unreadable(first.name, 4 * BATCH, BATCH)
    assert len(found) == COUNT
