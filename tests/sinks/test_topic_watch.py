"""A topic that is made again is noticed, and brokers that are away are not."""

import threading

import pytest

from grnry.log.records import LogAway
from grnry.sinks import topic_watch
from grnry.sinks.topic_watch import TopicMadeAgain, TopicWatch

NEVER = threading.Event()


class Topic:
    """What the log says of it, and how often it was asked."""

    def __init__(self) -> None:
        self.answers: str | LogAway | None = "one"
        self.asked = 0

    def __call__(self) -> str | None:
        self.asked += 1
        if isinstance(self.answers, LogAway):
            raise self.answers
        return self.answers


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def watch(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> TopicWatch:
    monkeypatch.setattr(topic_watch, "BUSY_SECONDS", 0)
    return TopicWatch(topic)


def test_another_topic_is_noticed_after_something_was_stored(
    topic: Topic, watch: TopicWatch
) -> None:
    assert watch.begin(NEVER) == "one"
    topic.answers = "two"
    watch.expect_the_same()
    assert topic.asked == 1
    watch.stored()
    with pytest.raises(TopicMadeAgain):
        watch.expect_the_same()


def test_another_topic_is_noticed_when_further_partitions_are_taken(
    topic: Topic, watch: TopicWatch
) -> None:
    watch.begin(NEVER)
    topic.answers = "two"
    with pytest.raises(TopicMadeAgain):
        watch.begin(NEVER)


def test_an_idle_one_is_looked_at_as_well(
    topic: Topic, watch: TopicWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_watch, "IDLE_SECONDS", 0)
    watch.begin(NEVER)
    topic.answers = "two"
    with pytest.raises(TopicMadeAgain):
        watch.expect_the_same()


def test_what_is_deleted_or_away_is_asked_for_again(topic: Topic, watch: TopicWatch) -> None:
    watch.begin(NEVER)
    for answer in (None, LogAway()):
        topic.answers = answer
        watch.stored()
        watch.expect_the_same()
    assert topic.asked == 3
    topic.answers = "two"
    with pytest.raises(TopicMadeAgain):
        watch.expect_the_same()


def test_who_is_to_stop_does_not_wait_for_brokers(topic: Topic, watch: TopicWatch) -> None:
    topic.answers = LogAway()
    stop = threading.Event()
    stop.set()
    assert watch.begin(stop) is None


def test_where_a_record_is_missing_it_is_looked_at_at_once(topic: Topic, watch: TopicWatch) -> None:
    watch.begin(NEVER)
    topic.answers = "two"
    watch.expect_the_same()
    with pytest.raises(TopicMadeAgain):
        watch.expect_the_same(at_once=True)
