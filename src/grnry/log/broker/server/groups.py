"""Membership of consumer groups: the pure steps of `coordinator`, given time and connections."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import uuid4

from grnry.log.broker.coordinator.group import Group
from grnry.log.broker.coordinator.rebalance import NEVER
from grnry.log.broker.coordinator.saved import restore, save
from grnry.log.broker.coordinator.values import (
    GroupSettings,
    JoinReply,
    JoinRequest,
    Reply,
    State,
    SyncReply,
    SyncRequest,
)
from grnry.log.broker.protocol.codec import Values, milliseconds
from grnry.log.broker.protocol.errors import ErrorCode
from grnry.log.broker.storage.group_offsets import GroupOffsets
from grnry.log.broker.storage.store import now_ms

from .answers import Later, Request

_T = TypeVar("_T")
log = logging.getLogger("grnry.log.broker")


class Groups:
    """All groups that have members; a timer each, for what is due next."""

    def __init__(self, settings: GroupSettings, offsets: GroupOffsets) -> None:
        self._settings = settings
        self._offsets = offsets
        self._loop = asyncio.get_running_loop()
        self._groups: dict[str, Group] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._saved: dict[str, tuple[int, set[str]]] = {}
        for name, members in offsets.members.items():
            group = restore(name, members, self.now(), settings, _new_member_id)
            self._groups[name] = group
            self._schedule(group)

    def now(self) -> int:
        return int(self._loop.time() * 1000)

    def find(self, name: str) -> Group | None:
        return self._groups.get(name)

    def all(self) -> list[Group]:
        return list(self._groups.values())

    def get(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name, self._settings, _new_member_id)
        return group

    def apply(self, group: Group, replies: Iterable[Reply]) -> None:
        """Give the answers to who waits for them and see to what is due next."""
        for reply in replies:
            assert isinstance(reply.token, asyncio.Future)
            if not reply.token.done():
                reply.token.set_result(reply.value)
        if group.state is State.EMPTY and not group.announced:
            self._drop(group)
        else:
            self._schedule(group)
        if group.state is State.STABLE:
            self._save(group)

    def _save(self, group: Group) -> None:
        settled = (group.generation, set(group.members))
        if self._saved.get(group.name) != settled:
            self._saved[group.name] = settled
            with _disk_may_be_full():
                self._offsets.keep_members(group.name, save(group))

    def _drop(self, group: Group) -> None:
        if self._groups.pop(group.name, None) is not None:
            with _disk_may_be_full():
                self._offsets.mark_empty(group.name, now_ms())
            self._saved.pop(group.name, None)
        timer = self._timers.pop(group.name, None)
        if timer is not None:
            timer.cancel()

    def _schedule(self, group: Group) -> None:
        due = group.next_tick()
        timer = self._timers.get(group.name)
        if timer is not None:
            if timer.when() * 1000 <= due:
                return
            timer.cancel()
        if due < NEVER:
            when = (due + 1) / 1000
            self._timers[group.name] = self._loop.call_at(when, self._tick, group)

    def _tick(self, group: Group) -> None:
        self._timers.pop(group.name, None)
        if self._groups.get(group.name) is group:
            self.apply(group, group.tick(self.now()))


@contextmanager
def _disk_may_be_full() -> Iterator[None]:
    """What is not kept makes members join again after a restart, and nothing worse."""
    try:
        yield
    except OSError as error:
        log.warning("a group's members can't be written down: %s", error)


def _new_member_id(client_id: str) -> str:
    return f"{client_id}-{uuid4()}"


class GroupHandlers:
    def __init__(self, groups: Groups, on_assigned: Callable[[tuple[str, str]], None]) -> None:
        self._groups = groups
        self._on_assigned = on_assigned
        self._loop = asyncio.get_running_loop()

    def join_group(self, request: Request) -> Values | Later:
        body = request.body
        if not body.group_id:
            return {**_NO_JOIN, "error_code": ErrorCode.INVALID_GROUP_ID}
        session = milliseconds(body.session_timeout)
        rebalance = getattr(body, "rebalance_timeout", None)
        asked = JoinRequest(
            body.member_id,
            getattr(body, "group_instance_id", None),
            request.client_id,
            request.client_host,
            session,
            session if rebalance is None else milliseconds(rebalance),
            body.protocol_type,
            tuple((one.name, bytes(one.metadata)) for one in body.protocols),
            two_steps=request.version >= 4,
        )
        group = self._groups.get(body.group_id)
        token: asyncio.Future[JoinReply] = self._loop.create_future()
        self._groups.apply(group, group.join(self._groups.now(), token, asked))
        return self._joined(group, token)

    async def _joined(self, group: Group, token: "asyncio.Future[JoinReply]") -> Values:
        reply = await self._reply(group, token)
        return {
            "error_code": reply.code,
            "generation_id": reply.generation,
            "protocol_name": reply.protocol,
            "leader": reply.leader,
            "member_id": reply.member_id,
            "members": [
                {"member_id": member, "group_instance_id": instance, "metadata": metadata}
                for member, instance, metadata in reply.members
            ],
        }

    async def _reply(self, group: Group, token: "asyncio.Future[_T]") -> _T:
        try:
            return await token
        except asyncio.CancelledError:
            self._groups.apply(group, group.disconnected(self._groups.now(), token))
            raise

    def sync_group(self, request: Request) -> Values | Later:
        body = request.body
        group = self._groups.find(body.group_id)
        if group is None:
            return {"error_code": ErrorCode.UNKNOWN_MEMBER_ID, "assignment": b""}
        asked = SyncRequest(
            body.member_id,
            getattr(body, "group_instance_id", None),
            body.generation_id,
            tuple((one.member_id, bytes(one.assignment)) for one in body.assignments),
        )
        token: asyncio.Future[SyncReply] = self._loop.create_future()
        self._groups.apply(group, group.sync(self._groups.now(), token, asked))
        return self._synced(group, token, request.client)

    async def _synced(
        self, group: Group, token: "asyncio.Future[SyncReply]", client: tuple[str, str]
    ) -> Values:
        reply = await self._reply(group, token)
        self._on_assigned(client)
        return {"error_code": reply.code, "assignment": reply.assignment}

    def heartbeat(self, request: Request) -> Values:
        body = request.body
        group = self._groups.find(body.group_id)
        if group is None:
            return {"error_code": ErrorCode.UNKNOWN_MEMBER_ID}
        instance = getattr(body, "group_instance_id", None)
        now = self._groups.now()
        return {"error_code": group.heartbeat(now, body.member_id, instance, body.generation_id)}

    def leave_group(self, request: Request) -> Values:
        body = request.body
        if request.version < 3:
            return {"error_code": self._leave(body.group_id, body.member_id, None)}
        members = [
            {
                "member_id": one.member_id,
                "group_instance_id": one.group_instance_id,
                "error_code": self._leave(body.group_id, one.member_id, one.group_instance_id),
            }
            for one in body.members
        ]
        return {"error_code": ErrorCode.NONE, "members": members}

    def _leave(self, name: str, member_id: str, instance_id: str | None) -> ErrorCode:
        group = self._groups.find(name)
        if group is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        code, replies = group.leave(self._groups.now(), member_id, instance_id)
        self._groups.apply(group, replies)
        return code


_NO_JOIN: Values = {"protocol_name": "", "leader": "", "member_id": "", "members": ()}
