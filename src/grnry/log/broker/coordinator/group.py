"""One consumer group: who is in it, who leads, who has which partitions.

Each step takes what happened and the time in milliseconds and returns the answers that are now
due. Nothing here waits, reads a clock or knows a socket.

    Empty → PreparingRebalance → CompletingRebalance → Stable → PreparingRebalance → …
"""

from grnry.log.broker.protocol.errors import ErrorCode

from .rebalance import NEVER, Rebalance, join_error, sync_error
from .values import JoinReply, JoinRequest, Member, Reply, State, SyncReply, SyncRequest, Token


class Group(Rebalance):
    # Steps

    def join(self, now: int, token: Token, request: JoinRequest) -> list[Reply]:
        refusal = self._refusal(request)
        if refusal is not None:
            return [Reply(token, JoinReply(refusal, request.member_id))]
        if not request.member_id:
            return self._join_new(now, token, request)
        fenced = self._fenced(request.member_id, request.instance_id)
        if fenced is not None:
            return [Reply(token, JoinReply(fenced, request.member_id))]
        if request.member_id in self.announced:
            del self.announced[request.member_id]
            return self._add(now, token, request, request.member_id)
        return self._join_again(now, token, request)

    def sync(self, now: int, token: Token, request: SyncRequest) -> list[Reply]:
        code = self.check_member(request.member_id, request.instance_id, request.generation)
        if code is ErrorCode.NONE and self.state is State.PREPARING:
            code = ErrorCode.REBALANCE_IN_PROGRESS
        if code is not ErrorCode.NONE:
            return [Reply(token, SyncReply(code))]
        member = self.members[request.member_id]
        member.expires_at = now + member.session_timeout_ms
        if self.state is State.STABLE:
            return [Reply(token, SyncReply(ErrorCode.NONE, member.assignment))]
        replies = self._displaced(member, token)
        member.syncing = token
        if member.id == self.leader:
            replies += self._distribute(now, dict(request.assignments))
        return replies

    def heartbeat(
        self, now: int, member_id: str, instance_id: str | None, generation: int
    ) -> ErrorCode:
        if member_id in self.announced:
            return ErrorCode.NONE
        code = self.check_member(member_id, instance_id, generation)
        if code is not ErrorCode.NONE:
            return code
        member = self.members[member_id]
        member.expires_at = now + member.session_timeout_ms
        if self.state is State.PREPARING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return ErrorCode.NONE

    def leave(
        self, now: int, member_id: str, instance_id: str | None
    ) -> tuple[ErrorCode, list[Reply]]:
        if instance_id is not None and not member_id:
            member_id = self.instances.get(instance_id, "")
        fenced = self._fenced(member_id, instance_id)
        if fenced is not None:
            return fenced, []
        if self.announced.pop(member_id, None) is not None:
            return ErrorCode.NONE, self._complete_join_if_all_are_here(now)
        if member_id not in self.members:
            return ErrorCode.UNKNOWN_MEMBER_ID, []
        return ErrorCode.NONE, self._remove(now, member_id)

    def check_commit(
        self, now: int, member_id: str, instance_id: str | None, generation: int
    ) -> ErrorCode:
        """Whether a commit of this member and generation may be taken."""
        if generation < 0 and not member_id and not self.members:
            return ErrorCode.NONE
        code = self.check_member(member_id, instance_id, generation)
        if code is not ErrorCode.NONE:
            return code
        if self.state is State.COMPLETING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        member = self.members[member_id]
        member.expires_at = now + member.session_timeout_ms
        return ErrorCode.NONE

    def disconnected(self, now: int, token: Token) -> list[Reply]:
        """The connection of a waiting request is gone: its member lives on for a session."""
        for member in list(self.members.values()):
            if member.syncing is token:
                member.syncing = None
                member.expires_at = now + member.session_timeout_ms
            if member.joining is token:
                member.joining = None
                member.expires_at = now + member.session_timeout_ms
                if not member.is_known_to_client:
                    return self._remove(now, member.id)
        return []

    def tick(self, now: int) -> list[Reply]:
        """Do what is due."""
        replies: list[Reply] = []
        for member_id, until in list(self.announced.items()):
            if until <= now:
                del self.announced[member_id]
                replies += self._complete_join_if_all_are_here(now)
        for member in list(self.members.values()):
            if member.expires_at <= now and not member.is_waiting and member.id in self.members:
                replies += self._remove(now, member.id)
        if self.state is State.PREPARING and self._is_join_due(now):
            replies += self._complete_join(now)
        if self.state is State.COMPLETING and self._sync_until <= now:
            replies += self._drop_those_who_did_not_sync(now)
        return replies

    def next_tick(self) -> int:
        """When something is due next, if nothing else happens before."""
        times = [m.expires_at for m in self.members.values() if not m.is_waiting]
        times += self.announced.values()
        if self.state is State.PREPARING:
            times.append(self._not_before if self._are_all_here() else self._join_until)
        if self.state is State.COMPLETING:
            times.append(self._sync_until)
        return min(times, default=NEVER)

    # Checks

    def check_member(self, member_id: str, instance_id: str | None, generation: int) -> ErrorCode:
        fenced = self._fenced(member_id, instance_id)
        if fenced is not None:
            return fenced
        if member_id not in self.members:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        return ErrorCode.NONE

    def _fenced(self, member_id: str, instance_id: str | None) -> ErrorCode | None:
        if instance_id is None:
            return None
        known = self.instances.get(instance_id)
        if known is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return ErrorCode.FENCED_INSTANCE_ID if known != member_id else None

    def _refusal(self, request: JoinRequest) -> ErrorCode | None:
        settings = self._settings
        timeout = request.session_timeout_ms
        if not settings.min_session_timeout_ms <= timeout <= settings.max_session_timeout_ms:
            return ErrorCode.INVALID_SESSION_TIMEOUT
        if not request.protocols or not request.protocol_type:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        mine = {request.member_id, self.instances.get(request.instance_id or "")}
        others = [member for member in self.members.values() if member.id not in mine]
        if others and not self._fits(request, others):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if not request.member_id and len(self.members) >= settings.max_members:
            return ErrorCode.GROUP_MAX_SIZE_REACHED
        return None

    def _fits(self, request: JoinRequest, others: list[Member]) -> bool:
        return request.protocol_type == self.protocol_type and any(
            all(member.supports(name) for member in others) for name, _data in request.protocols
        )

    # Joining

    def _join_new(self, now: int, token: Token, request: JoinRequest) -> list[Reply]:
        member_id = self._new_id(request.instance_id or request.client_id)
        if request.instance_id is not None:
            replaced = self.instances.get(request.instance_id)
            if replaced is not None:
                return self._replace_static(now, token, request, replaced, member_id)
        elif request.two_steps:
            self.announced[member_id] = now + request.session_timeout_ms
            return [Reply(token, JoinReply(ErrorCode.MEMBER_ID_REQUIRED, member_id))]
        return self._add(now, token, request, member_id)

    def _add(self, now: int, token: Token, request: JoinRequest, member_id: str) -> list[Reply]:
        if not self.members:
            self.protocol_type = request.protocol_type
        member = Member(
            id=member_id,
            instance_id=request.instance_id,
            client_id=request.client_id,
            client_host=request.client_host,
            session_timeout_ms=request.session_timeout_ms,
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            protocols=request.protocols,
            expires_at=now + request.session_timeout_ms,
            joining=token,
            is_known_to_client=request.two_steps and request.instance_id is None,
        )
        self.members[member_id] = member
        if request.instance_id is not None:
            self.instances[request.instance_id] = member_id
        self.leader = self.leader or member_id
        return self._rebalance(now)

    def _join_again(self, now: int, token: Token, request: JoinRequest) -> list[Reply]:
        member = self.members.get(request.member_id)
        if member is None:
            code = ErrorCode.UNKNOWN_MEMBER_ID
            return [Reply(token, JoinReply(code, request.member_id))]
        is_same = member.protocols == request.protocols
        if self.state is State.COMPLETING and is_same:
            return [Reply(token, self._join_reply(member))]
        if self.state is State.STABLE and is_same and member.id != self.leader:
            return [Reply(token, self._join_reply(member))]
        replies = self._displaced(member, token)
        self._update(now, member, token, request)
        return replies + self._rebalance(now)

    def _update(self, now: int, member: Member, token: Token, request: JoinRequest) -> None:
        member.protocols = request.protocols
        member.session_timeout_ms = request.session_timeout_ms
        member.rebalance_timeout_ms = request.rebalance_timeout_ms
        member.client_id, member.client_host = request.client_id, request.client_host
        member.expires_at = now + request.session_timeout_ms
        member.joining = token

    def _replace_static(
        self, now: int, token: Token, request: JoinRequest, old_id: str, member_id: str
    ) -> list[Reply]:
        """A static member came back: it takes the place, and the partitions, it had."""
        member = self.members.pop(old_id)
        replies = [
            Reply(waiting, value(ErrorCode.FENCED_INSTANCE_ID))
            for waiting, value in ((member.joining, join_error), (member.syncing, sync_error))
            if waiting is not None
        ]
        member.id, member.joining, member.syncing = member_id, None, None
        self.members[member_id] = member
        self.instances[request.instance_id or ""] = member_id
        was_leader = self.leader == old_id
        if was_leader:
            self.leader = member_id
        is_same = member.protocols == request.protocols
        self._update(now, member, token, request)
        if self.state is State.STABLE and is_same:
            member.joining = None
            # The old id as leader keeps the client from assigning anew.
            leader = old_id if was_leader else self.leader
            reply = self._join_reply(member)._replace(leader=leader, members=())
            return [*replies, Reply(token, reply)]
        return replies + self._rebalance(now)
