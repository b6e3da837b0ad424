"""A topic is deleted and made again under a running persister.

What was stored stays, and what the new topic has is stored as well, whatever offsets the old one
had come to. Now and then all of a topic is read again, which changes nothing. A scenario of its
own, as one place in the topic is that of several records then.
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
from tests.faults.judging import Place, Verdict, judge
from tests.faults.load import Load, Written, read_back
from tests.faults.run import TOPIC_AGAIN, Plan, housed

STORED_SECONDS = 120.0
SIZES = (4000, 500, 9000, 3000)
"""Records of each life: fewer than before are behind the new end, more hide what is new."""

BAD = 50
"""How many come at the end of each life that cannot be stored."""


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
            size = SIZES[len(lives)] if len(lives) < len(SIZES) else chance.randrange(BAD, 10_000)
            if lives:
                make_again(house, case.topic)
            lives.append(send(house, case, load, size))
            history.say(f"{size} records are sent")
            wait_until_stored(house, case, lives)
            if chance.random() < 0.5:
                read_again(house, case, len(lives[-1]))
                wait_until_stored(house, case, lives)
        verdict = verdict_of(house, case, lives)
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
    burst(load, count - BAD)
    case.spoil(BAD)
    burst(load, BAD)
    return read_back(house.bootstrap, case.topic)


def burst(load: Load, count: int) -> None:
    wanted = load.next + count
    load.burst(count)
    load.start(0)
    wait_for(lambda: load.next >= wanted or load.crash, 60, "all are sent")
    load.stop()


def read_again(house: House, case: Case, records: int) -> None:
    """From the beginning, as where somebody takes a persister's offsets back."""
    with house.connect() as platform:
        platform.execute(
            "update grnry.leases set next_offset = null where deployment = %s", [case.deployment]
        )
    case.restart(house, 2)
    house.history.say("all is read again")
    offsets = "select sum(next_offset) as read from grnry.leases where deployment = %s"
    wait_for(
        lambda: house.rows(offsets, [case.deployment])[0]["read"] == records,
        STORED_SECONDS,
        "all is read again",
    )


def everything(lives: Sequence[Sequence[Written]]) -> list[Written]:
    """As if each life had partitions of its own, after those of the lives before it."""
    return [
        replace(one, partition=_partition(life, one.partition))
        for life, written in enumerate(lives)
        for one in written
    ]


def _partition(life: int, partition: int) -> int:
    return life * 1000 + partition


def wait_until_stored(house: House, case: Case, lives: Sequence[Sequence[Written]]) -> None:
    """Or until it is clear that they never are; the verdict says then what is not."""
    try:
        wait_for(lambda: verdict_of(house, case, lives).is_good, STORED_SECONDS, "all are stored")
    except AssertionError:
        for line in verdict_of(house, case, lives).details():
            house.history.say(f"  {line}")


def verdict_of(house: House, case: Case, lives: Sequence[Sequence[Written]]) -> Verdict:
    """Of all lives; the order of writing is not compared, as offsets begin anew."""
    life_of = {one.number: life for life, written in enumerate(lives) for one in written}

    def place(number: int | None, found: Place) -> Place:
        return (_partition(life_of.get(number or 0, -1), found[0]), found[1])

    rows = [
        replace(row, written=None, place=row.place and place(row.number, row.place))
        for row in case.rows(house)
    ]
    letters = [
        replace(letter, written=0, place=place(letter.number, letter.place))
        for letter in case.letters(house)
    ]
    written = everything(lives)
    expected = case.expected(written, letters)
    # What is stored until a topic is known to be new stays, also where it comes before the first.
    numbers = {row.number for row in rows}
    for name, others in expected.others.items():
        life = life_of[expected.rows[name].number]
        for other in others:
            if other.number in numbers and life_of[other.number] == life:
                expected.rows[name] = other
    # What is read a second time ends events once more, also those that come after their deletion.
    expected.may_end |= expected.named_before
    return judge({}, written, expected, rows, letters)
