"""A consumer group without sockets, in random steps, against what its clients were told."""

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
from tests.log.broker.test_groups import join_request


class GroupMachine(RuleBasedStateMachine):
    """Clients that follow the protocol, at random; what they hold must never overlap.

    The model is what the clients were told: the members of each generation, and each one's share.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.tokens = 0
        self.ids = 0
        self.waiting: dict[object, str] = {}  # token → client
        self.member: dict[str, str] = {}  # client → member id
        self.role: dict[str, JoinReply] = {}
        self.share: dict[str, tuple[int, bytes]] = {}  # client → generation, what it was given
        self.generations: dict[int, set[str]] = {}  # generation → the members its leader was told
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
                self._synced(client, reply.value)

    def _joined(self, client: str, reply: JoinReply) -> None:
        if reply.code is ErrorCode.NONE:
            assert reply.generation >= self.highest
            self.highest = reply.generation
            if reply.leader == reply.member_id:
                told = {member for member, _instance, _metadata in reply.members}
                assert self.generations.setdefault(reply.generation, told) == told
            self.member[client] = reply.member_id
            self.role[client] = reply
        elif reply.code is ErrorCode.MEMBER_ID_REQUIRED:
            self.member[client] = reply.member_id
        else:
            self.member.pop(client, None)
            self.role.pop(client, None)

    def _synced(self, client: str, reply: SyncReply) -> None:
        if reply.code is ErrorCode.NONE:
            role = self.role[client]
            assert role.member_id in self.generations[role.generation]
            self.share[client] = (role.generation, reply.assignment)
        else:
            self.role.pop(client, None)

    names = ("a", "b", "c", "d")
    clients = st.sampled_from(names)

    def _is_waiting(self, client: str) -> bool:
        return client in self.waiting.values()

    @rule(client=clients, two_steps=st.booleans())
    def join(self, client: str, two_steps: bool) -> None:
        if not self._is_waiting(client):
            self.role.pop(client, None)
            self.share.pop(client, None)
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
            if code is ErrorCode.NONE:
                assert role.generation == self.highest
                assert role.member_id in self.generations[role.generation]
            else:
                self.share.pop(client, None)
            if code in {ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION}:
                assert not self.group.members.get(role.member_id) or (
                    self.group.generation != role.generation
                )

    @rule(client=clients, age=st.integers(0, 2))
    def commit(self, client: str, age: int) -> None:
        """Only who is in the newest generation that anybody was told of may commit."""
        if client in self.role:
            role = self.role[client]
            generation = role.generation - age
            code = self.group.check_commit(self.now, role.member_id, None, generation)
            if code is ErrorCode.NONE:
                assert generation == self.highest
                assert role.member_id in self.group.members

    @rule(client=clients)
    def leave(self, client: str) -> None:
        if client in self.member and not self._is_waiting(client):
            _code, replies = self.group.leave(self.now, self.member.pop(client), None)
            self.role.pop(client, None)
            self.share.pop(client, None)
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

    @rule(count=st.integers(1, 4))
    def some_settle(self, count: int) -> None:
        """Clients that do as they should come to one generation, with a share for each."""
        some = self.names[:count]
        for client in self.names[count:]:
            self.lose_the_connection(client)
            self.leave(client)
        for _ in range(200):
            if all(self._is_content(client) for client in some):
                break
            for client in some:
                self._take_the_next_step(client)
            self.now += 50
            self._take(self.group.tick(self.now))
        assert self.group.state is State.STABLE
        assert set(self.group.members) == {self.member[client] for client in some}
        for client in some:
            assert self.share[client] == (self.highest, self.member[client].encode())

    def _is_content(self, client: str) -> bool:
        if client not in self.share or client not in self.role:
            return False
        role = self.role[client]
        code = self.group.heartbeat(self.now, role.member_id, None, role.generation)
        return code is ErrorCode.NONE and self.group.state is State.STABLE

    def _take_the_next_step(self, client: str) -> None:
        if self._is_waiting(client):
            return
        self.heartbeat(client)
        role = self.role.get(client)
        is_in = (
            role is not None
            and role.generation == self.group.generation
            and role.member_id in self.group.members
        )
        if not is_in or self.group.state is State.PREPARING:
            self.join(client, two_steps=True)
        elif client not in self.share:
            self.sync(client)

    @precondition(lambda self: self.waiting)
    @rule()
    def who_waits_is_answered_while_the_others_only_report(self) -> None:
        """A member that lives, but never joins or never syncs, holds nobody up for ever."""
        until = self.now + 20_000
        while self.waiting and self.now < until:
            for client in self.names:
                if not self._is_waiting(client):
                    self.heartbeat(client)
            self.now += 300
            self._take(self.group.tick(self.now))
        assert not self.waiting

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
            # Static members aside, whoever was told of the generation is in it, and nobody else.
            assert set(group.members) <= self.generations.get(group.generation, set(group.members))
        if group.state is State.STABLE:
            assert all(member.syncing is None for member in group.members.values())
            for member in group.members.values():
                assert member.assignment in {b"", member.id.encode()}
        parked = {member.joining or member.syncing for member in group.members.values()} - {None}
        assert parked == set(self.waiting)

    @invariant()
    def shares_of_one_generation_do_not_overlap(self) -> None:
        shares = [share for share in self.share.values() if share[1]]
        assert len(shares) == len(set(shares))

    @invariant()
    def something_is_due_while_members_wait(self) -> None:
        group = getattr(self, "group", None)
        if group is not None and self.waiting:
            assert group.next_tick() < NEVER


GroupMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestGroup = GroupMachine.TestCase
