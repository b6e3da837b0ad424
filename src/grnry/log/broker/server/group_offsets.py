"""Committed offsets and the administration of groups."""

import logging
from typing import Any

from grnry.log.broker.coordinator.group import Group
from grnry.log.broker.coordinator.values import Member, State
from grnry.log.broker.protocol.codec import Values
from grnry.log.broker.protocol.errors import ErrorCode
from grnry.log.broker.storage.group_offsets import Committed, Place
from grnry.log.broker.storage.store import Store, now_ms

from .answers import After, Answer, Request
from .durability import Durability
from .groups import Groups

log = logging.getLogger("grnry.log.broker")

_LARGEST_METADATA = 4096


class GroupOffsetHandlers:
    def __init__(self, store: Store, groups: Groups, durability: Durability) -> None:
        self._store = store
        self._offsets = store.group_offsets
        self._groups = groups
        self._durability = durability

    def _when_durable(self, answer: Values) -> Answer:
        done = self._durability.offsets(self._offsets)
        return answer if done is None else After(done, answer)

    # Commit and fetch

    def commit(self, request: Request) -> Answer:
        body = request.body
        refusal = self._refusal(body)
        taken: dict[Place, Committed] = {}
        topics: list[dict[str, Any]] = []
        for topic in body.topics:
            partitions = []
            for one in topic.partitions:
                code = refusal or self._take(taken, topic.name, one)
                partitions.append({"partition_index": one.partition_index, "error_code": code})
            topics.append({"name": topic.name, "partitions": partitions})
        if not taken:
            return {"topics": topics}
        try:
            self._offsets.commit(body.group_id, taken)
        except OSError as error:
            log.warning("offsets of group %s can't be written: %s", body.group_id, error)
            return {"topics": _refused(topics)}
        return self._when_durable({"topics": topics})

    def _refusal(self, body: Any) -> ErrorCode:
        generation, member_id = body.generation_id_or_member_epoch, body.member_id
        if not body.group_id:
            return ErrorCode.INVALID_GROUP_ID
        group = self._groups.find(body.group_id)
        if group is None:
            alone = generation < 0 and not member_id
            return ErrorCode.NONE if alone else ErrorCode.UNKNOWN_MEMBER_ID
        instance = getattr(body, "group_instance_id", None)
        return group.check_commit(self._groups.now(), member_id, instance, generation)

    def _take(self, taken: dict[Place, Committed], name: str, one: Any) -> ErrorCode:
        topic = self._store.topics.find(name)
        if topic is None or not 0 <= one.partition_index < topic.partitions:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        metadata = one.committed_metadata or ""
        if len(metadata) > _LARGEST_METADATA:
            return ErrorCode.OFFSET_METADATA_TOO_LARGE
        epoch = getattr(one, "committed_leader_epoch", -1)
        taken[name, one.partition_index] = Committed(one.committed_offset, epoch, metadata)
        return ErrorCode.NONE

    def fetch(self, request: Request) -> Values:
        body = request.body
        known = self._offsets.of(body.group_id)
        if body.topics is None:
            wanted: dict[str, list[int]] = {}
            for topic, partition in known:
                wanted.setdefault(topic, []).append(partition)
        else:
            wanted = {topic.name: list(topic.partition_indexes) for topic in body.topics}
        topics = [
            {"name": topic, "partitions": [_fetched(known, topic, one) for one in partitions]}
            for topic, partitions in wanted.items()
        ]
        return {"topics": topics, "error_code": ErrorCode.NONE}

    # Administration

    def list_groups(self, request: Request) -> Values:
        states = set(getattr(request.body, "states_filter", None) or ())
        active = {group.name: (group.protocol_type, group.state) for group in self._groups.all()}
        for name in self._offsets.groups():
            active.setdefault(name, ("consumer", State.EMPTY))
        groups = [
            {"group_id": name, "protocol_type": kind, "group_state": state.value}
            for name, (kind, state) in active.items()
            if not states or state.value in states
        ]
        return {"error_code": ErrorCode.NONE, "groups": groups}

    def describe_groups(self, request: Request) -> Values:
        return {"groups": [self._described(name) for name in request.body.groups]}

    def _described(self, name: str) -> Values:
        group = self._groups.find(name)
        if group is not None:
            return _described(group)
        is_known = name in self._offsets.groups()
        return {
            "error_code": ErrorCode.NONE,
            "group_id": name,
            "group_state": State.EMPTY.value if is_known else "Dead",
            "protocol_type": "consumer" if is_known else "",
            "protocol_data": "",
            "members": (),
        }

    def delete_groups(self, request: Request) -> Answer:
        results = []
        for name in request.body.groups_names:
            code = ErrorCode.NONE
            group = self._groups.find(name)
            if group is not None and (group.members or group.announced):
                code = ErrorCode.NON_EMPTY_GROUP
            elif name not in self._offsets.groups():
                code = ErrorCode.GROUP_ID_NOT_FOUND
            else:
                self._offsets.delete(name)
            results.append({"group_id": name, "error_code": code})
        return self._when_durable({"results": results})

    def delete_offsets(self, request: Request) -> Answer:
        name = request.body.group_id
        if name not in self._offsets.groups() and self._groups.find(name) is None:
            return {"error_code": ErrorCode.GROUP_ID_NOT_FOUND, "topics": ()}
        group = self._groups.find(name)
        deleted: list[Place] = []
        topics = []
        for topic in request.body.topics:
            used = group is not None and _is_subscribed(group, topic.name)
            code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if used else ErrorCode.NONE
            numbers = [one.partition_index for one in topic.partitions]
            deleted += [] if used else [(topic.name, number) for number in numbers]
            partitions = [{"partition_index": one, "error_code": code} for one in numbers]
            topics.append({"name": topic.name, "partitions": partitions})
        self._offsets.forget(name, deleted)
        return self._when_durable({"error_code": ErrorCode.NONE, "topics": topics})

    def expire(self, retention_ms: int) -> None:
        """Offsets of groups that have had no member for long go."""
        now = now_ms()
        for name in self._offsets.groups():
            if self._groups.find(name) is not None:
                continue
            since = self._offsets.empty_since.get(name)
            if since is None:
                self._offsets.mark_empty(name, now)
            elif now - since > retention_ms:
                self._offsets.delete(name)


