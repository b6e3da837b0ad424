"""Random steps against simple models: a partition with crashes, a group with members."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from grnry.log.broker.coordinator.group import Group
from grnry.log.broker.coordinator.rebalance import NEVER
from grnry.log.broker.coordinator.values import (
    GroupSettings,
    JoinReply,
    Reply,
    State,
    SyncReply,
    SyncRequest,
)
from grnry.log.broker.protocol.errors import ErrorCode
from grnry.log.broker.storage.checkpoint import Checkpoints, path_of
from grnry.log.broker.storage.config import LogDefaults, TopicConfig, effective
from grnry.log.broker.storage.files import OpenFiles, read_at
from grnry.log.broker.storage.recovery import open_partition
from tests.log.broker.batch_maker import batch, checked, headers_of
from tests.log.broker.test_groups import join_request

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
        self.last: tuple[bytes, int] | None = None
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
        self.last = (data, offset)

    @precondition(lambda self: self.last is not None)
    @rule()
    def send_the_last_again(self) -> None:
        assert self.last is not None
        data, offset = self.last
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


class GroupMachine(RuleBasedStateMachine):
    """Clients that follow the protocol, at random; what they hold must never overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.tokens = 0
        self.ids = 0
        self.waiting: dict[object, str] = {}  # token → client
        self.member: dict[str, str] = {}  # client → member id
        self.generation: dict[str, int] = {}
        self.role: dict[str, JoinReply] = {}
        self.highest = 0

    def _new_id(self, _client: str) -> str:
        self.ids += 1
        return f"m{self.ids}"

    @initialize(delay=st.sampled_from([0, 50]))
    def begin(self, delay: int) -> None:
        settings = GroupSettings(initial_rebalance_delay_ms=delay)
        self.group = Group("g", settings, self._new_id)

    def _token(self, client: str) -> object:
        self.tokens += 1
        token = f"{client} {self.tokens}"
        self.waiting[token] = client
        return token

    def _take(self, replies: list[Reply]) -> None:
        for reply in replies:
            client = self.waiting.pop(reply.token, None)
            if client is None:
                continue
            if isinstance(reply.value, JoinReply):
                self._joined(client, reply.value)
            else:
                assert isinstance(reply.value, SyncReply)
                if reply.value.code is not ErrorCode.NONE:
                    self.role.pop(client, None)

    def _joined(self, client: str, reply: JoinReply) -> None:
        if reply.code is ErrorCode.NONE:
            assert reply.generation >= self.highest
            self.highest = reply.generation
            self.member[client] = reply.member_id
            self.generation[client] = reply.generation
            self.role[client] = reply
        elif reply.code is ErrorCode.MEMBER_ID_REQUIRED:
            self.member[client] = reply.member_id
        else:
            self.member.pop(client, None)
            self.role.pop(client, None)

    clients = st.sampled_from(["a", "b", "c", "d"])

    def _is_waiting(self, client: str) -> bool:
        return client in self.waiting.values()

    @rule(client=clients, two_steps=st.booleans())
    def join(self, client: str, two_steps: bool) -> None:
        if not self._is_waiting(client):
            self.role.pop(client, None)
            request = join_request(self.member.get(client, ""), two_steps=two_steps)
            self._take(self.group.join(self.now, self._token(client), request))

    @rule(client=clients)
    def sync(self, client: str) -> None:
        if client in self.role and not self._is_waiting(client):
            role = self.role[client]
            given = tuple((one[0], one[0].encode()) for one in role.members)
            request = SyncRequest(role.member_id, None, role.generation, given)
            self._take(self.group.sync(self.now, self._token(client), request))

    @rule(client=clients)
    def heartbeat(self, client: str) -> None:
        if client in self.role:
            role = self.role[client]
            code = self.group.heartbeat(self.now, role.member_id, None, role.generation)
            if code in {ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION}:
                assert not self.group.members.get(role.member_id) or (
                    self.group.generation != role.generation
                )

    @rule(client=clients)
    def leave(self, client: str) -> None:
        if client in self.member and not self._is_waiting(client):
            _code, replies = self.group.leave(self.now, self.member.pop(client), None)
            self.role.pop(client, None)
            self._take(replies)

    @rule(client=clients)
    def lose_the_connection(self, client: str) -> None:
        for token, owner in list(self.waiting.items()):
            if owner == client:
                del self.waiting[token]
                self._take(self.group.disconnected(self.now, token))

    @rule(step=st.sampled_from([1, 60, 500, 1100, 4000]))
    def time_passes(self, step: int) -> None:
        self.now += step
        self._take(self.group.tick(self.now))

    @rule()
    def go_to_the_next_tick(self) -> None:
        due = self.group.next_tick()
        if due < NEVER:
            assert due >= self.now - 4000
            self.now = max(self.now, due)
            self._take(self.group.tick(self.now))
            assert self.group.next_tick() > self.now or self.group.next_tick() == NEVER

    @invariant()
    def the_group_is_consistent(self) -> None:
        group = getattr(self, "group", None)
        if group is None:
            return
        if not group.members:
            assert group.state in {State.EMPTY, State.PREPARING}
        if group.state in {State.COMPLETING, State.STABLE}:
            assert group.leader in group.members
            assert all(member.joining is None for member in group.members.values())
        if group.state is State.STABLE:
            assert all(member.syncing is None for member in group.members.values())
            for member in group.members.values():
                assert member.assignment in {b"", member.id.encode()}
        parked = {member.joining or member.syncing for member in group.members.values()} - {None}
        assert parked == set(self.waiting)

    @invariant()
    def something_is_due_while_members_wait(self) -> None:
        group = getattr(self, "group", None)
        if group is not None and self.waiting:
            assert group.next_tick() < NEVER


_SETTINGS = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestPartition = PartitionMachine.TestCase
TestPartition.settings = _SETTINGS
TestGroup = GroupMachine.TestCase
TestGroup.settings = _SETTINGS
