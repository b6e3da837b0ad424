"""What is asked of every client: a group of two, of which one is killed."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import KafkaException

from tests.log.broker.running import RunningBroker, wait_until


@contextmanager
def running(command: list[str], output: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A consumer in a process of its own, that writes to a file and is ended at last."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def spread(broker: RunningBroker, values: list[str]) -> None:
    """Write them in turn into the four partitions of the topic "pair"."""
    producer = broker.producer(enable_idempotence=False)
    for number, value in enumerate(values):
        producer.produce("pair", value, partition=number % 4)
    assert producer.flush(20) == 0


def shares(broker: RunningBroker) -> list[int]:
    """How many partitions each member of the group "pair" has."""
    try:
        group = broker.admin.describe_consumer_groups(["pair"])["pair"].result(10)
    except KafkaException:
        return []
    members = [one.assignment for one in group.members]
    return sorted(len(one.topic_partitions) if one else 0 for one in members)


def one_of_two_is_killed(
    broker: RunningBroker,
    command: list[str],
    folder: Path,
    values: Callable[[str], list[str]] = str.split,
) -> None:
    """Two run the command, which reads the topic "pair" in the group "pair" and prints values.

    Together they read everything; after `kill -9` of one the other reads what comes.
    """
    broker.create_topic("pair", 4)
    outputs = [folder / "first", folder / "second"]

    def found(index: int) -> list[str]:
        return values(outputs[index].read_text())

    with ExitStack() as stack:
        first, _second = [stack.enter_context(running(command, one)) for one in outputs]
        wait_until(lambda: shares(broker) == [2, 2], 60)
        expected = [f"{number}" for number in range(200)]
        spread(broker, expected)
        wait_until(lambda: len(found(0) + found(1)) >= 200, 60)
        assert sorted(found(0) + found(1)) == sorted(expected)
        assert len(found(0)) == 100
        first.send_signal(signal.SIGKILL)
        first.wait()
        wait_until(lambda: shares(broker) == [4], 60)
        more = [f"{number}" for number in range(200, 300)]
        spread(broker, more)
        wait_until(lambda: set(more) <= set(found(1)), 60)
