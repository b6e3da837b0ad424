"""Of each key the last record stays, wherever a pass is cut off."""

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import TopicPartition
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from grnry.log.broker import DamagedLogError, check
from grnry.log.broker.inspection.segments import Counts, look_at_partition
from grnry.log.broker.protocol.batches import crc_matches
from grnry.log.broker.protocol.rewriting import opened
from grnry.log.broker.storage import compaction
from grnry.log.broker.storage.config import LogDefaults, TopicConfig, effective
from grnry.log.broker.storage.files import OpenFiles, read_at
from grnry.log.broker.storage.partition import PartitionLog
from grnry.log.broker.storage.recovery import open_partition
from tests.log.broker.batch_maker import batch, checked, headers_of, keyed
from tests.log.broker.running import RunningBroker, wait_until

CONFIG = effective(
    {"segment.bytes": "16384", "cleanup.policy": "compact", "delete.retention.ms": "100"},
    LogDefaults(),
)


class Kept(NamedTuple):
    offset: int
    key: bytes | None
    is_tombstone: bool
    time: int
    content: bytes  # all behind the offset delta: key, value, headers


def append(log: PartitionLog, data: bytes, config: TopicConfig = CONFIG) -> int:
    records, headers = checked(data)
    offset = log.append(records, headers, config, 0, 0).base_offset
    log.show_all()
    return offset


def pause() -> None:
    """Nobody else wants to run."""


def compact(log: PartitionLog, now: int = 0, most_keys: int = 1000) -> int:
    return compaction.run(compaction.steps(log, CONFIG, now, pause, most_keys))


def roll(log: PartitionLog) -> None:
    """Close the last segment."""
    log.roll(0)
    log.show_all()


def raw_batches(log: PartitionLog, start: int = 0) -> Iterator[bytes]:
    offset = start
    while offset < log.end_offset:
        found = log.readable(offset, 10_000, at_least_one=True)
        assert found is not None
        data = read_at(*found)
        position = 0
        for header in headers_of(data):
            yield data[position : position + header.size]
            position += header.size
            offset = header.next_offset


def read(log: PartitionLog, start: int = 0) -> list[Kept]:
    """All records as a consumer sees them, each batch checked."""
    found = []
    for data in raw_batches(log, start):
        (header,) = headers_of(data)
        view = memoryview(data)
        assert crc_matches(view, 0, header)
        batch_ = opened(view, header)
        assert batch_ is not None
        assert len(batch_.records) == header.record_count
        found += [
            Kept(
                header.base_offset + one.offset_delta,
                one.key,
                one.is_tombstone,
                header.base_timestamp + one.time_delta,
                bytes(batch_.body[one.time_end : one.end]),
            )
            for one in batch_.records
        ]
    return found


@pytest.fixture
def log(tmp_path: Path) -> PartitionLog:
    return open_partition(tmp_path / "0", OpenFiles(4), 0)


@pytest.mark.parametrize("codec", [0, 1])
def test_the_last_record_of_each_key_stays_where_it_was(log: PartitionLog, codec: int) -> None:
    append(log, keyed((b"a", b"1"), (b"b", b"1"), (None, b"no key"), (b"a", b"2"), codec=codec))
    append(log, keyed((b"b", b"2"), (b"c", b"1"), codec=codec))
    roll(log)
    append(log, keyed((b"c", b"2"), codec=codec))
    before = {one.offset: one for one in read(log)}
    assert compact(log) > 0 or codec == 1
    after = read(log)
    assert [one.offset for one in after] == [2, 3, 4, 5, 6]
    assert after == [before[one.offset] for one in after]
    assert log.start_offset == 0
    assert compaction.is_due(log, 0) is False


def test_the_active_segment_is_never_touched(log: PartitionLog) -> None:
    append(log, keyed((b"a", b"1"), (b"a", b"2")))
    assert compaction.is_due(log, 0) is False
    assert compact(log) == 0
    roll(log)
    append(log, keyed((b"a", b"3"), (b"a", b"4")))
    compact(log)
    assert [one.offset for one in read(log)] == [1, 2, 3]