def _refused(topics: list[dict[str, Any]]) -> list[Values]:
    """All of it, with an error that makes clients try again."""
    code = ErrorCode.COORDINATOR_NOT_AVAILABLE
    return [
        {**topic, "partitions": [{**one, "error_code": code} for one in topic["partitions"]]}
        for topic in topics
    ]


def _fetched(known: dict[Place, Committed], topic: str, partition: int) -> Values:
    committed = known.get((topic, partition), Committed(-1, -1, ""))
    return {
        "partition_index": partition,
        "committed_offset": committed.offset,
        "committed_leader_epoch": committed.leader_epoch,
        "metadata": committed.metadata,
        "error_code": ErrorCode.NONE,
    }


def _described(group: Group) -> Values:
    is_settled = group.state in {State.STABLE, State.COMPLETING}
    return {
        "error_code": ErrorCode.NONE,
        "group_id": group.name,
        "group_state": group.state.value,
        "protocol_type": group.protocol_type,
        "protocol_data": group.protocol if is_settled else "",
        "members": [_described_member(group, member) for member in group.members.values()],
    }


def _described_member(group: Group, member: Member) -> Values:
    is_stable = group.state is State.STABLE
    return {
        "member_id": member.id,
        "group_instance_id": member.instance_id,
        "client_id": member.client_id,
        "client_host": member.client_host,
        "member_metadata": member.metadata(group.protocol) if is_stable else b"",
        "member_assignment": member.assignment if is_stable else b"",
    }


def _is_subscribed(group: Group, topic: str) -> bool:
    """A subscription is version, count and names: a name with its length is in it or not."""
    name = topic.encode()
    wanted = len(name).to_bytes(2, "big") + name
    return any(wanted in data for member in group.members.values() for _, data in member.protocols)
