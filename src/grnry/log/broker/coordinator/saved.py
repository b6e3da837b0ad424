"""A settled group as plain values, so that its members go on when the broker comes back."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from .group import Group
from .values import GroupSettings, Member, State

Saved = Mapping[str, Any]


def save(group: Group) -> Saved:
    return {
        "generation": group.generation,
        "protocol_type": group.protocol_type,
        "protocol": group.protocol,
        "leader": group.leader,
        "members": [_save_member(member) for member in group.members.values()],
    }


def _save_member(member: Member) -> Saved:
    return {
        "id": member.id,
        "instance_id": member.instance_id,
        "client_id": member.client_id,
        "client_host": member.client_host,
        "session_timeout_ms": member.session_timeout_ms,
        "rebalance_timeout_ms": member.rebalance_timeout_ms,
        "protocols": [[name, b64encode(data).decode()] for name, data in member.protocols],
        "assignment": b64encode(member.assignment).decode(),
    }


def restore(
    name: str, saved: Saved, now: int, settings: GroupSettings, new_id: Callable[[str], str]
) -> Group:
    """The group as it was when it last settled; its members have a session to report.

    A later generation may have begun, unsaved: its number is left out.
    """
    group = Group(name, settings, new_id)
    group.state = State.STABLE
    group.generation = saved["generation"]
    group.skipped_generations = 1
    group.protocol_type, group.protocol = saved["protocol_type"], saved["protocol"]
    group.leader = saved["leader"]
    for values in saved["members"]:
        member = _restore_member(values, now)
        group.members[member.id] = member
        if member.instance_id is not None:
            group.instances[member.instance_id] = member.id
    return group


def _restore_member(values: Saved, now: int) -> Member:
    protocols = tuple((name, b64decode(data)) for name, data in values["protocols"])
    given = {**values, "protocols": protocols, "assignment": b64decode(values["assignment"])}
    timeout = values["session_timeout_ms"]
    return Member(**given, expires_at=now + timeout, is_known_to_client=True)
