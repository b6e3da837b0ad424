"""Where a log that has lost its end parts from what was read of it.

Brokers know at which offset each leader epoch ended. A client that hears of a topic for the first
time compares that with a position that has an epoch; where it may begin anywhere, it goes to where
the two part.
"""

import time
from collections.abc import Mapping

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from grnry.log.cluster import Cluster, Conf
from grnry.log.outsider import outsider
from grnry.log.records import LogAway, Partition, Position

WAIT_SECONDS = 0.2

# One record of each is enough, and who is at the end need not wait for more.
_BRIEF: Conf = {
    "queued.min.messages": 1000,
    "max.partition.fetch.bytes": 16 * 1024,
    "fetch.wait.max.ms": 10,
    "fetch.error.backoff.ms": 20,
    "fetch.queue.backoff.ms": 10,
}


def place_of(partition: Partition, position: Position | None) -> TopicPartition:
    """As the library wants it, which then looks whether the log still has what comes before."""
    if position is None:
        return TopicPartition(*partition, 0)
    epoch = -1 if position.leader_epoch is None else position.leader_epoch
    return TopicPartition(*partition, position.offset, leader_epoch=epoch)


def divergences(
    cluster: Cluster, read: Mapping[Partition, Position], seconds: float
) -> dict[Partition, int]:
    """Up to which offset the log still has what was read; without those unknown after that time.

    Where the log knows no epoch as old as the one that was read, it is where the log begins. By a
    client of the moment. Raises LogAway where no broker answers.
    """
    client = outsider(cluster, "grnry-divergence", _BRIEF)
    try:
        client.assign([place_of(partition, position) for partition, position in read.items()])
        return _first_offsets(client, read, time.monotonic() + seconds)
    except KafkaException as error:
        raise LogAway(str(error.args[0].str())) from error
    finally:
        client.close()


def _first_offsets(
    client: Client, read: Mapping[Partition, Position], until: float
) -> dict[Partition, int]:
    found: dict[Partition, int] = {}
    while len(found) < len(read) and time.monotonic() < until:
        for message in client.consume(len(read), WAIT_SECONDS):
            partition = (str(message.topic()), int(message.partition() or 0))
            if partition in read and _is_there(message):
                # Never behind what was read: records that nobody may see can lie in between.
                there = min(int(message.offset() or 0), read[partition].offset)
                found.setdefault(partition, there)
                client.pause([TopicPartition(*partition)])
    return found


def _is_there(message: Message) -> bool:
    """A record, or the end of the log."""
    error = message.error()
    return error is None or error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its own name
