"""Records as the port reads them, over each broker."""

import time
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import Producer as Client

from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.records import Gap, Outgoing
from tests.log.broker.running import wait_until
from tests.log.contract.conftest import Server
from tests.log.contract.reading import Reader, positions

Send = Callable[[Sequence[Outgoing | str]], None]
MakeReader = Callable[..., Reader]


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_each_partition_is_read_in_order(
    topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    topic(4)
    send([Outgoing(b"%d" % number, b"%d" % number) for number in range(3_000)])
    one = reader()
    wait_until(lambda: len(one.step().records) >= 3_000)
    assert len(one.records) == 3_000
    for found in positions(one.records).values():
        assert found == list(range(len(found)))


def test_reading_begins_where_it_is_said(
    topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic()
    send(numbers(10))
    one = reader(offsets={(made, 0): 7})
    wait_until(lambda: len(one.step().records) >= 3)
    assert one.values == ["7", "8", "9"]
    one.consumer.seek({(made, 0): 2})
    wait_until(lambda: len(one.step().records) >= 11)
    assert one.values[3:] == numbers(10)[2:]
    one.consumer.seek({(made, 0): 9})
    wait_until(lambda: len(one.step().records) >= 12)
    send(["next"])
    wait_until(lambda: len(one.step().records) >= 13)
    assert one.values[11:] == ["9", "next"]
    assert not one.gaps


def test_a_paused_partition_gives_nothing_and_loses_nothing(
    topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    topic(2)
    send(numbers(2_000))
    one = reader()
    wait_until(lambda: one.step().records)
    one.consumer.pause(list(one.mine))
    before = len(one.records)
    for _ in range(5):
        one.step()
    assert len(one.records) == before
    one.consumer.resume(list(one.mine))
    wait_until(lambda: len(one.step().records) >= 2_000)
    assert sorted(one.values) == sorted(numbers(2_000))


def test_what_was_deleted_before_it_was_read_is_told(
    admin: Admin, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic(2)
    send([Outgoing(None, b"%d" % number, partition=0) for number in range(20)])
    admin.delete_records({(made, 0): 12})
    one = reader(offsets={(made, 0): 5})
    wait_until(lambda: len(one.step().records) >= 8)
    assert one.values == numbers(20)[12:]
    assert one.gaps == [Gap((made, 0), 5, 12)]
    assert "offset 5 to 11 are gone" in str(one.gaps[0])


def test_retention_leaves_a_gap_that_is_told(
    admin: Admin, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic(retention_ms="1000", segment_ms="100")
    an_hour_ago = int(time.time() * 1000) - 3_600_000
    for number in range(3):
        send([Outgoing(None, b"%d" % number, timestamp_ms=an_hour_ago + number)])
    wait_until(lambda: admin.spans([(made, 0)])[made, 0].start == 3, 60)
    one = reader(offsets={(made, 0): 1})
    wait_until(lambda: one.step().gaps)
    assert one.gaps == [Gap((made, 0), 1, 3)]


def test_who_begins_anywhere_misses_nothing(
    admin: Admin, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic()
    send(numbers(10))
    admin.delete_records({(made, 0): 4})
    one = reader()
    wait_until(lambda: len(one.step().records) >= 6)
    assert one.values == numbers(10)[4:]
    assert not one.gaps


def test_an_offset_behind_the_end_is_told(
    topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic()
    send(numbers(3))
    one = reader(offsets={(made, 0): 100})
    wait_until(lambda: len(one.step().records) >= 3)
    assert one.gaps == [Gap((made, 0), 100, 0)]
    assert "behind the log's end" in str(one.gaps[0])


def test_the_first_event_does_not_wait_for_a_fetch_that_is_under_way(
    log_server: Server, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    """Partitions that miss the first fetch would wait until it ends, which takes seconds."""
    if log_server.name != "embedded":
        pytest.skip("Apache Kafka lets them wait, for as long as the client says")
    topic(32)
    send([Outgoing(None, b"x", partition=partition) for partition in (0, 30, 31)])
    slowest = 0.0
    for attempt in range(5):
        one = reader(group=f"group {attempt}")
        wait_until(lambda: one.step().mine)  # noqa: B023
        began = time.monotonic()
        wait_until(lambda: len(one.step().records) >= 3)  # noqa: B023
        slowest = max(slowest, time.monotonic() - began)
        one.consumer.close()
    assert slowest < 2.5


def test_an_aborted_transaction_is_never_read(
    log_server: Server, cluster: Cluster, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    if log_server.name == "embedded":
        pytest.skip("the embedded log has no transactions")
    made = topic()
    client = Client({**cluster.conf(), "transactional.id": made, "log_level": 0})
    client.init_transactions(30)
    for value, is_kept in (("a", True), ("aborted", False), ("b", True)):
        client.begin_transaction()
        client.produce(made, value)
        client.flush(30)
        (client.commit_transaction if is_kept else client.abort_transaction)(30)
    send(["c"])
    one = reader()
    wait_until(lambda: len(one.step().records) >= 3)
    assert one.values == ["a", "b", "c"]
    client.begin_transaction()
    client.produce(made, "open")
    client.flush(30)
    send(["behind it"])
    for _ in range(10):
        one.step()
    assert len(one.values) == 3
    client.commit_transaction(30)
    wait_until(lambda: len(one.step().records) >= 5)
    assert one.values[3:] == ["open", "behind it"]
    assert not one.gaps


def test_reading_goes_on_over_a_restart(
    log_server: Server, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    topic()
    send(["a"])
    one = reader()
    wait_until(lambda: one.step().values == ["a"])
    log_server.kill()
    wait_until(lambda: one.step().consumer.trouble)
    log_server.start()
    send(["b"])
    wait_until(lambda: one.step().values == ["a", "b"], 60)
    wait_until(lambda: not one.step().consumer.trouble, 60)
    assert not one.gaps


def test_a_topic_that_is_made_again_is_read_from_its_beginning(
    admin: Admin, topic: Callable[..., str], send: Send, reader: MakeReader
) -> None:
    made = topic()
    send(numbers(5))
    one = reader(offsets={(made, 0): 5})
    wait_until(lambda: one.step().mine)
    one.consumer.close()
    admin.delete_topic(made)
    wait_until(lambda: made not in admin.topics())
    wait_until(lambda: admin.create_topic(made, 1, 1, {}))
    send(["new"])
    two = reader("two", offsets={(made, 0): 5}, group=f"{made} two")
    wait_until(lambda: two.step().records, 60)
    assert two.values == ["new"]
    assert two.gaps == [Gap((made, 0), 5, 0)]
