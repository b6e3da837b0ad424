"""How a group comes to a new generation: all join, one assigns, all are told.

Nothing here waits, reads a clock or knows a socket.
"""

from collections.abc import Callable

from grnry.log.broker.protocol.errors import ErrorCode

from .values import GroupSettings, JoinReply, Member, Reply, State, SyncReply, Token

NEVER = 1 << 62


class Rebalance:
    """The members of a group and the way from one generation to the next."""

    def __init__(self, name: str, settings: GroupSettings, new_id: Callable[[str], str]) -> None:
        self.name = name
        self.state = State.EMPTY
        self.generation = 0
        self.skipped_generations = 0
        self.protocol_type = ""
        self.protocol = ""
        self.leader = ""
        self.members: dict[str, Member] = {}
        self.instances: dict[str, str] = {}  # static members: instance id → member id
        self.announced: dict[str, int] = {}  # ids told to new members, until when they may join
        self._settings = settings
        self._new_id = new_id
        self._join_until = NEVER
        self._not_before = 0  # a group that forms waits a little for more members
        self._sync_until = NEVER

    def _displaced(self, member: Member, token: Token) -> list[Reply]:
        """A member asks again while an earlier request of it waits: that one is answered."""
        replies = []
        if member.joining is not None and member.joining is not token:
            replies.append(Reply(member.joining, join_error(ErrorCode.UNKNOWN_MEMBER_ID)))
        if member.syncing is not None and member.syncing is not token:
            replies.append(Reply(member.syncing, sync_error(ErrorCode.REBALANCE_IN_PROGRESS)))
        member.joining = member.syncing = None
        return replies

    # Rebalancing

    def _rebalance(self, now: int) -> list[Reply]:
        replies: list[Reply] = []
        if self.state is State.COMPLETING:
            replies = self._end_syncs(ErrorCode.REBALANCE_IN_PROGRESS)
        if self.state is not State.PREPARING:
            delay = self._settings.initial_rebalance_delay_ms if self.state is State.EMPTY else 0
            longest = max(member.rebalance_timeout_ms for member in self.members.values())
            self._not_before = now + delay
            self._join_until = now + max(longest, delay)
            self._sync_until = NEVER
            self.state = State.PREPARING
        return replies + self._complete_join_if_all_are_here(now)

    def _are_all_here(self) -> bool:
        return not self.announced and all(m.joining is not None for m in self.members.values())

    def _is_join_due(self, now: int) -> bool:
        return self._join_until <= now or (self._not_before <= now and self._are_all_here())

    def _complete_join_if_all_are_here(self, now: int) -> list[Reply]:
        if self.state is State.PREPARING and self._is_join_due(now):
            return self._complete_join(now)
        return []

    def _complete_join(self, now: int) -> list[Reply]:
        for member in list(self.members.values()):
            if member.joining is None and member.instance_id is None:
                self._forget(member.id)
        self._next_generation()
        if not self.members:
            return self._become_empty()
        if not any(member.joining is not None for member in self.members.values()):
            # Static members only, none of which is back: wait for the first one.
            self._join_until = now + max(m.rebalance_timeout_ms for m in self.members.values())
            return []
        self.protocol = self._voted()
        self._choose_leader()
        self.state = State.COMPLETING
        timeout = max(member.rebalance_timeout_ms for member in self.members.values())
        self._sync_until = now + timeout
        replies = []
        for member in self.members.values():
            if member.joining is not None:
                replies.append(Reply(member.joining, self._join_reply(member)))
                member.joining = None
                member.is_known_to_client = True
                member.expires_at = now + member.session_timeout_ms
        return replies

    def _choose_leader(self) -> None:
        leader = self.members.get(self.leader)
        if leader is None or leader.joining is None:
            here = (member.id for member in self.members.values() if member.joining is not None)
            self.leader = next(here, self.leader)

    def _voted(self) -> str:
        """Each member votes for its first protocol that all know."""
        common = [
            name
            for name, _data in next(iter(self.members.values())).protocols
            if all(member.supports(name) for member in self.members.values())
        ]
        votes = [
            next(name for name, _data in member.protocols if name in common)
            for member in self.members.values()
        ]
        return max(common, key=votes.count)

    def _join_reply(self, member: Member) -> JoinReply:
        members: tuple[tuple[str, str | None, bytes], ...] = ()
        if member.id == self.leader:
            members = tuple(
                (one.id, one.instance_id, one.metadata(self.protocol))
                for one in self.members.values()
            )
        return JoinReply(
            ErrorCode.NONE, member.id, self.generation, self.protocol, self.leader, members
        )

    def _distribute(self, now: int, assignments: dict[str, bytes]) -> list[Reply]:
        for member in self.members.values():
            member.assignment = assignments.get(member.id, b"")
        self.state = State.STABLE
        self._sync_until = NEVER
        for member in self.members.values():
            if member.syncing is not None:
                member.expires_at = now + member.session_timeout_ms
        return self._end_syncs(ErrorCode.NONE)

    def _end_syncs(self, code: ErrorCode) -> list[Reply]:
        replies = []
        for member in self.members.values():
            if member.syncing is not None:
                assignment = member.assignment if code is ErrorCode.NONE else b""
                replies.append(Reply(member.syncing, SyncReply(code, assignment)))
                member.syncing = None
        return replies

    def _drop_those_who_did_not_sync(self, now: int) -> list[Reply]:
        replies: list[Reply] = []
        for member in list(self.members.values()):
            if member.syncing is None:
                self._forget(member.id)
        if not self.members:
            self._next_generation()
            return self._become_empty()
        return replies + self._rebalance(now)

    def _next_generation(self) -> None:
        self.generation += 1 + self.skipped_generations
        self.skipped_generations = 0

    # Leaving

    def _remove(self, now: int, member_id: str) -> list[Reply]:
        member = self.members[member_id]
        replies = self._displaced(member, None)
        self._forget(member_id)
        if self.state is State.PREPARING:
            if not self.members and not self.announced:
                self._next_generation()
                return replies + self._become_empty()
            return replies + self._complete_join_if_all_are_here(now)
        if not self.members:
            self._next_generation()
            return replies + self._end_syncs(ErrorCode.UNKNOWN_MEMBER_ID) + self._become_empty()
        return replies + self._rebalance(now)

    def _forget(self, member_id: str) -> None:
        member = self.members.pop(member_id)
        if member.instance_id is not None:
            self.instances.pop(member.instance_id, None)
        if self.leader == member_id:
            self.leader = next(iter(self.members), "")

    def _become_empty(self) -> list[Reply]:
        self.state = State.EMPTY
        self.protocol = self.leader = ""
        self._join_until = self._sync_until = NEVER
        return []


def join_error(code: ErrorCode) -> JoinReply:
    return JoinReply(code)


def sync_error(code: ErrorCode) -> SyncReply:
    return SyncReply(code)
