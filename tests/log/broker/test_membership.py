"""A group whose members come and go, die and freeze: a partition has one owner at a time.

By hand: GRNRY_FAULT_SECONDS=300 GRNRY_FAULT_SEED=1 ./check tests/log/broker/test_membership.py
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Message, TopicPartition

from tests.log.broker.ledger import SECONDS, SEED
from tests.log.broker.running import RunningBroker, wait_until

PARTITIONS = 6
# A member holds a lock for each partition that it owns. The kernel lets it go when the member dies,
# and a second owner can't take it.
MEMBER = """
import fcntl, os, signal, sys
from confluent_kafka import Consumer

address, strategy, folder = sys.argv[1:]
held, over = {}, []

def take(partitions):
    for one in partitions:
        fd = os.open(f"{folder}/{one.partition}", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with open(f"{folder}/violations", "a") as file:
                file.write(f"{one.partition}\\n")
        held[one.partition] = fd

def leave(partitions):
    for one in partitions:
        os.close(held.pop(one.partition))

def granted(consumer, partitions):
    take(partitions)
    change = consumer.incremental_assign if strategy == "cooperative-sticky" else consumer.assign
    change(partitions)

def revoked(consumer, partitions):
    leave(partitions)
    if strategy == "cooperative-sticky":
        consumer.incremental_unassign(partitions)
    else:
        consumer.unassign()

signal.signal(signal.SIGTERM, lambda *_: over.append(True))
consumer = Consumer({
    "bootstrap.servers": address, "group.id": "g", "session.timeout.ms": 4000,
    "heartbeat.interval.ms": 100, "partition.assignment.strategy": strategy, "log_level": 0,
})
consumer.subscribe(["t"], on_assign=granted, on_revoke=revoked, on_lost=revoked)
while not over:
    consumer.poll(0.05)
consumer.close()
"""


class Member:
    def __init__(self, broker: RunningBroker, strategy: str, folder: Path) -> None:
        command = [sys.executable, "-c", MEMBER, broker.address, strategy, str(folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        _out, err = self.process.communicate(timeout=60)
        assert "Traceback" not in err, err


def _owned(folder: Path) -> int:
    """How many partitions have an owner, as the kernel lists locks: to try one might disturb."""
    lines = Path("/proc/locks").read_text().splitlines()
    held = {int(line.split()[5].rpartition(":")[2]) for line in lines if " FLOCK " in line}
    return sum(one.stat().st_ino in held for one in folder.iterdir())


@pytest.mark.timeout(120 + 2 * SECONDS)
@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_members_that_come_and_go(
    broker: RunningBroker, tmp_path: Path, strategy: str, seed: int
) -> None:
    chance = random.Random(seed)
    folder = tmp_path / "owners"
    folder.mkdir()
    broker.create_topic("t", PARTITIONS)
    members = [Member(broker, strategy, folder) for _ in range(2)]
    violations = folder / "violations"
    until = time.monotonic() + SECONDS
    comings = goings = deaths = 0
    try:
        while time.monotonic() < until or not (comings and goings and deaths):
            what = chance.choice(["come", "go", "die"])
            if what == "come" and len(members) < 5:
                members.append(Member(broker, strategy, folder))
                comings += 1
            elif what == "go" and len(members) > 1:
                members.pop(chance.randrange(len(members))).end(signal.SIGTERM)
                goings += 1
            elif what == "die" and len(members) > 1:
                members.pop(chance.randrange(len(members))).end(signal.SIGKILL)
                deaths += 1
            pause = time.monotonic() + chance.random()
            wait_until(lambda: time.monotonic() > pause)  # noqa: B023
        wait_until(lambda: _is_settled(broker, len(members)))
        wait_until(lambda: _owned(folder) == PARTITIONS)  # members hear of it a little later
    finally:
        for member in members:
            member.end(signal.SIGTERM)
    assert not violations.exists(), violations.read_text()


def _is_settled(broker: RunningBroker, members: int) -> bool:
    described = broker.admin.describe_consumer_groups(["g"])["g"].result(10)
    assigned = [len(one.assignment.topic_partitions) for one in described.members]
    return (
        described.state.name == "STABLE"
        and len(assigned) == members
        and sum(assigned) == PARTITIONS
    )


FROZEN = """
import sys
from confluent_kafka import Consumer, KafkaException, TopicPartition

address, instance = sys.argv[1:]
settings = {
    "bootstrap.servers": address, "group.id": "g", "session.timeout.ms": 1500,
    "heartbeat.interval.ms": 100, "auto.offset.reset": "earliest", "enable.auto.commit": False,
    "log_level": 0,
}
consumer = Consumer({**settings, **({"group.instance.id": instance} if instance else {})})
consumer.subscribe(["t"])
while not consumer.consume(10, 0.1):
    pass
print("has read", flush=True)
sys.stdin.readline()
try:
    done = consumer.commit(offsets=[TopicPartition("t", 0, 10)], asynchronous=False)
    print(done[0].error.name() if done[0].error else "committed", flush=True)
except KafkaException as error:
    print(error.args[0].name(), flush=True)
"""
REFUSALS = {
    "UNKNOWN_MEMBER_ID",
    "ILLEGAL_GENERATION",
    "REBALANCE_IN_PROGRESS",
    "FENCED_INSTANCE_ID",
    "_FENCED",
    "_FATAL",
}


@pytest.mark.parametrize("instance", ["", "the-instance"])
def test_a_frozen_member_that_wakes_too_late_commits_nothing(
    broker: RunningBroker, instance: str
) -> None:
    broker.create_topic("t")
    broker.produce("t", [str(number) for number in range(20)])
    command = [sys.executable, "-c", FROZEN, broker.address, instance]
    frozen = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert frozen.stdin is not None
    assert frozen.stdout is not None
    assert frozen.stdout.readline() == "has read\n"
    frozen.send_signal(signal.SIGSTOP)
    try:
        static = {"group_instance_id": instance} if instance else {}
        heir = broker.consumer("g", heartbeat_interval_ms=100, **static)
        heir.subscribe(["t"])
        found: list[Message] = []

        def has_all() -> bool:
            found.extend(heir.consume(20, 0.1))
            return len(found) >= 20

        wait_until(has_all)
        heir.commit(offsets=[TopicPartition("t", 0, 20)], asynchronous=False)
        frozen.stdin.write("now commit\n")
        frozen.stdin.flush()  # it finds this before anything else when it wakes
    finally:
        frozen.send_signal(signal.SIGCONT)
    assert frozen.stdout.readline().strip() in REFUSALS
    frozen.kill()
    frozen.communicate()
    assert heir.committed([TopicPartition("t", 0)])[0].offset == 20
    heir.close()
