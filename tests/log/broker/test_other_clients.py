"""aiokafka and kcat against the broker."""

import asyncio
import os
import shutil
import subprocess
from typing import Any

import pytest
from aiokafka import (  # type: ignore[import-untyped]
    AIOKafkaConsumer,
    AIOKafkaProducer,
    TopicPartition,
)
from aiokafka.admin import (  # type: ignore[import-untyped]
    AIOKafkaAdminClient,
    NewTopic,
)

from tests.log.broker.running import RunningBroker

has_kcat = pytest.mark.skipif(
    shutil.which("kcat") is None and "CI" not in os.environ, reason="kcat is not installed"
)


def test_aiokafka_produces_and_consumes_in_a_group(broker: RunningBroker) -> None:
    asyncio.run(_aiokafka(broker.address))


async def _aiokafka(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("t", 2, 1)])
    assert await admin.list_topics() == ["t"]
    for compression in (None, "gzip"):
        producer = AIOKafkaProducer(
            bootstrap_servers=address, enable_idempotence=True, compression_type=compression
        )
        await producer.start()
        for number in range(100):
            await producer.send("t", str(number).encode(), partition=number % 2)
        await producer.stop()
    consumers = [
        AIOKafkaConsumer(
            "t",
            bootstrap_servers=address,
            group_id="g",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            heartbeat_interval_ms=100,
        )
        for _ in range(2)
    ]
    await asyncio.gather(*(consumer.start() for consumer in consumers))
    found: list[Any] = []
    async with asyncio.timeout(20):
        while len(found) < 200:
            for consumer in consumers:
                batches = await consumer.getmany(timeout_ms=50)
                found += [one for batch in batches.values() for one in batch]
        assert [len(consumer.assignment()) for consumer in consumers] == [1, 1]
        for consumer in consumers:
            await consumer.commit()
            await consumer.stop()
    assert sorted(int(one.value or b"") for one in found) == sorted([*range(100)] * 2)
    offsets = await admin.list_consumer_group_offsets("g")
    assert {place: meta.offset for place, meta in offsets.items()} == {
        TopicPartition("t", 0): 100,
        TopicPartition("t", 1): 100,
    }
    await admin.close()


def _kcat(broker: RunningBroker, *arguments: str, given: str = "") -> str:
    command = ["kcat", "-b", broker.address, *arguments]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout


@has_kcat
def test_kcat_lists_produces_and_consumes(broker: RunningBroker) -> None:
    broker.create_topic("t", 2)
    _kcat(broker, "-P", "-t", "t", "-p", "1", given="one\ntwo\nthree\n")
    assert 'topic "t" with 2 partitions' in _kcat(broker, "-L")
    read = ["-C", "-t", "t", "-o", "beginning", "-e", "-q"]
    assert _kcat(broker, *read) == "one\ntwo\nthree\n"
    assert _kcat(broker, *read, "-f", "%p %o %s|") == "1 0 one|1 1 two|1 2 three|"
    assert _kcat(broker, "-Q", "-t", "t:1:-1").split() == ["t", "[1]", "offset", "3"]


@has_kcat
def test_kcat_consumes_in_a_group(broker: RunningBroker) -> None:
    broker.create_topic("t", 1)
    _kcat(broker, "-P", "-t", "t", given="one\ntwo\n")
    group = ["-G", "g", "-X", "auto.offset.reset=earliest", "-e", "-q", "t"]
    assert _kcat(broker, *group) == "one\ntwo\n"
