"""A topic is deleted and made again under a running persister.

What was stored stays, and what the new topic has is stored as well, whatever offsets the old one
had come to. A scenario of its own, as one place in the topic is that of several records then.
"""

import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import replace

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.conftest import wait_for
from tests.faults.engines import ENGINES, Case
from tests.faults.history import History
from tests.faults.house import House
from tests.faults.judging import Expected, Verdict, judge
from tests.faults.load import Load, Written, read_back
from tests.faults.run import TOPIC_AGAIN, Plan, housed

STORED_SECONDS = 120.0
SIZES = (4000, 500, 9000, 3000)
"""Records of each life: fewer than before are behind the new end, more hide what is new."""


def run(plan: Plan, history: History) -> Verdict:
    """As many lives as there are sizes, and more until the time is over."""
    chance, began = random.Random(plan.seed), time.monotonic()
    plan = replace(plan, scenario=TOPIC_AGAIN)
    with housed(plan, history) as house:
        case = ENGINES[plan.engine](plan.seed)
        case.prepare(house)
        wait_for(lambda: case.is_running(house), 60, "the persister runs")
        load = Load(house.bootstrap, case.topic, case.sent)
        lives: list[list[Written]] = []
        while len(lives) < len(SIZES) or time.monotonic() < began + plan.seconds:
            size = SIZES[len(lives)] if len(lives) < len(SIZES) else chance.randrange(10_000)
            if lives:
                make_again(house, case.topic)
            lives.append(send(house, case, load, size))
            expected = expected_of(case, lives)
            history.say(f"{size} records are sent")
            wait_until_stored(house, case, expected)
        verdict = verdict_of(house, case, expected, lives)
    history.say(str(verdict))
    return verdict


def make_again(house: House, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": house.bootstrap, "log_level": 0})
    partitions = len(client.list_topics(topic, timeout=30).topics[topic].partitions)
    client.delete_topics([topic], operation_timeout=30)[topic].result(60)

    def is_made() -> bool:
        with contextlib.suppress(KafkaException):
            new = NewTopic(topic, partitions, 1)
            client.create_topics([new], operation_timeout=30)[topic].result(60)
            return True
        return False

    wait_for(is_made, 60, f"{topic} is made again")
    house.history.say(f"{topic} is deleted and made again")


def send(house: House, case: Case, load: Load, count: int) -> list[Written]:
    """Answers all that the topic has then."""
    wanted = load.next + count
    load.burst(count)
    load.start(0)
    wait_for(lambda: load.next >= wanted or load.crash, 60, "all are sent")
    load.stop()
    return read_back(house.bootstrap, case.topic)


def expected_of(case: Case, lives: Sequence[Sequence[Written]]) -> Expected:
    """The first of each name in the first life that has it; dead letters by their numbers."""
    expected = Expected()
    for life, written in enumerate(lives):
        found = case.expected(written)
        for name, one in found.rows.items():
            if expected.rows.setdefault(name, one) is not one:
                expected.copies += 1
        expected.letters |= {(life, one.number): one for one in found.letters.values()}
        expected.copies += found.copies
    return expected


def wait_until_stored(house: House, case: Case, expected: Expected) -> None:
    """Or until it is clear that they never are; the verdict says then what is not."""

    def is_stored() -> bool:
        there = len(case.rows(house)), len(case.letters(house))
        return there >= (len(expected.rows), len(expected.letters))

    with contextlib.suppress(AssertionError):
        wait_for(is_stored, STORED_SECONDS, "all are stored")


def verdict_of(
    house: House, case: Case, expected: Expected, lives: Sequence[Sequence[Written]]
) -> Verdict:
    """Of all lives; the order of writing is not compared, as offsets begin anew."""
    life_of = {one.number: life for life, written in enumerate(lives) for one in written}
    rows = [replace(row, written=None) for row in case.rows(house)]
    letters = [
        replace(letter, place=(life_of.get(letter.number or 0, -1), letter.number or 0), written=0)
        for letter in case.letters(house)
    ]
    everything = [one for written in lives for one in written]
    return judge({}, everything, expected, rows, letters)
