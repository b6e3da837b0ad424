"""The steps of a consumer group, with a clock and no sockets."""

import json
from itertools import count
from typing import Any

from grnry.log.broker.coordinator.group import Group
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
from grnry.log.broker.protocol.errors import ErrorCode

SESSION, REBALANCE = 1000, 3000


def join_request(member_id: str = "", **given: Any) -> JoinRequest:
    values: dict[str, Any] = {
        "member_id": member_id,
        "instance_id": None,
        "client_id": "client",
        "client_host": "/here",
        "session_timeout_ms": SESSION,
        "rebalance_timeout_ms": REBALANCE,
        "protocol_type": "consumer",
        "protocols": (("range", b"range"), ("sticky", b"sticky")),
        "two_steps": False,
    }
    return JoinRequest(**{**values, **given})


def new_group(delay: int = 0) -> Group:
    numbers = count(1)
    settings = GroupSettings(initial_rebalance_delay_ms=delay, max_members=4)
    return Group("g", settings, lambda client: f"{client}-{next(numbers)}")


def joined(replies: list[Reply]) -> dict[object, JoinReply]:
    return {one.token: one.value for one in replies if isinstance(one.value, JoinReply)}


def synced(replies: list[Reply]) -> dict[object, SyncReply]:
    return {one.token: one.value for one in replies if isinstance(one.value, SyncReply)}


def stable_group(*tokens: str) -> tuple[Group, dict[str, str]]:
    """A group whose members joined by these tokens; gives their ids."""
    group = new_group(delay=10)
    for token in tokens:
        assert group.join(0, token, join_request()) == []
    replies = joined(group.tick(10))
    ids = {token: replies[token].member_id for token in tokens}
    assignments = tuple((member, token.encode()) for token, member in ids.items())
    for member in ids.values():
        given = assignments if member == group.leader else ()
        group.sync(10, f"sync {member}", SyncRequest(member, None, 1, given))
    assert group.state is State.STABLE
    return group, ids


def sync(group: Group, now: int, member: str) -> SyncReply:
    request = SyncRequest(member, None, group.generation, ())
    return synced(group.sync(now, "t", request))["t"]


def test_the_first_member_leads_and_is_told_who_is_in() -> None:
    group = new_group()
    reply = joined(group.join(0, "a", join_request()))["a"]
    assert (reply.code, reply.generation, reply.leader) == (ErrorCode.NONE, 1, reply.member_id)
    assert reply.members == ((reply.member_id, None, b"range"),)
    request = SyncRequest(reply.member_id, None, 1, ((reply.member_id, b"mine"),))
    assert synced(group.sync(0, "s", request))["s"].assignment == b"mine"
    assert group.state is State.STABLE


def test_those_who_come_within_the_delay_are_in_one_generation() -> None:
    group = new_group(delay=50)
    assert group.join(0, "a", join_request()) == []
    assert group.join(30, "b", join_request()) == []
    assert group.next_tick() == 50
    replies = joined(group.tick(50))
    assert {one.generation for one in replies.values()} == {1}
    assert [len(one.members) for one in replies.values()] == [2, 0]


def test_a_new_member_is_told_its_id_first() -> None:
    group = new_group()
    reply = joined(group.join(0, "a", join_request(two_steps=True)))["a"]
    assert reply.code is ErrorCode.MEMBER_ID_REQUIRED
    again = joined(group.join(1, "b", join_request(reply.member_id, two_steps=True)))["b"]
    assert (again.code, again.member_id) == (ErrorCode.NONE, reply.member_id)


def test_who_never_comes_back_after_being_told_holds_nobody_up_for_long() -> None:
    group = new_group()
    group.join(0, "a", join_request(two_steps=True))
    assert group.join(5, "b", join_request()) == []
    assert joined(group.tick(SESSION))["b"].code is ErrorCode.NONE


def test_a_join_asks_the_others_to_join_again() -> None:
    group, ids = stable_group("a", "b")
    assert group.join(20, "c", join_request()) == []
    for member in ids.values():
        assert group.heartbeat(21, member, None, 1) is ErrorCode.REBALANCE_IN_PROGRESS
    assert group.join(22, "a2", join_request(ids["a"])) == []
    replies = joined(group.join(23, "b2", join_request(ids["b"])))
    assert {token: one.generation for token, one in replies.items()} == {"a2": 2, "b2": 2, "c": 2}
    assert {one.leader for one in replies.values()} == {ids["a"]}


def test_who_does_not_join_again_in_time_is_out() -> None:
    group, ids = stable_group("a", "b")
    group.join(20, "c", join_request())
    group.join(21, "b2", join_request(ids["b"]))
    group.heartbeat(900, ids["a"], None, 1)
    replies = joined(group.tick(20 + REBALANCE))
    assert set(replies) == {"b2", "c"}
    assert group.heartbeat(3100, ids["a"], None, 1) is ErrorCode.UNKNOWN_MEMBER_ID


def test_who_sends_no_heartbeat_is_out_after_its_session() -> None:
    group, ids = stable_group("a", "b")
    group.heartbeat(900, ids["b"], None, 1)
    assert group.next_tick() == 10 + SESSION
    group.tick(10 + SESSION)
    assert group.state is State.PREPARING
    assert set(group.members) == {ids["b"]}


