"""A partition with crashes and checkpoints, in random steps, against a simple model."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from grnry.log.broker.storage.checkpoint import Checkpoints, path_of
from grnry.log.broker.storage.config import LogDefaults, TopicConfig, effective
from grnry.log.broker.storage.files import OpenFiles, read_at
from grnry.log.broker.storage.recovery import open_partition
from tests.log.broker.batch_maker import batch, checked, headers_of

# Files that are full after some steps, and files that need several entries in their index.
CONFIGS = [effective({"segment.bytes": size}, LogDefaults()) for size in ("16384", "1000000")]


class PartitionMachine(RuleBasedStateMachine):
    """The model is a list of batches: offset, record count, time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.files = OpenFiles(3)
        self.log = open_partition(self.folder / "0", self.files, 0)
        self.batches: list[tuple[int, int, int]] = []
        self.sequence = 0
        self.sent: list[tuple[bytes, int]] = []
        self.start = 0

    @property
    def end(self) -> int:
        return self.batches[-1][0] + self.batches[-1][1] if self.batches else 0

    sizes = st.integers(0, 6000) | st.integers(12000, 20000)

    @initialize(config=st.sampled_from(CONFIGS))
    def begin(self, config: TopicConfig) -> None:
        self.config = config

    def _append(self, data: bytes) -> int:
        records, headers = checked(data)
        return self.log.append(records, headers, self.config, 0, 0).base_offset

    @rule(
        size=st.integers(0, 6000) | st.integers(12000, 20000),
        records=st.integers(1, 5),
        time=st.integers(0, 1000),
    )
    def append(self, size: int, records: int, time: int) -> None:
        values = [b"x" * size] + [b""] * (records - 1)
        data = batch(*values, time=time, producer=(5, 0, self.sequence))
        offset = self._append(data)
        assert offset == self.end
        self.batches.append((offset, records, time + records - 1))
        self.sequence += records
        self.sent.append((data, offset))

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(1, 5))
    def send_one_of_the_last_five_again(self, back: int) -> None:
        data, offset = self.sent[-min(back, len(self.sent))]
        assert self._append(data) == offset

    @rule()
    def sync(self) -> None:
        if self.log.is_dirty:
            self.log.end_sync(self.log.begin_sync())

    @precondition(lambda self: self.log.segments)
    @rule(damaged_at=st.none() | st.integers(0, 200))
    def checkpoint(self, damaged_at: int | None) -> None:
        """Recovery may begin there; where it is damaged, it begins with the segment."""
        (writing,) = Checkpoints(most=-1).due(self.log)
        for file in writing.begin_sync().files:
            file.sync()
        if damaged_at is not None:
            path = path_of(self.log.folder, self.log.segments[-1].base)
            data = bytearray(path.read_bytes())
            data[damaged_at % len(data)] ^= 1
            path.write_bytes(data)

    @rule(is_clean=st.booleans(), torn=st.binary(max_size=70))
    def reopen(self, is_clean: bool, torn: bytes) -> None:
        """A kill loses nothing that was written; a torn write behind it is cut."""
        if is_clean:
            self.log.close()
        elif self.log.segments:
            with Path(self.log.segments[-1].path).open("ab") as file:
                file.write(torn)
        self.files = OpenFiles(3)
        self.log = open_partition(self.folder / "0", self.files, 0)
        assert self.log.end_offset == self.log.stable_offset == self.end
        assert self.log.start_offset == self.start
        for segment in self.log.segments:
            assert Path(segment.path).stat().st_size == segment.size

    @precondition(lambda self: self.log.stable_offset > 0)
    @rule(data=st.data())
    def delete_before(self, data: Any) -> None:
        offset = data.draw(st.integers(0, self.log.stable_offset))
        self.log.delete_before(offset)
        self.start = max(self.start, offset)

    @rule(kept=st.integers(0, 40_000))
    def expire(self, kept: int) -> None:
        """Whole files go, and only so many that enough is kept."""
        config = effective({"retention.bytes": str(kept)}, LogDefaults())
        before = self.log.size
        deleted = self.log.expire(config, 0)
        assert self.log.size >= min(kept, before)
        if deleted:
            assert self.log.start_offset in {one[0] for one in self.batches} | {self.start}
            self.start = max(self.start, self.log.segments[0].base)

    @rule(data=st.data(), size=st.integers(1, 40_000))
    def read(self, data: Any, size: int) -> None:
        offset = data.draw(st.integers(self.log.start_offset, self.log.stable_offset))
        found = self.log.readable(offset, size, at_least_one=True)
        expected = [one for one in self.batches if one[0] + one[1] > offset]
        expected = [one for one in expected if one[0] < self.log.stable_offset]
        if found is None:
            assert not expected
            return
        got = headers_of(read_at(*found))
        assert [one.base_offset for one in got] == [one[0] for one in expected[: len(got)]]
        assert len(got) == 1 or found.size <= size

    @rule(time=st.integers(0, 1010))
    def look_up_a_time(self, time: int) -> None:
        found = self.log.first_since(time)
        fitting = [
            one
            for one in self.batches
            if one[2] >= time
            and one[0] < self.log.stable_offset
            and one[0] + one[1] > self.log.start_offset
        ]
        if not fitting:
            assert found is None
            return
        assert found is not None
        offset, count, _newest = fitting[0]
        assert max(offset, self.start) <= max(found[0], self.start) < offset + count

    @invariant()
    def bounds_agree(self) -> None:
        assert self.log.end_offset == self.end
        assert self.log.start_offset == self.start
        assert len(self.files) <= 3

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


PartitionMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestPartition = PartitionMachine.TestCase
