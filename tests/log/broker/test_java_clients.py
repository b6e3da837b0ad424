"""Kafka's Java client 4.1 and the command-line tools that come with it, against the broker."""

import json
import re
from pathlib import Path

import pytest

from tests.log import java
from tests.log.broker.other_clients import one_of_two_is_killed
from tests.log.broker.running import RunningBroker

pytestmark = [java.needs_java, pytest.mark.timeout(400)]

COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"]
HOUR_MS = 3_600_000


class Tools:
    """The tools by their classes, on one broker."""

    def __init__(self, broker: RunningBroker) -> None:
        self._broker = broker

    def __call__(self, tool: str, *arguments: str, given: str = "") -> str:
        name = tool if tool.startswith("kafka.") else f"org.apache.kafka.tools.{tool}"
        address = ["--bootstrap-server", self._broker.address]
        return java.run(name, *address, *arguments, given=given)

    def topic(self, *arguments: str) -> str:
        return self("TopicCommand", *arguments)

    def group(self, *arguments: str) -> str:
        return self("consumer.group.ConsumerGroupCommand", *arguments)

    def config(self, *arguments: str) -> str:
        return self("kafka.admin.ConfigCommand", *arguments)


@pytest.fixture
def tools(broker: RunningBroker) -> Tools:
    return Tools(broker)


def test_topics_are_made_described_changed_and_deleted(tools: Tools) -> None:
    made = ["--create", "--topic", "t", "--partitions", "2", "--config", "retention.ms=60000"]
    assert "Created topic t." in tools.topic(*made)
    assert tools.topic("--list").split() == ["t"]
    described = tools.topic("--describe", "--topic", "t")
    assert re.search(r"TopicId: \S{22}\tPartitionCount: 2\tReplicationFactor: 1", described)
    assert "retention.ms=60000" in described
    assert described.count("Leader: 0") == 2
    of_topic = ["--entity-type", "topics", "--entity-name", "t"]
    tools.config("--alter", *of_topic, "--add-config", "retention.ms=70000,max.message.bytes=5000")
    tools.config("--alter", *of_topic, "--delete-config", "max.message.bytes")
    assert "retention.ms=70000 " in (said := tools.config("--describe", *of_topic))
    assert "max.message.bytes" not in said
    assert "max.message.bytes=1048576" in tools.config("--describe", *of_topic, "--all")
    tools.topic("--alter", "--topic", "t", "--partitions", "4")
    assert "PartitionCount: 4" in tools.topic("--describe", "--topic", "t")
    tools.topic("--delete", "--topic", "t")
    assert tools.topic("--list").split() == []


def test_what_is_written_with_every_codec_is_read(tools: Tools, broker: RunningBroker) -> None:
    broker.create_topic("t", 1)
    for codec in COMPRESSIONS:
        given = "".join(f"k{number}\t{codec} {number}\n" for number in range(100))
        keys = ["--property", "parse.key=true", "--compression-codec", codec]
        tools("ConsoleProducer", "--topic", "t", *keys, given=given)
    expected = [f"{codec} {number}" for codec in COMPRESSIONS for number in range(100)]
    reading = ["--topic", "t", "--group", "g", "--from-beginning", "--timeout-ms", "60000"]
    read = tools("consumer.ConsoleConsumer", *reading, "--max-messages", "500")
    assert read.splitlines() == expected
    found = [(one.value() or b"").decode() for one in broker.read_all("t", 500)]
    assert found == expected
    assert tools("GetOffsetShell", "--topic", "t").split() == ["t:0:500"]
    assert tools("GetOffsetShell", "--topic", "t", "--time", "earliest").split() == ["t:0:0"]
    assert tools("GetOffsetShell", "--topic", "t", "--time", "max-timestamp").split()[0] in {
        f"t:0:{offset}" for offset in range(400, 500)
    }


def test_groups_are_described_reset_and_deleted(tools: Tools, broker: RunningBroker) -> None:
    broker.create_topic("t", 1)
    broker.produce("t", [str(number) for number in range(100)])
    reading = ["--topic", "t", "--group", "g", "--from-beginning", "--timeout-ms", "60000"]
    tools("consumer.ConsoleConsumer", *reading, "--max-messages", "40")
    assert tools.group("--list").split() == ["g"]
    assert re.search(r"g\s+t\s+0\s+40\s+100\s+60", tools.group("--describe", "--group", "g"))
    state = tools.group("--describe", "--group", "g", "--state")
    assert re.search(r"Empty\s+0", state)
    reset = ["--reset-offsets", "--group", "g", "--topic", "t", "--execute"]
    assert re.search(r"g\s+t\s+0\s+0", tools.group(*reset, "--by-duration", "PT1H"))
    assert re.search(r"g\s+t\s+0\s+100", tools.group(*reset, "--to-latest"))
    assert re.search(r"g\s+t\s+0\s+7", tools.group(*reset, "--to-offset", "7"))
    assert "Successful" in tools.group("--delete-offsets", "--group", "g", "--topic", "t")
    assert "successful" in tools.group(*reset[1:3], "--delete")
    assert tools.group("--list").split() == []


def test_one_of_two_is_killed(broker: RunningBroker, tmp_path: Path) -> None:
    reading = ["--topic", "pair", "--group", "pair", "--bootstrap-server", broker.address]
    session = ["--consumer-property", "session.timeout.ms=6000"]
    earliest = ["--consumer-property", "auto.offset.reset=earliest"]
    consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
    one_of_two_is_killed(broker, java.command(consumer, *reading, *session, *earliest), tmp_path)


def test_the_verifiable_clients_and_the_benchmarks_run(tools: Tools, broker: RunningBroker) -> None:
    """The idempotent producer, and the consumer that checks the order of what it reads."""
    broker.create_topic("t", 2)
    said = tools("VerifiableProducer", "--topic", "t", "--max-messages", "1000")
    assert json.loads(said.splitlines()[-1])["acked"] == 1000
    reading = ["--topic", "t", "--group-id", "v", "--max-messages", "1000"]
    said = tools("VerifiableConsumer", *reading, "--reset-policy", "earliest")
    events = [json.loads(line) for line in said.splitlines()]
    assert sum(one["count"] for one in events if one["name"] == "records_consumed") == 1000
    assert all(one["success"] for one in events if one["name"] == "offsets_committed")
    size = ["--num-records", "20000", "--record-size", "100", "--throughput", "-1"]
    name = "org.apache.kafka.tools.ProducerPerformance"
    properties = [f"bootstrap.servers={broker.address}", "compression.type=zstd"]
    said = java.run(name, "--topic", "t", *size, "--producer-props", *properties)
    assert "20000 records sent" in said
    assert sum(int(line.split(":")[2]) for line in tools("GetOffsetShell").split()) == 21_000