def test_a_leader_that_does_not_assign_is_out() -> None:
    group = new_group(delay=10)
    group.join(0, "a", join_request())
    group.join(0, "b", join_request())
    replies = joined(group.tick(10))
    follower = next(o.member_id for o in replies.values() if o.member_id != group.leader)
    group.sync(11, "s", SyncRequest(follower, None, 1, ()))
    for now in (900, 1800, 2700):
        group.heartbeat(now, group.leader, None, 1)
    ended = synced(group.tick(10 + REBALANCE))
    assert ended["s"].code is ErrorCode.REBALANCE_IN_PROGRESS
    assert set(group.members) == {follower}


def test_a_leave_starts_a_rebalance_and_the_last_leaves_an_empty_group() -> None:
    group, ids = stable_group("a", "b")
    assert group.leave(20, ids["a"], None)[0] is ErrorCode.NONE
    assert group.state is State.PREPARING
    assert joined(group.join(21, "b2", join_request(ids["b"])))["b2"].leader == ids["b"]
    assert group.leave(22, ids["b"], None)[0] is ErrorCode.NONE
    assert not group.members
    assert group.leave(23, ids["b"], None)[0] is ErrorCode.UNKNOWN_MEMBER_ID


def test_commits_are_checked_against_the_generation() -> None:
    group, ids = stable_group("a")
    assert group.check_commit(20, ids["a"], None, 1) is ErrorCode.NONE
    assert group.check_commit(20, ids["a"], None, 0) is ErrorCode.ILLEGAL_GENERATION
    assert group.check_commit(20, "other", None, 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert group.check_commit(20, "", None, -1) is ErrorCode.UNKNOWN_MEMBER_ID
    group.join(21, "c", join_request())
    assert group.check_commit(22, ids["a"], None, 1) is ErrorCode.NONE  # before it joins again
    group.join(23, "a2", join_request(ids["a"]))
    assert group.check_commit(24, ids["a"], None, 2) is ErrorCode.REBALANCE_IN_PROGRESS
    assert new_group().check_commit(0, "", None, -1) is ErrorCode.NONE


def test_a_static_member_comes_back_without_a_rebalance_and_fences_the_old() -> None:
    group = new_group()
    first = joined(group.join(0, "a", join_request(instance_id="i")))["a"].member_id
    group.sync(0, "s", SyncRequest(first, "i", 1, ((first, b"mine"),)))
    again = joined(group.join(5, "b", join_request(instance_id="i")))["b"]
    assert (again.code, again.generation) == (ErrorCode.NONE, 1)
    assert again.leader != again.member_id  # so that it does not assign anew
    assert group.heartbeat(6, first, "i", 1) is ErrorCode.FENCED_INSTANCE_ID
    assert group.check_commit(6, first, "i", 1) is ErrorCode.FENCED_INSTANCE_ID
    reply = synced(group.sync(7, "t", SyncRequest(again.member_id, "i", 1, ())))["t"]
    assert reply.assignment == b"mine"


def test_a_parked_join_whose_connection_died_holds_nobody_up() -> None:
    group, ids = stable_group("a", "b")
    group.join(20, "c", join_request())
    group.join(21, "a2", join_request(ids["a"]))
    group.disconnected(22, "a2")
    group.disconnected(23, "c")  # nobody knows its id: it is gone at once
    assert len(group.members) == 2
    group.join(24, "b2", join_request(ids["b"]))
    replies = joined(group.tick(22 + SESSION))
    assert set(replies) == {"b2"}


def test_what_does_not_fit_is_refused() -> None:
    group, _ids = stable_group("a")

    def code(**given: Any) -> ErrorCode:
        return joined(group.join(20, "x", join_request(**given)))["x"].code

    assert code(protocols=(("other", b""),)) is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert code(protocol_type="connect") is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert code(protocols=()) is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert code(session_timeout_ms=1) is ErrorCode.INVALID_SESSION_TIMEOUT
    assert code(member_id="nobody") is ErrorCode.UNKNOWN_MEMBER_ID
    for token in ("b", "c", "d"):
        group.join(21, token, join_request())
    assert code() is ErrorCode.GROUP_MAX_SIZE_REACHED


def test_the_protocol_is_one_that_all_know() -> None:
    group = new_group(delay=10)
    group.join(0, "a", join_request(protocols=(("x", b""), ("y", b"ay"))))
    group.join(0, "b", join_request(protocols=(("y", b"by"), ("z", b""))))
    replies = joined(group.tick(10))
    assert {one.protocol for one in replies.values()} == {"y"}


def test_a_settled_group_is_saved_and_restored() -> None:
    group, ids = stable_group("a", "b")
    saved = json.loads(json.dumps(save(group)))
    again = restore("g", saved, 500, GroupSettings(), lambda client: client)
    assert again.heartbeat(501, ids["a"], None, 1) is ErrorCode.NONE
    assert sync(again, 502, ids["b"]).assignment == b"b"
    again.tick(502 + SESSION)
    assert not again.members
    again = restore("g", saved, 500, GroupSettings(), lambda client: client)
    again.join(600, "a2", join_request(ids["a"]))
    replies = joined(again.join(601, "b2", join_request(ids["b"])))
    assert {one.generation for one in replies.values()} == {3}  # 2 may have been begun


def test_a_sync_of_an_old_generation_is_refused() -> None:
    group, ids = stable_group("a")
    old = SyncRequest(ids["a"], None, 0, ())
    assert synced(group.sync(20, "t", old))["t"].code is ErrorCode.ILLEGAL_GENERATION
    assert sync(group, 21, ids["a"]).assignment == b"a"
    assert sync(group, 21, "nobody").code is ErrorCode.UNKNOWN_MEMBER_ID
