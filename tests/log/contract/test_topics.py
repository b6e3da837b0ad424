"""Topics as the port makes, describes and changes them, over each broker."""

import contextlib
from collections.abc import Callable, Sequence

import pytest

from grnry.errors import NotFound
from grnry.log.admin import Admin
from grnry.log.model import END, Span
from grnry.log.records import LogAway, LogRefused, Outgoing
from tests.log.broker.running import wait_until

Send = Callable[[Sequence[Outgoing | str]], None]


def test_a_topic_is_made_once_and_deleted_once(admin: Admin, name: str) -> None:
    assert admin.create_topic(name, 3, 3, {"retention.ms": "60000"})
    assert not admin.create_topic(name, 3, 1, {})
    wait_until(lambda: admin.topics().get(name) == 3)
    assert admin.delete_topic(name)
    wait_until(lambda: name not in admin.topics())
    assert not admin.delete_topic(name)


def test_what_is_just_deleted_is_there_no_more(admin: Admin, name: str) -> None:
    """Apache Kafka's brokers list it for a moment longer."""
    for _ in range(10):
        assert not admin.has_topic(name)
        assert admin.create_topic(name, 1, 1, {})
        wait_until(lambda: admin.has_topic(name))
        assert admin.delete_topic(name)
    assert not admin.has_topic(name)


def test_a_topic_that_is_made_again_has_another_id(admin: Admin, name: str) -> None:
    assert admin.topic_id(name) is None
    ids = set()
    for _ in range(2):
        assert admin.create_topic(name, 1, 1, {})
        wait_until(lambda: admin.topic_id(name))
        ids.add(admin.topic_id(name))
        assert admin.topic_id(name) in ids
        admin.delete_topic(name)
        wait_until(lambda: admin.topic_id(name) is None)
    assert len(ids) == 2


def test_a_topic_is_described(admin: Admin, topic: Callable[..., str]) -> None:
    made = topic(2, retention_ms="60000")
    found = wait_until(lambda: admin.describe([made, "not-there"]))
    assert list(found) == [made]
    assert (found[made].partitions, found[made].replicas) == (2, 1)
    settings = admin.settings(made)
    assert (settings["retention.ms"].value, settings["retention.ms"].is_default) == ("60000", False)
    assert settings["cleanup.policy"].value == "delete"
    assert settings["cleanup.policy"].is_default


def test_settings_are_changed_one_by_one(admin: Admin, topic: Callable[..., str]) -> None:
    made = topic(retention_ms="60000", max_message_bytes="2000")
    admin.change_settings(made, {"retention.ms": "70000"})
    wait_until(lambda: admin.settings(made)["retention.ms"].value == "70000")
    assert admin.settings(made)["max.message.bytes"].value == "2000"
    admin.change_settings(made, {"max.message.bytes": None})
    wait_until(lambda: admin.settings(made)["max.message.bytes"].is_default)
    assert admin.settings(made)["retention.ms"].value == "70000"


def test_what_a_broker_refuses_is_an_error_of_ours(admin: Admin, topic: Callable[..., str]) -> None:
    made = topic(2)
    with pytest.raises(LogRefused, match=r"no\.such\.setting"):
        admin.create_topic(f"{made}-x", 1, 1, {"no.such.setting": "1"})
    with pytest.raises(LogRefused):
        admin.change_settings(made, {"retention.ms": "many"})
    with pytest.raises(LogRefused):
        admin.grow_topic(made, 1)
    with pytest.raises(LogRefused):
        admin.create_topic("no/name", 1, 1, {})
    with pytest.raises(NotFound):
        admin.partitions("not-there")
    with pytest.raises(NotFound):
        admin.settings("not-there")
    with pytest.raises(NotFound):
        admin.grow_topic("not-there", 2)


def test_a_topic_grows_and_keeps_what_is_in_it(
    admin: Admin, topic: Callable[..., str], send: Send
) -> None:
    made = topic(1)
    send(["a", "b"])
    admin.grow_topic(made, 3)
    partitions = [(made, 0), (made, 1), (made, 2)]
    wait_until(lambda: admin.partitions(made) == partitions)
    spans = {(made, 0): Span(0, 2), (made, 1): Span(0, 0), (made, 2): Span(0, 0)}

    def has_leaders() -> bool:
        with contextlib.suppress(LogAway):
            return admin.spans(partitions) == spans
        return False

    wait_until(has_leaders)


def test_offsets_are_found_by_time(admin: Admin, topic: Callable[..., str], send: Send) -> None:
    made = topic(2, message_timestamp_type="CreateTime", retention_ms="-1")
    times = [1_700_000_000_000 + 1000 * number for number in range(5)]
    for time in times:
        send([Outgoing(b"k", b"v", timestamp_ms=time, partition=0)])
    both = [(made, 0), (made, 1)]
    assert admin.places(both, times[0] - 1) == {(made, 0): 0, (made, 1): 0}
    assert admin.places(both, times[2]) == {(made, 0): 2, (made, 1): 0}
    assert admin.places(both, times[2] + 1) == {(made, 0): 3, (made, 1): 0}
    assert admin.places(both, times[4] + 1) == {(made, 0): 5, (made, 1): 0}
    assert admin.places(both, END) == {(made, 0): 5, (made, 1): 0}


def test_records_are_deleted_up_to_an_offset(
    admin: Admin, topic: Callable[..., str], send: Send
) -> None:
    made = topic()
    send([str(number) for number in range(10)])
    assert admin.delete_records({(made, 0): 4}) == {(made, 0): 4}
    assert admin.spans([(made, 0)]) == {(made, 0): Span(4, 10)}
    with pytest.raises(LogRefused):
        admin.delete_records({(made, 0): 11})
