"""What librdkafka's client does with the broker: produce, read, groups, administration."""

from typing import Any

import pytest
from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.log.broker.running import RunningBroker, wait_until


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_comes_back(broker: RunningBroker, compression: str) -> None:
    broker.create_topic("t", 2)
    values = [f"value {number} " * 10 for number in range(500)]
    broker.produce("t", values, compression_type=compression, enable_idempotence=True)
    found = broker.read_all("t", 500)
    assert sorted(str(one.value() or b"", "utf-8") for one in found) == sorted(values)


def test_key_headers_and_time_are_kept(broker: RunningBroker) -> None:
    broker.create_topic("t", retention_ms="-1")
    producer = broker.producer()
    producer.produce("t", b"v", key=b"k", headers={"a": b"1", "b": None}, timestamp=1234567)
    assert producer.flush(10) == 0
    (one,) = broker.read_all("t", 1)
    assert (one.key(), one.value(), one.timestamp()) == (b"k", b"v", (1, 1234567))
    assert one.headers() == [("a", b"1"), ("b", None)]


def test_the_broker_stamps_where_the_topic_says_so(broker: RunningBroker) -> None:
    broker.create_topic("t", message_timestamp_type="LogAppendTime")
    producer = broker.producer()
    producer.produce("t", b"v", timestamp=1234567)
    assert producer.flush(10) == 0
    (one,) = broker.read_all("t", 1)
    kind, time = one.timestamp()
    assert kind == 2
    assert time > 1234567


def test_all_acks_settings_work(broker: RunningBroker) -> None:
    broker.create_topic("t")
    for acks in ("0", "1", "all"):
        broker.produce("t", [acks], acks=acks)
    assert len(broker.read_all("t", 3)) == 3


