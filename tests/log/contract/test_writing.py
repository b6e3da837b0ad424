"""Records as the port writes them, over each broker."""

import os
import threading
from collections.abc import Callable, Sequence

from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.producer import Outcome, Producer
from grnry.log.records import Outgoing, Record
from grnry.log.tail import tail
from tests.log.broker.running import wait_until
from tests.log.contract.conftest import Server

Send = Callable[[Sequence[Outgoing | str]], None]


def all_of(cluster: Cluster, topic: str) -> list[Record]:
    admin = Admin(cluster)
    spans = admin.spans(admin.partitions(topic))
    starts = {one: span.start for one, span in spans.items()}
    return list(tail(cluster, starts, {one: span.end for one, span in spans.items()}))


def test_a_record_comes_back_as_it_was_written(
    cluster: Cluster, topic: Callable[..., str], send: Send
) -> None:
    made = topic(2, retention_ms="-1")  # or their times would let them go at once
    headers = [("a", b"1"), ("b", None), ("a", b"\xff\x00"), ("", b""), ("ä", b"2")]
    sent = [
        Outgoing(b"key", b"value", headers, 1_700_000_000_123, 1),
        Outgoing(None, None, (), 1_700_000_000_124, 1),
        Outgoing(b"", b"", (), 1_700_000_000_125, 1),
        Outgoing(b"deleted", None, [("b", None)], 1_700_000_000_126, 1),
    ]
    send(sent)
    found = all_of(cluster, made)
    assert [(one.key(), one.value()) for one in found] == [(one.key, one.value) for one in sent]
    assert [list(one.headers() or ()) for one in found] == [list(one.headers) for one in sent]
    assert [one.timestamp()[1] for one in found] == [one.timestamp_ms for one in sent]
    assert [(one.topic(), one.partition(), one.offset()) for one in found] == [
        (made, 1, offset) for offset in range(4)
    ]


def test_records_of_a_key_stay_in_their_partition_and_order(
    cluster: Cluster, topic: Callable[..., str], send: Send
) -> None:
    made = topic(4)
    sent = [(b"%d" % (number % 7), b"%d" % number) for number in range(5_000)]
    for begin in range(0, 5_000, 500):
        send([Outgoing(key, value) for key, value in sent[begin : begin + 500]])
    by_key: dict[bytes | None, list[bytes | None]] = {}
    places: dict[bytes | None, set[int]] = {}
    for one in all_of(cluster, made):
        by_key.setdefault(one.key(), []).append(one.value())
        places.setdefault(one.key(), set()).add(one.partition())
    assert all(len(found) == 1 for found in places.values())
    assert by_key == {
        key: [value for other, value in sent if other == key] for key, _value in sent[:7]
    }


def test_each_record_that_is_not_written_has_its_reason(
    cluster: Cluster, topic: Callable[..., str], producer: Producer
) -> None:
    made = topic(max_message_bytes="100000")
    small, too_large = Outgoing(None, b"small"), Outgoing(None, os.urandom(200_000))
    assert producer.send_and_wait(made, [small]) == [None]
    assert "too large" in str(producer.send_and_wait(made, [too_large])[0]).lower()
    beyond = Outgoing(None, b"x" * (17 * 2**20))
    assert "too large" in str(producer.send_and_wait(made, [beyond])[0]).lower()
    assert producer.send_and_wait(made, [small]) == [None]
    assert [one.value() for one in all_of(cluster, made)] == [b"small"] * 2
    assert "nknown topic" in str(producer.send_and_wait("not-there", [small])[0])
    nowhere = Outgoing(None, b"", partition=7)
    assert "nknown partition" in str(producer.send_and_wait(made, [nowhere])[0])


def test_a_killed_broker_loses_and_doubles_nothing(
    log_server: Server, cluster: Cluster, topic: Callable[..., str], producer: Producer
) -> None:
    """An idempotent producer goes on over the restart: each record is there once, in order."""
    made = topic()
    decided: list[Outcome] = []
    is_killed = threading.Event()
    count = 0

    def send_some() -> None:
        nonlocal count
        records = [Outgoing(None, b"%d" % (count + index)) for index in range(50)]
        count += 50
        producer.send(made, records, decided.append)

    assert producer.send_and_wait(made, [Outgoing(None, b"first")]) == [None]

    def keep_sending() -> None:
        while not is_killed.is_set():
            send_some()

    sending = threading.Thread(target=keep_sending, daemon=True)
    for _ in range(20):
        send_some()
    sending.start()
    wait_until(lambda: len(decided) > 20)
    log_server.kill()
    is_killed.set()
    sending.join()
    log_server.start()
    send_some()
    wait_until(lambda: len(decided) * 50 == count, 60)
    assert [reason for outcome in decided for reason in outcome if reason] == []
    found = [one.value() for one in all_of(cluster, made)]
    assert found == [b"first", *(b"%d" % number for number in range(count))]