def test_tombstones_stay_for_their_time_and_then_go(log: PartitionLog) -> None:
    append(log, keyed((b"a", b"1"), (b"b", b"1")))
    append(log, keyed((b"a", None), (b"c", b"1")))
    roll(log)
    compact(log, now=5000)
    assert [(one.offset, one.is_tombstone) for one in read(log)] == [
        (1, False),
        (2, True),
        (3, False),
    ]
    assert [one.time for one in read(log)] == [1001, 1000, 1001]
    assert log.first_since(1001) == (1, 1001)
    assert compaction.is_due(log, 5099) is False
    assert compaction.is_due(log, 5100) is True
    compact(log, now=5100)
    assert [one.offset for one in read(log)] == [1, 3]
    assert compaction.is_due(log, 10**9) is False


def test_files_in_which_nothing_is_left_go_and_offsets_stay(log: PartitionLog) -> None:
    for number in range(6):
        append(log, keyed((b"a", b"x" * number), (b"a", b"y")))
        roll(log)
    compact(log)
    assert [one.offset for one in read(log)] == [11]
    assert [one.base for one in log.segments] == [0, 10, 12]
    assert (log.start_offset, log.end_offset) == (0, 12)
    again = open_partition(log.folder, OpenFiles(4), 0)
    assert read(again) == read(log)
    assert again.start_offset == 0


def test_a_batch_that_cant_be_unpacked_stays_and_keeps_tombstones(log: PartitionLog) -> None:
    append(log, keyed((b"a", b"1"), codec=4))
    append(log, keyed((b"a", None), (b"b", b"1"), (b"b", b"2")))
    roll(log)
    before = next(raw_batches(log))
    compact(log, now=0)
    compact(log, now=10_000)
    raw = list(raw_batches(log))
    assert raw[0] == before
    assert headers_of(raw[1])[0].record_count == 2
    assert compaction.is_due(log, 10**9) is False


def test_more_keys_than_fit_are_compacted_in_parts(log: PartitionLog) -> None:
    for number in range(100):
        append(log, keyed((b"%d" % (number % 10), b"x" * 1000)))
    roll(log)
    for _ in range(30):
        compact(log, most_keys=4)
    found = read(log)
    assert {one.key for one in found} == {b"%d" % number for number in range(10)}
    assert [one.offset for one in found[-10:]] == list(range(90, 100))
    assert len(found) < 70
    compact(log)
    assert compaction.cleaned(log.folder).offset == 100


def test_damage_is_never_written_anew(log: PartitionLog) -> None:
    append(log, keyed((b"a", b"1"), (b"a", b"2")))
    roll(log)
    path = Path(log.segments[0].path)
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedLogError, match="damaged at byte 0"):
        compact(log)
    assert path.read_bytes() == data
    assert not list(log.folder.glob("*.compacting"))


def test_retention_leaves_what_is_only_compacted(log: PartitionLog) -> None:
    append(log, keyed((b"a", b"1")))
    roll(log)
    assert log.expire(CONFIG, 10**15) == 0
    assert log.expire(CONFIG._replace(deletes=True), 10**15) > 0