def test_an_unknown_topic_is_not_made(broker: RunningBroker) -> None:
    producer = broker.producer(message_timeout_ms=2000)
    errors: list[KafkaError | None] = []
    producer.produce("nowhere", b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert errors[0] is not None
    assert "nowhere" not in broker.admin.list_topics(timeout=5).topics


def test_a_batch_too_large_is_refused(broker: RunningBroker) -> None:
    broker.create_topic("t", max_message_bytes="1000")
    producer = broker.producer(enable_idempotence=False)
    errors: list[KafkaError | None] = []
    producer.produce("t", b"x" * 2000, on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert errors[0] is not None
    assert errors[0].code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_the_first_batch_comes_whole_whatever_the_limit(broker: RunningBroker) -> None:
    broker.create_topic("t")
    broker.produce("t", ["x" * 200_000, "y" * 200_000], batch_num_messages=1)
    consumer = broker.consumer(
        "g", fetch_message_max_bytes=1000, fetch_max_bytes=1000, message_max_bytes=1000
    )
    consumer.subscribe(["t"])
    found: list[Message] = []

    def has_both() -> bool:
        found.extend(consumer.consume(2, 0.2))
        return len(found) == 2

    wait_until(has_both)
    consumer.close()
    assert [len(one.value() or b"") for one in found] == [200_000, 200_000]


def test_two_share_a_group_and_one_takes_over_when_the_other_dies(broker: RunningBroker) -> None:
    broker.create_topic("t", 4)
    first = broker.consumer("g", session_timeout_ms=6000, heartbeat_interval_ms=100)
    second = broker.consumer("g", session_timeout_ms=6000, heartbeat_interval_ms=100)
    first.subscribe(["t"])
    second.subscribe(["t"])

    def owned(expected: tuple[int, int]) -> bool:
        first.poll(0.05)
        second.poll(0.05)
        return (len(first.assignment()), len(second.assignment())) == expected

    wait_until(lambda: owned((2, 2)))
    described = broker.admin.describe_consumer_groups(["g"])["g"].result(5)
    assert described.state == ConsumerGroupState.STABLE
    assert [len(one.assignment.topic_partitions) for one in described.members] == [2, 2]
    second.close()
    wait_until(lambda: first.poll(0.05) is None and len(first.assignment()) == 4)
    first.close()


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_partitions_move_between_members(broker: RunningBroker, strategy: str) -> None:
    broker.create_topic("t", 6)
    settings: dict[str, Any] = {
        "partition_assignment_strategy": strategy,
        "heartbeat_interval_ms": 100,
        "session_timeout_ms": 2000,
    }
    members = [broker.consumer("g", **settings)]
    members[0].subscribe(["t"])

    def shares() -> list[int]:
        for member in members:
            member.poll(0.02)
        return [len(member.assignment()) for member in members]

    wait_until(lambda: shares() == [6])
    members += [broker.consumer("g", **settings) for _ in range(2)]
    members[1].subscribe(["t"])
    members[2].subscribe(["t"])
    wait_until(lambda: shares() == [2, 2, 2])
    members.pop().close()
    wait_until(lambda: shares() == [3, 3])
    for member in members:
        member.close()


def test_a_static_member_comes_back_to_its_partitions(broker: RunningBroker) -> None:
    broker.create_topic("t", 2)
    settings = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 100}
    first = broker.consumer("g", group_instance_id="one", **settings)
    second = broker.consumer("g", group_instance_id="two", **settings)
    first.subscribe(["t"])
    second.subscribe(["t"])

    def shares() -> list[int]:
        first.poll(0.05)
        second.poll(0.05)
        return [len(first.assignment()), len(second.assignment())]

    wait_until(lambda: shares() == [1, 1])
    generation = _generation(broker)
    mine = second.assignment()
    second.close()  # a static member does not leave
    second = broker.consumer("g", group_instance_id="two", **settings)
    second.subscribe(["t"])
    wait_until(lambda: shares() == [1, 1])
    assert second.assignment() == mine
    assert _generation(broker) == generation
    first.close()
    second.close()


def _generation(broker: RunningBroker) -> list[str]:
    described = broker.admin.describe_consumer_groups(["g"])["g"].result(5)
    return sorted(str(one.group_instance_id) for one in described.members)


def test_offsets_by_time(broker: RunningBroker) -> None:
    broker.create_topic("t", retention_ms="-1")
    producer = broker.producer(enable_idempotence=False, compression_type="none")
    for number in range(100):
        producer.produce("t", str(number), timestamp=10_000 + number * 10)
        if number % 7 == 0:
            producer.flush(10)
    assert producer.flush(10) == 0
    consumer = broker.consumer("g")
    for timestamp, expected in ((0, 0), (10_000, 0), (10_005, 1), (10_500, 50), (10_990, 99)):
        (found,) = consumer.offsets_for_times([TopicPartition("t", 0, timestamp)], 5)
        assert found.offset == expected
    (found,) = consumer.offsets_for_times([TopicPartition("t", 0, 20_000)], 5)
    assert found.offset == -1
    assert consumer.get_watermark_offsets(TopicPartition("t", 0), 5) == (0, 100)
    consumer.close()


# Administration


def _error_code(future: Any) -> int:
    with pytest.raises(KafkaException) as caught:
        future.result(10)
    code: int = caught.value.args[0].code()
    return code


def test_topics_are_made_listed_and_deleted(broker: RunningBroker) -> None:
    broker.create_topic("t", 3)
    topics = broker.admin.list_topics(timeout=5).topics
    assert sorted(topics["t"].partitions) == [0, 1, 2]
    assert _error_code(broker.admin.create_topics([NewTopic("t", 1, 1)])["t"]) == 36
    assert _error_code(broker.admin.create_topics([NewTopic("a/b", 1, 1)])["a/b"]) == 17
    assert _error_code(broker.admin.create_topics([NewTopic("n", 0, 1)])["n"]) == 37
    broker.produce("t", ["x"])
    broker.admin.delete_topics(["t"])["t"].result(5)
    assert "t" not in broker.admin.list_topics(timeout=5).topics
    assert _error_code(broker.admin.delete_topics(["t"])["t"]) == 3
    broker.create_topic("t", 1)
    assert len(broker.read_all("t", 0)) == 0


def test_topic_ids_differ_for_topics_of_one_name(broker: RunningBroker) -> None:
    from confluent_kafka import TopicCollection

    def topic_id() -> str:
        described = broker.admin.describe_topics(TopicCollection(["t"]))["t"].result(5)
        return str(described.topic_id)

    broker.create_topic("t")
    first = topic_id()
    broker.stop()
    broker.start()
    assert topic_id() == first
    broker.admin.delete_topics(["t"])["t"].result(5)
    broker.create_topic("t")
    assert topic_id() != first


def test_settings_that_are_not_there_are_refused(broker: RunningBroker) -> None:
    topic = NewTopic("t", 1, 1, config={"cleanup.policy": "shred"})
    assert _error_code(broker.admin.create_topics([topic])["t"]) == 40
    unknown = NewTopic("t", 1, 1, config={"no.such.setting": "1"})
    assert _error_code(broker.admin.create_topics([unknown])["t"]) == 40


def test_partitions_are_added(broker: RunningBroker) -> None:
    broker.create_topic("t", 1)
    broker.admin.create_partitions([NewPartitions("t", 3)])["t"].result(5)
    assert len(broker.admin.list_topics(timeout=5).topics["t"].partitions) == 3
    assert _error_code(broker.admin.create_partitions([NewPartitions("t", 2)])["t"]) == 37


def test_settings_are_described_and_changed(broker: RunningBroker) -> None:
    broker.create_topic("t", retention_ms="60000")
    resource = ConfigResource(ResourceType.TOPIC, "t")

    def described() -> dict[str, str]:
        entries = broker.admin.describe_configs([resource])[resource].result(5)
        return {name: entry.value for name, entry in entries.items()}

    assert described()["retention.ms"] == "60000"
    change = ConfigResource(
        ResourceType.TOPIC,
        "t",
        incremental_configs=[
            ConfigEntry("retention.bytes", "1000", incremental_operation=AlterConfigOpType.SET),
            ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ],
    )
    broker.admin.incremental_alter_configs([change])[change].result(5)
    broker.stop()
    broker.start()
    assert described()["retention.bytes"] == "1000"
    assert described()["retention.ms"] == "604800000"
    cluster = ConfigResource(ResourceType.BROKER, "0")
    entries = broker.admin.describe_configs([cluster])[cluster].result(5)
    assert entries["log.retention.ms"].value == "604800000"


def test_groups_are_listed_changed_and_deleted(broker: RunningBroker) -> None:
    broker.create_topic("t", 2)
    broker.produce("t", [str(n) for n in range(10)])
    consumer = broker.consumer("g")
    place = TopicPartition("t", 0, 3)
    consumer.commit(offsets=[place], asynchronous=False)
    consumer.close()
    admin = broker.admin
    listed = admin.list_consumer_groups().result(5)
    assert [(one.group_id, one.state) for one in listed.valid] == [("g", ConsumerGroupState.EMPTY)]
    change = ConsumerGroupTopicPartitions("g", [TopicPartition("t", 0, 7)])
    admin.alter_consumer_group_offsets([change])["g"].result(5)
    broker.kill()
    broker.start()
    admin = broker.admin
    ask = ConsumerGroupTopicPartitions("g")
    offsets = admin.list_consumer_group_offsets([ask])["g"].result(5)
    assert [(one.partition, one.offset) for one in offsets.topic_partitions] == [(0, 7)]
    admin.delete_consumer_groups(["g"])["g"].result(5)
    assert _error_code(admin.delete_consumer_groups(["g"])["g"]) == 69


def test_offsets_go_when_their_group_had_no_members_for_long(tmp_path: Any) -> None:
    settings = {"offsets_retention_ms": 1500, "retention_check_interval": 0.1}
    with RunningBroker(tmp_path, **settings) as broker:
        broker.create_topic("t")
        broker.produce("t", ["a"])
        member = broker.consumer("with a member")
        member.subscribe(["t"])
        (read,) = wait_until(lambda: member.consume(1, 0.1))
        member.commit(message=read, asynchronous=False)
        broker.consumer("left alone").commit(
            offsets=[TopicPartition("t", 0, 1)], asynchronous=False
        )

        def groups() -> set[str]:
            listed = broker.admin.list_consumer_groups().result(30)
            return {one.group_id for one in listed.valid}

        wait_until(lambda: groups() == {"with a member"})
        (place,) = member.committed([TopicPartition("t", 0)])
        assert place.offset == 1
        member.close()
        wait_until(lambda: not groups())
        broker.kill()
        broker.start()
        assert not groups()


def test_records_are_deleted(broker: RunningBroker) -> None:
    broker.create_topic("t")
    broker.produce("t", [str(n) for n in range(10)])
    place = TopicPartition("t", 0, 4)
    deleted = broker.admin.delete_records([place])[place].result(5)
    assert deleted.low_watermark == 4
    broker.kill()
    broker.start()
    assert [one.offset() for one in broker.read_all("t", 6)] == [4, 5, 6, 7, 8, 9]
    consumer = broker.consumer("g")
    assert consumer.get_watermark_offsets(TopicPartition("t", 0), 5) == (4, 10)
    consumer.close()


def test_the_cluster_is_described(broker: RunningBroker) -> None:
    described = broker.admin.describe_cluster().result(5)
    assert [(node.id, node.port) for node in described.nodes] == [(0, broker.port)]
    assert described.cluster_id


def test_retention_deletes_and_moves_the_start(tmp_path: Any) -> None:
    settings = {"log": {"segment_bytes": 1 << 14}, "retention_check_interval": 0.1}
    with RunningBroker(tmp_path, **settings) as broker:
        broker.create_topic("t", retention_bytes="30000")
        broker.produce("t", [f"{n:0200}" for n in range(1000)], batch_num_messages=20)
        consumer = broker.consumer("g")
        place = TopicPartition("t", 0)

        def low() -> int:
            return int(consumer.get_watermark_offsets(place, 5)[0])

        wait_until(lambda: low() > 700)
        found = broker.read_all("t", 1000 - low())
        consumer.close()
        assert [one.offset() for one in found][-1] == 999
