"""aiokafka and kcat against the broker."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
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

from tests.log.broker.other_clients import one_of_two_is_killed
from tests.log.broker.running import RunningBroker

COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"]

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
    described = await admin.describe_topics(["t"])
    assert [len(one["partitions"]) for one in described] == [2]
    for compression in COMPRESSIONS:
        producer = AIOKafkaProducer(
            bootstrap_servers=address,
            enable_idempotence=True,
            compression_type=None if compression == "none" else compression,
        )
        await producer.start()
        for number in range(100):
            await producer.send("t", str(number).encode(), partition=number % 2)
        await producer.stop()
    count = 100 * len(COMPRESSIONS)
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
    async with asyncio.timeout(60):
        while len(found) < count:
            for consumer in consumers:
                batches = await consumer.getmany(timeout_ms=50)
                found += [one for batch in batches.values() for one in batch]
        assert [len(consumer.assignment()) for consumer in consumers] == [1, 1]
        for consumer in consumers:
            await consumer.commit()
    assert sorted(int(one.value or b"") for one in found) == sorted(
        [*range(100)] * len(COMPRESSIONS)
    )
    await _aiokafka_seeks(consumers[0], found)
    for consumer in consumers:
        await consumer.stop()
    offsets = await admin.list_consumer_group_offsets("g")
    assert {place: meta.offset for place, meta in offsets.items()} == {
        TopicPartition("t", 0): count // 2,
        TopicPartition("t", 1): count // 2,
    }
    assert ("g", "consumer") in await admin.list_consumer_groups()
    await admin.delete_topics(["t"])
    await admin.close()


async def _aiokafka_seeks(consumer: Any, found: list[Any]) -> None:
    (place,) = consumer.assignment()
    mine = sorted((one for one in found if one.partition == place.partition), key=_offset)
    middle = mine[-60].timestamp  # in the last batches, those of zstd
    answer = await consumer.offsets_for_times({place: middle})
    first = next(one for one in mine if one.timestamp >= middle)
    # In batches that the broker cannot unpack it is the first record of the batch.
    assert first.offset - 50 < answer[place].offset <= first.offset
    consumer.seek(place, answer[place].offset)
    again = await consumer.getone(place)
    assert again.offset == answer[place].offset


def _offset(record: Any) -> int:
    return int(record.offset)


def test_aiokafka_follows_a_member_that_is_killed(broker: RunningBroker, tmp_path: Path) -> None:
    member = str(Path(__file__).parent / "aiokafka_member.py")
    one_of_two_is_killed(broker, [sys.executable, member, broker.address], tmp_path)


def _kcat(broker: RunningBroker, *arguments: str, given: str = "") -> str:
    command = ["kcat", "-b", broker.address, *arguments]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=60, check=True
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
def test_kcat_packs_with_every_codec_and_finds_a_time(broker: RunningBroker) -> None:
    broker.create_topic("t", 1)
    for codec in COMPRESSIONS:
        given = "".join(f"{codec} {number}\n" for number in range(100))
        idempotent = ["-X", "enable.idempotence=true"]
        _kcat(broker, "-P", "-t", "t", "-z", codec, *idempotent, given=given)
    read = ["-C", "-t", "t", "-e", "-q", "-o"]
    lines = _kcat(broker, *read, "beginning", "-f", "%T %s\n").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        f"{codec} {number}" for codec in COMPRESSIONS for number in range(100)
    ]
    gzip_time = lines[150].split(" ")[0]
    since = _kcat(broker, *read, f"s@{gzip_time}", "-f", "%T %s\n").splitlines()
    assert since == [line for line in lines if line.split(" ")[0] >= gzip_time]


@has_kcat
def test_kcat_follows_a_member_that_is_killed(broker: RunningBroker, tmp_path: Path) -> None:
    command = ["kcat", "-b", broker.address, "-G", "pair", "-q", "-u"]
    settings = ["-X", "session.timeout.ms=6000", "-X", "auto.offset.reset=earliest", "pair"]
    one_of_two_is_killed(broker, [*command, *settings], tmp_path)
