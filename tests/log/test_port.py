"""The log's port, the one place where the client library is used, against the embedded broker."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from grnry.log.admin import Admin
from grnry.log.consumer import Consumer
from grnry.log.membership import Membership
from grnry.log.producer import Outcome, Producer
from grnry.log.records import LogAway, Outgoing, Partition, Position
from tests.log.broker.running import RunningBroker, wait_until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with RunningBroker(tmp_path) as running:
        yield running


@pytest.fixture
def producer(broker: RunningBroker) -> Iterator[Producer]:
    made = Producer(broker.address, delivery_ms=2000)
    yield made
    made.close()


def values(*given: str) -> list[Outgoing]:
    return [Outgoing(None, value.encode()) for value in given]


class Reader:
    """Starts what it is granted, from offsets of its own, and keeps what it reads."""

    def __init__(self, broker: RunningBroker, name: str, offsets: dict[Partition, int]) -> None:
        self.offsets = offsets
        self.mine: set[Partition] = set()
        self.read: list[str] = []
        self._granted: list[Partition] = []
        self.consumer = Consumer(broker.address, "topic", Membership("group", name), self)

    def granted(self, partitions: Sequence[Partition]) -> None:
        self._granted += partitions

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self.mine.difference_update(partitions)
        self._granted = [each for each in self._granted if each not in partitions]

    def step(self) -> "Reader":
        if self._granted:
            granted, self._granted = self._granted, []
            self.consumer.start({each: Position(self.offsets.get(each, 0)) for each in granted})
            self.mine.update(granted)
        for record in self.consumer.read(100, 0.05):
            self.read.append((record.value() or b"").decode())
            self.offsets[record.topic(), record.partition()] = record.offset() + 1
        return self


def both(one: Reader, two: Reader) -> bool:
    one.step()
    two.step()
    return True


@pytest.fixture
def reader(broker: RunningBroker) -> Iterator[Callable[..., Reader]]:
    made: list[Reader] = []

    def make(name: str = "one", offsets: dict[Partition, int] | None = None) -> Reader:
        made.append(Reader(broker, name, {} if offsets is None else offsets))
        return made[-1]

    yield make
    for each in made:
        each.consumer.close()


def test_topics_are_made_once_and_deleted_once(broker: RunningBroker) -> None:
    admin = Admin(broker.address)
    assert admin.create_topic("topic", 3, 3, {"retention.ms": "60000"})
    assert not admin.create_topic("topic", 3, 1, {})
    assert admin.topics() == {"topic": 3}
    assert admin.delete_topic("topic")
    assert not admin.delete_topic("topic")
    assert not admin.delete_group("nobody")


def test_an_absent_broker_is_told_at_once_and_its_return_is_seen(broker: RunningBroker) -> None:
    admin = Admin(broker.address)
    assert admin.brokers() == 1
    broker.kill()
    began = time.monotonic()
    calls: list[Callable[[], object]] = [
        admin.brokers,
        admin.topics,
        lambda: admin.create_topic("topic", 1, 1, {}),
        lambda: admin.delete_topic("topic"),
        lambda: admin.delete_group("group"),
    ]
    for call in calls:
        with pytest.raises(LogAway):
            call()
    assert time.monotonic() - began < 8
    broker.start()
    assert admin.brokers() == 1
    assert admin.create_topic("topic", 1, 1, {})


def test_each_record_that_is_not_written_has_its_reason(
    broker: RunningBroker, producer: Producer
) -> None:
    broker.create_topic("topic")
    large = Outgoing(None, b"x" * (17 * 2**20))
    outcome = producer.send_and_wait("topic", [*values("a"), large, *values("b")])
    assert [reason is None for reason in outcome] == [True, False, True]
    assert "size" in str(outcome[1])
    assert [one.value() for one in broker.read_all("topic", 2)] == [b"a", b"b"]
    assert "Unknown topic" in str(producer.send_and_wait("unknown", values("a"))[0])
    assert producer.send_and_wait("topic", []) == []


def test_a_killed_broker_fails_deliveries_and_the_next_ones_go_through(
    broker: RunningBroker, producer: Producer
) -> None:
    broker.create_topic("topic")
    assert producer.send_and_wait("topic", values("a")) == [None]
    broker.kill()
    assert None not in producer.send_and_wait("topic", values("b", "c"))
    broker.start()
    wait_until(lambda: producer.send_and_wait("topic", values("d")) == [None])


def test_a_caller_that_fails_keeps_nobody_else_from_being_told(
    broker: RunningBroker, producer: Producer
) -> None:
    broker.create_topic("topic")

    def fail(_outcome: Outcome) -> None:
        raise ValueError("of the caller")

    producer.send("topic", values("a"), fail)
    assert producer.send_and_wait("topic", values("b")) == [None]


def test_two_members_share_partitions_and_take_over_from_stored_offsets(
    broker: RunningBroker, reader: Callable[..., Reader]
) -> None:
    broker.create_topic("topic", 4)
    sent = [f"first {number}" for number in range(200)]
    broker.produce("topic", sent)
    offsets: dict[Partition, int] = {}
    one = reader("one", offsets)
    wait_until(lambda: len(one.step().read) == 200)
    two = reader("two", offsets)
    wait_until(lambda: both(one, two) and len(one.mine) == len(two.mine) == 2)
    assert not one.mine & two.mine
    more = [f"second {number}" for number in range(200)]
    broker.produce("topic", more)
    wait_until(lambda: both(one, two) and len(one.read) + len(two.read) == 400)
    assert sorted(one.read + two.read) == sorted(sent + more)
    assert two.read


def test_a_member_that_comes_back_reads_from_where_it_says(
    broker: RunningBroker, reader: Callable[..., Reader]
) -> None:
    broker.create_topic("topic")
    broker.produce("topic", [str(number) for number in range(10)])
    first = reader("one")
    wait_until(lambda: len(first.step().read) == 10)
    first.consumer.close()
    again = reader("one", {("topic", 0): 7})
    wait_until(lambda: len(again.step().read) == 3)
    assert again.read == ["7", "8", "9"]


def test_trouble_is_told_while_the_broker_is_away(
    broker: RunningBroker, reader: Callable[..., Reader]
) -> None:
    broker.create_topic("topic")
    broker.produce("topic", ["a"])
    one = reader()
    wait_until(lambda: one.step().read == ["a"])
    assert not one.consumer.trouble
    broker.kill()
    wait_until(lambda: one.step().consumer.trouble)
    broker.start()
    broker.produce("topic", ["b"])
    wait_until(lambda: one.step().read == ["a", "b"], 40)
    wait_until(lambda: not one.step().consumer.trouble)


def test_paused_partitions_give_nothing_and_lose_nothing(
    broker: RunningBroker, reader: Callable[..., Reader]
) -> None:
    broker.create_topic("topic", 2)
    sent = [f"{number}" for number in range(2000)]
    broker.produce("topic", sent)
    one = reader()
    wait_until(lambda: len(one.step().read) >= 100)
    one.consumer.pause(list(one.mine))
    before = len(one.read)
    for _ in range(5):
        one.step()
    assert len(one.read) == before
    one.consumer.resume(list(one.mine))
    wait_until(lambda: len(one.step().read) >= 2000)
    assert sorted(one.read) == sorted(sent)


def test_closing_does_not_wait_for_a_broker_that_is_away(
    broker: RunningBroker, reader: Callable[..., Reader]
) -> None:
    broker.create_topic("topic")
    one = reader()
    wait_until(lambda: one.step().mine)
    broker.kill()
    began = time.monotonic()
    one.consumer.close()
    assert time.monotonic() - began < 8