def test_a_pass_that_is_cut_off_anywhere_leaves_a_sound_log(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    log = open_partition(folder, OpenFiles(4), 0)
    _append_numbers(log, range(100))
    compact(log, now=0)  # so that the passes below have tombstones to let go
    _append_numbers(log, range(100, 200))
    expected = _state(read(log))
    log.close()
    steps = _cut_off(folder, tmp_path / "copy", expected, 10**6)
    assert steps > 10
    for count in range(steps):
        _cut_off(folder, tmp_path / "copy", expected, count)


def _append_numbers(log: PartitionLog, numbers: range) -> None:
    for number in numbers:
        value = None if number % 7 == 0 else b"x" * 1000
        append(log, keyed((b"%d" % (number % 5), value), producer=(3, 0, number)))


def _cut_off(folder: Path, copy: Path, expected: dict[bytes, bytes], count: int) -> int:
    """Kill a pass after so many steps, and do it again; gives how many there were."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    log = open_partition(copy, OpenFiles(4), 0)
    steps = compaction.steps(log, CONFIG, 10_000, pause)
    done = 0
    try:
        work = next(steps)
        while done < count:
            work = steps.send(work())
            done += 1
        work()  # done, but nobody was told
    except StopIteration:
        pass
    log = open_partition(copy, OpenFiles(4), 0)
    assert _state(read(log)) == expected
    counts = Counts()
    look_at_partition(copy, counts)
    assert not [one for one in counts.findings if one.severity != "note"]
    compact(log, now=10_000)
    assert _state(read(log)) == expected
    assert not list(copy.glob("*.compacting"))
    assert append(log, keyed((b"4", b"x" * 1000), producer=(3, 0, 199))) == 199  # is here already
    return done


def _state(records: list[Kept]) -> dict[bytes, bytes]:
    """What a reader of all records takes for the value of each key."""
    state: dict[bytes, bytes] = {}
    for one in records:
        assert one.key is not None
        if one.is_tombstone:
            state.pop(one.key, None)
        else:
            state[one.key] = one.content
    return state


class CompactionMachine(RuleBasedStateMachine):
    """The model is every record that was written."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log = open_partition(self.folder / "0", OpenFiles(3), 0)
        self.written: dict[int, Kept] = {}
        self.now = 0
        self.sequence = 0
        self.last: tuple[bytes, int] | None = None

    @rule(
        records=st.lists(
            st.tuples(
                st.sampled_from([b"a", b"b", b"c", b"d"]),
                st.one_of(st.none(), st.binary(max_size=3000)),
            ),
            min_size=1,
            max_size=6,
        ),
        time=st.integers(0, 1000),
        codec=st.integers(0, 1),
    )
    def append(self, records: list[tuple[bytes, bytes | None]], time: int, codec: int) -> None:
        data = keyed(*records, time=time, producer=(5, 0, self.sequence), codec=codec)
        offset = append(self.log, data)
        self.sequence += len(records)
        self.last = (data, offset)
        for one in read(self.log, offset):
            self.written[one.offset] = one
        assert len(self.written) == self.sequence

    @precondition(lambda self: self.last is not None)
    @rule()
    def send_the_last_again(self) -> None:
        assert self.last is not None
        assert append(self.log, self.last[0]) == self.last[1]

    @precondition(lambda self: self.log.segments and self.log.segments[-1].size)
    @rule()
    def roll(self) -> None:
        roll(self.log)

    @rule(most_keys=st.sampled_from([1, 2, 1000]), steps=st.one_of(st.none(), st.integers(0, 9)))
    def compact(self, most_keys: int, steps: int | None) -> None:
        if not self.log.closed_segments():
            return
        pass_ = compaction.steps(self.log, CONFIG, self.now, pause, most_keys)
        if steps is None:
            compaction.run(pass_)
            return
        work = next(pass_)
        for _ in range(steps):
            try:
                work = pass_.send(work())
            except StopIteration:
                return
        pass_.close()

    @rule(by=st.integers(1, 150))
    def let_time_pass(self, by: int) -> None:
        self.now += by

    @rule(is_clean=st.booleans())
    def reopen(self, is_clean: bool) -> None:
        if is_clean:
            self.log.close()
        self.log = open_partition(self.folder / "0", OpenFiles(3), 0)

    @rule(time=st.integers(0, 1010))
    def look_up_a_time(self, time: int) -> None:
        found = self.log.first_since(time)
        fitting = [one for one in read(self.log) if one.time >= time]
        assert found == ((fitting[0].offset, fitting[0].time) if fitting else None)

    @invariant()
    def what_is_there_is_what_was_written(self) -> None:
        found = read(self.log)
        assert found == [self.written[one.offset] for one in found]
        assert [one.offset for one in found] == sorted({one.offset for one in found})
        assert _state(found) == _state(list(self.written.values()))
        active = self.log.segments[-1].base if self.log.segments else 0
        assert {one.offset for one in found} >= {one for one in self.written if one >= active}
        assert self.log.start_offset == 0
        assert self.log.end_offset == len(self.written)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


TestCompaction = CompactionMachine.TestCase
TestCompaction.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


# With a running broker and real clients


def _compacting(folder: Path, **given: Any) -> RunningBroker:
    return RunningBroker(
        folder, log={"segment_bytes": 1 << 14}, retention_check_interval=0.05, **given
    )


def _produce(broker: RunningBroker, numbers: range, keys: int, **given: Any) -> None:
    producer = broker.producer(batch_num_messages=20, **given)
    for number in numbers:
        producer.produce("t", f"{number:050}", f"k{number % keys}")
    assert producer.flush(20) == 0


def _end_state(broker: RunningBroker) -> dict[bytes, int]:
    """What a new consumer that reads all finds; it must get to the end."""
    consumer = broker.consumer("any")
    end = consumer.get_watermark_offsets(TopicPartition("t", 0), 10)[1]
    consumer.assign([TopicPartition("t", 0, 0)])
    state: dict[bytes, int] = {}

    def is_at_the_end() -> bool:
        for one in consumer.consume(1000, 0.05):
            assert one.error() is None
            state[one.key() or b""] = int(one.value() or b"")
        (position,) = consumer.position([TopicPartition("t", 0)])
        return bool(position.offset == end)

    wait_until(is_at_the_end)
    consumer.close()
    return state


def _size(broker: RunningBroker) -> int:
    """What the log's files hold; a pass may take one away while we look."""
    size = 0
    for one in (broker.data / "topics" / "t" / "0").glob("*.log"):
        with suppress(FileNotFoundError):
            size += one.stat().st_size
    return size


@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_clients_read_what_compaction_left(tmp_path: Path, codec: str) -> None:
    with _compacting(tmp_path) as broker:
        broker.create_topic("t", cleanup_policy="compact")
        given = {"compression_type": codec}
        _produce(broker, range(10_000), 10, **given)
        wait_until(lambda: _size(broker) < 60_000)
        assert _end_state(broker) == {b"k%d" % key: 9990 + key for key in range(10)}
        broker.stop()
        report = check(tmp_path)
        assert report.is_sound
        assert not report.findings


def test_kills_in_the_middle_of_passes_lose_no_key(tmp_path: Path) -> None:
    chance = random.Random(1)
    with _compacting(tmp_path) as broker:
        broker.create_topic("t", cleanup_policy="compact,delete")
        for round_ in range(5):
            _produce(broker, range(round_ * 5000, (round_ + 1) * 5000), 500)
            partition = tmp_path / "topics" / "t" / "0"
            until = time.monotonic() + chance.random()
            wait_until(partial(_is_compacting, partition, until))
            broker.kill()
            report = check(tmp_path)
            assert report.is_sound, str(report)
            broker.start()
            newest = (round_ + 1) * 5000 - 500
            assert _end_state(broker) == {b"k%d" % key: newest + key for key in range(500)}


def _is_compacting(partition: Path, until: float) -> bool:
    """A pass has a file in hand; or there is none for a while."""
    return any(partition.glob("*.compacting")) or time.monotonic() > until


def test_batches_without_keys_are_left_alone(log: PartitionLog) -> None:
    append(log, batch(b"a", b"b"))
    roll(log)
    before = list(raw_batches(log))
    assert compact(log) == 0
    assert list(raw_batches(log)) == before


def test_a_topic_that_is_deleted_while_it_is_compacted_is_gone(tmp_path: Path) -> None:
    with _compacting(tmp_path) as broker:
        broker.create_topic("t", cleanup_policy="compact")
        _produce(broker, range(10_000), 500)
        partition = tmp_path / "topics" / "t" / "0"
        wait_until(partial(_is_compacting, partition, time.monotonic() + 1))
        broker.admin.delete_topics(["t"])["t"].result(10)
        broker.create_topic("t", cleanup_policy="compact")
        _produce(broker, range(100), 10)
        assert _end_state(broker) == {b"k%d" % key: 90 + key for key in range(10)}
        assert "Traceback" not in broker.stop()
        assert check(tmp_path).is_sound
