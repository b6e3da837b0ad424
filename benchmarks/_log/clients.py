"""What is measured with clients: rates, one message at a time, waiting, joining.

Producer and consumer are confluent-kafka on the same machine, so that both sides share its cores.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from grnry.log.consumer import Consumer as PortConsumer
from grnry.log.membership import Membership

from .brokers import Broker

SIZE = 200


def make_producer(broker: Broker, **settings: Any) -> Producer:
    given = {key.replace("_", "."): value for key, value in settings.items()}
    base = {"bootstrap.servers": broker.address, "enable.idempotence": True, "linger.ms": 10}
    base["log_level"] = 3
    producer = Producer({**base, "queue.buffering.max.messages": 1_000_000, **given})
    producer.list_topics(timeout=10)
    return producer


def produce(broker: Broker, topic: str, count: int, size: int = SIZE, **settings: Any) -> float:
    """Messages a second, all acknowledged."""
    producer = make_producer(broker, **settings)
    value = os.urandom(size)
    started = time.perf_counter()
    for number in range(count):
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.01)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(600) == 0
    return count / (time.perf_counter() - started)


def reader(broker: Broker, topic: str, partitions: int, **settings: Any) -> Consumer:
    given = {key.replace("_", "."): value for key, value in settings.items()}
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": f"bench-{time.monotonic_ns()}",
            "enable.auto.commit": False,
            "queued.min.messages": 1_000_000,
            "fetch.queue.backoff.ms": 10,
            **given,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    return consumer


def consume(broker: Broker, topic: str, count: int, partitions: int) -> float:
    """Messages a second, from the first that comes to the last."""
    consumer = reader(broker, topic, partitions)
    first: list[Message] = consumer.consume(1, 30)
    started = time.perf_counter()
    left = count - len(first)
    while left > 0:
        batch = consumer.consume(min(left, 10_000), 10)
        assert batch, f"{left} messages did not come"
        left -= len(batch)
    seconds = time.perf_counter() - started
    consumer.close()
    return count / seconds


def one_by_one(broker: Broker, topic: str, count: int) -> tuple[float, float]:
    """Milliseconds from produce to consume (p50, p99), one message in flight."""
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 0, "acks": "all"})
    consumer = reader(broker, topic, 1)
    times = []
    for number in range(count + 50):
        value = b"%0*d" % (SIZE, number)
        started = time.perf_counter()
        producer.produce(topic, value, partition=0)
        producer.poll(0)
        while not (found := consumer.consume(1, 5)):
            pass
        assert found[0].value() == value
        times.append((time.perf_counter() - started) * 1000)
        producer.poll(0)
    producer.flush(10)
    consumer.close()
    cuts = statistics.quantiles(times[50:], n=100)
    return cuts[49], cuts[98]


def cpu_in_and_out(broker: Broker, topic: str, partitions: int, seconds: float) -> float:
    """Percent of a core that the broker takes for 100,000 messages a second in and out.

    By the messages, not by the time: on a busy machine the clients may not come to that rate.
    """
    rate = 100_000
    total = int(rate * seconds)
    producer = make_producer(broker)
    consumer = reader(broker, topic, partitions)
    received = 0

    def receive() -> None:
        nonlocal received
        while received < total:
            received += len(consumer.consume(10_000, 0.5))

    receiving = threading.Thread(target=receive)
    receiving.start()
    value = os.urandom(SIZE)
    cpu, started = broker.cpu_seconds(), time.perf_counter()
    for number in range(total):
        if number % 500 == 0:
            producer.poll(0)
            time.sleep(max(0.0, started + number / rate - time.perf_counter()))
        producer.produce(topic, value)
    assert producer.flush(60) == 0
    receiving.join()
    elapsed = time.perf_counter() - started
    used = broker.cpu_seconds() - cpu
    consumer.close()
    if elapsed > seconds * 1.1:
        print(f"(the clients came to {total / elapsed:,.0f} messages a second, not to {rate:,})")
    return used / total * rate * 100


class _Silent:
    def granted(self, partitions: Any) -> None:
        pass

    def revoked(self, partitions: Any) -> None:
        pass


def waiting_defaults(broker: Broker, topic: str) -> Callable[[], None]:
    """200 clients as they are by default, on one idle topic; gives what ends them."""
    consumers = [
        Consumer({"bootstrap.servers": broker.address, "group.id": f"waiting-{number}"})
        for number in range(200)
    ]
    for one in consumers:
        one.subscribe([topic])
    _until(lambda: all(_polled(one) for one in consumers))
    return lambda: _close_all(consumers)


def _polled(consumer: Consumer) -> bool:
    consumer.poll(0)
    return bool(consumer.assignment())


def waiting_port(broker: Broker, topic: str) -> Callable[[], None]:
    """200 consumers of ours, each a group of its own."""
    consumers = [
        PortConsumer(broker.address, topic, Membership(f"port-{number}", f"m{number}"), _Silent())
        for number in range(200)
    ]

    def are_members() -> bool:
        for one in consumers:
            one.read(1, 0)
        return all(one.is_member for one in consumers)

    _until(are_members)
    for one in consumers:
        one.start({(topic, 0): None})
    return lambda: _close_all(consumers)


def _close_all(consumers: list[Any]) -> None:
    closing = [threading.Thread(target=one.close) for one in consumers]
    for one in closing:
        one.start()
    for one in closing:
        one.join()


def groups_joining(broker: Broker, topic: str) -> float:
    """Seconds until 10 groups of 4 members, who come at once, have all partitions of 8."""
    started = time.perf_counter()
    groups = [
        [
            Consumer({"bootstrap.servers": broker.address, "group.id": f"joining-{number}"})
            for _ in range(4)
        ]
        for number in range(10)
    ]
    for one in (member for group in groups for member in group):
        one.subscribe([topic])

    def are_stable() -> bool:
        for one in (member for group in groups for member in group):
            one.poll(0)
        return all([len(one.assignment()) for one in group] == [2] * 4 for group in groups)

    _until(are_stable)
    seconds = time.perf_counter() - started
    _close_all([member for group in groups for member in group])
    return seconds


def _until(condition: Callable[[], bool], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)
