"""What supersedes a dead letter: a later record only, also where offsets begin anew or go back."""

import contextlib
from dataclasses import replace

import psycopg
import pytest

from grnry.sinks.replays import NOTHING, Replayed
from tests.sinks.records import TOPIC, Made, headers, in_partition
from tests.sinks.sinks import DEPLOYMENT, SCHEMA, Sink, add_version, record

ZERO, ONE = (TOPIC, 0), (TOPIC, 1)
BAD = "x"
NOON = Made().time


def at_time(time: int, made: Made) -> Made:
    return replace(made, time=time)


def earlier(made: Made) -> Made:
    return at_time(NOON - 1000, made)


def later(made: Made) -> Made:
    return at_time(NOON + 1000, made)


def letters(sink: Sink) -> list[tuple[int, str | None, str]]:
    """Offset, topic and state, in the order of their failing."""
    found = sink.rows("select * from grnry.dead_letters order by id")
    return [(row["record_offset"], row["topic_id"], row["state"]) for row in found]


def delete_event(at: int, event_id: bytes = b"1") -> Made:
    return Made(at, b"{}", headers(b"u1", event_id, deletion_flag=b"true"))


# The same topic ------------------------------------------------------------------------------


def test_what_is_read_again_supersedes_nothing_that_came_after_it(live: Sink) -> None:
    live.read("one")
    live.write(record(0, "a", 0), record(1, "a", BAD))
    live.owner.execute("update grnry.leases set next_offset = null")
    live.read("one")
    live.write(record(0, "a", 0))
    assert letters(live) == [(1, "one", "failed")]
    live.write(record(1, "a", BAD))
    assert letters(live) == [(1, "one", "failed")]
    live.write(record(2, "a", 2))
    assert letters(live) == [(1, "one", "superseded")]
    live.write(record(1, "a", BAD))
    assert letters(live) == [(1, "one", "superseded")]


@pytest.mark.parametrize("event_id", [b"5", b""], ids=["one", "the entity"])
def test_a_deletion_that_is_read_again_is_not_about_what_came_after_it(
    sink: Sink, event_id: bytes
) -> None:
    sink.read("one")
    sink.write(delete_event(3, event_id), Made(5, b"{", headers(b"u1", b"5")))
    sink.write(delete_event(3, event_id))
    assert letters(sink) == [(5, "one", "failed")]
    sink.write(delete_event(6, event_id))
    assert letters(sink) == [(5, "one", "superseded")]


def test_in_another_partition_the_later_time_is_newer(live: Sink) -> None:
    live.read("one")
    live.write(record(5, "a", BAD))
    live.write(in_partition(1, earlier(record(9, "a", 9))))
    assert letters(live) == [(5, "one", "failed")]
    live.write(in_partition(1, later(record(0, "a", 0))))
    assert letters(live) == [(5, "one", "superseded")]


def test_without_a_time_what_comes_later_is_newer(live: Sink) -> None:
    live.read("one")
    live.write(record(5, "a", BAD), record(6, "b", BAD))
    live.write(in_partition(1, at_time(-1, record(0, "a", 0))))
    live.write(in_partition(1, at_time(2**62, record(1, "b", 1))))
    assert {state for _, _, state in letters(live)} == {"superseded"}


def test_of_two_partitions_in_one_batch_each_counts(live: Sink) -> None:
    """A record of the one is newer by its place, and one of the other is older by its time."""
    live.read("one")
    live.write(record(5, "a", BAD), record(6, "a", 6), in_partition(1, earlier(record(0, "a", 0))))
    assert letters(live) == [(5, "one", "superseded")]


def test_its_own_record_is_stored_when_it_can_be(live: Sink) -> None:
    live.read("one")
    live.write(record(0, "a", BAD), record(1, "b", BAD), record(2, "b", 2))
    live.owner.execute("alter table global.live alter column age type jsonb using to_jsonb(age)")
    add_version(live.owner, 2, {**SCHEMA, "properties": {"id": {"type": "string"}, "age": {}}})
    live.write(record(0, "a", BAD), record(1, "b", BAD), record(2, "b", 2))
    assert letters(live) == [(0, "one", "replayed"), (1, "one", "superseded")]


def test_its_own_record_does_not_stand_in_for_an_edited_one(live: Sink) -> None:
    live.read("one")
    live.write(record(0, "a", BAD))
    live.queue(0, record(0, "a", "better").payload)
    live.owner.execute("alter table global.live alter column age type jsonb using to_jsonb(age)")
    add_version(live.owner, 2, {**SCHEMA, "properties": {"id": {"type": "string"}, "age": {}}})
    live.write(record(0, "a", BAD))
    assert letters(live) == [(0, "one", "queued")]
    assert live.replay() == Replayed(stored=1)
    assert live.rows("select age from global.live") == [{"age": "better"}]


# A topic that was made again -----------------------------------------------------------------


def test_any_record_of_a_later_topic_is_newer(live: Sink) -> None:
    live.read("one")
    live.write(record(5, "a", BAD), in_partition(1, record(7, "b", BAD)))
    live.read("two")
    live.write(earlier(record(0, "a", 0)))
    assert letters(live) == [(5, "one", "superseded"), (7, "one", "failed")]
    # Its partition is another one than before; a copied record keeps its time.
    live.write(earlier(record(1, "b", 1)))
    assert letters(live) == [(5, "one", "superseded"), (7, "one", "superseded")]


def test_any_deletion_of_a_later_topic_is_about_what_was_before(sink: Sink) -> None:
    sink.read("one")
    sink.write(Made(5, b"{", headers(b"u1", b"5")), Made(6, b"{", headers(b"u2", b"6")))
    sink.read("two")
    sink.write(earlier(delete_event(0, b"")))
    assert letters(sink) == [(5, "one", "superseded"), (6, "one", "failed")]


def test_who_reads_the_former_topic_still_supersedes_nothing_of_the_later_one(live: Sink) -> None:
    live.read("one")
    late = live.writer
    live.read("two", [0])
    live.write(record(5, "a", BAD))
    live.writer, new = late, live.writer
    with contextlib.suppress(psycopg.OperationalError):  # its session was ended
        live.write(in_partition(1, later(record(9, "a", 9))))
    live.write(in_partition(1, later(record(9, "a", 9))))
    assert live.live == {"a": 9}
    assert letters(live) == [(5, "two", "failed")]
    live.writer = new
    live.write(record(6, "a", 6))
    assert letters(live) == [(5, "two", "superseded")]


def test_read_before_the_new_topic_was_noticed_it_is_judged_once_it_is(live: Sink) -> None:
    """Of the new topic already; whoever has read it does not know that."""
    live.read("one")
    live.write(record(5, "a", BAD), record(6, "b", BAD), record(8, "b", 8))
    assert letters(live) == [(5, "one", "failed"), (6, "one", "superseded")]
    live.read("two")
    live.write(record(3, "a", 3), record(4, "c", 4))
    live.write(record(5, "a", BAD))
    live.write(record(6, "b", BAD))
    assert letters(live) == [(5, "two", "failed"), (6, "two", "failed")]
    live.write(record(7, "c", 7), record(8, "b", 8))
    assert letters(live) == [(5, "two", "failed"), (6, "two", "superseded")]


def test_another_record_at_the_same_place_and_time_is_kept_as_well(sink: Sink) -> None:
    sink.read("one")
    both = [Made(0, b"{", headers()), Made(0, b"[", headers())]
    sink.write(both[0])
    sink.read("two")
    sink.write(both[1])
    sink.write(both[1])
    found = sink.rows("select payload, topic_id from grnry.dead_letters order by id")
    assert [(row["payload"], row["topic_id"]) for row in found] == [(b"{", "one"), (b"[", "two")]


@pytest.mark.parametrize(
    "other",
    [
        Made(0, b"{", headers(), of_key=b"another"),
        Made(0, b"{", headers(), of_key=None),
        Made(0, b"", headers()),
        Made(0, b"{", headers(event_id=b"2")),
        Made(0, b"{", [*headers(), ("more", None)]),
    ],
    ids=["key", "no key", "payload", "header's value", "header more"],
)
def test_all_that_is_in_a_record_tells_it_from_another(sink: Sink, other: Made) -> None:
    sink.read("one")
    one = Made(0, b"{", headers())
    for each in (one, other, one, other):
        sink.write(each)
    assert len(letters(sink)) == 2


# A log that has lost its end, and letters of before ------------------------------------------


def test_where_the_log_has_lost_its_end_times_tell(live: Sink) -> None:
    live.read("one")
    live.write(earlier(record(0, "a", 0)), record(7, "a", BAD), record(8, "b", BAD))
    live.writer.go_back({ZERO: 0})
    live.write(earlier(record(0, "a", 0)))
    assert letters(live) == [(7, None, "failed"), (8, None, "failed")]
    live.write(later(record(3, "a", 3)), record(4, "b", BAD))
    assert letters(live) == [(7, None, "superseded"), (8, None, "failed"), (4, "one", "failed")]
    # Another one where the lost one has stood.
    live.write(later(record(8, "b", 8)))
    assert {state for _, _, state in letters(live)} == {"superseded"}


def test_what_the_log_has_not_lost_is_the_topics_again(live: Sink) -> None:
    live.read("one")
    live.write(record(0, "a", BAD), record(1, "b", BAD), record(2, "b", 2))
    live.writer.go_back({ZERO: 0, ("another topic", 0): 7})
    live.write(record(0, "a", BAD), record(1, "b", BAD))
    assert letters(live) == [(0, "one", "failed"), (1, "one", "superseded")]


def test_letters_of_which_nobody_knows_the_topic(live: Sink) -> None:
    """As those of versions that did not keep it."""
    live.read("one")
    live.write(record(5, "a", BAD), record(5, "b", BAD), record(5, "c", BAD), record(9, "d", BAD))
    live.owner.execute("update grnry.dead_letters set topic_id = null, record_offset = 5")
    live.write(earlier(record(4, "a", 4)), later(record(4, "b", 4)), earlier(record(6, "c", 6)))
    assert [state for _, _, state in letters(live)] == [
        "failed",
        "superseded",
        "superseded",
        "failed",
    ]
    live.write(record(5, "a", BAD))
    assert letters(live)[0] == (5, "one", "failed")


# Replays -------------------------------------------------------------------------------------


def test_of_two_topics_letters_the_later_ones_is_replayed(live: Sink) -> None:
    live.read("one")
    live.write(record(7, "a", BAD))
    live.read("two")
    live.write(record(3, "a", BAD))
    live.queue(7, record(7, "a", 7).payload)
    live.queue(3, record(3, "a", 3).payload)
    assert live.replay() == Replayed(stored=1, superseded=1)
    assert live.live == {"a": 3}
    assert letters(live) == [(7, "one", "superseded"), (3, "two", "replayed")]


def test_one_of_a_former_topic_supersedes_none_of_the_later_one(live: Sink) -> None:
    live.read("one")
    live.write(record(7, "a", BAD), in_partition(1, record(2, "a", BAD)))
    live.read("two")
    live.write(record(3, "a", BAD))
    live.queue(7, record(7, "a", 7).payload)
    assert live.replay() == Replayed(stored=1)
    assert letters(live) == [
        (7, "one", "replayed"),
        (2, "one", "superseded"),
        (3, "two", "failed"),
    ]
    live.queue(3, record(3, "a", 3).payload)
    assert live.replay() == Replayed(stored=1)
    assert live.live == {"a": 3}


def test_of_one_topic_the_later_offset_is_replayed_whatever_failed_first(live: Sink) -> None:
    """What was stored at first may fail when it is read again."""
    live.read("one")
    live.write(record(0, "a", 0), record(5, "a", BAD))
    live.owner.execute("alter table global.live add check (age <> 0) not valid")
    live.write(record(0, "a", 0))
    assert letters(live) == [(5, "one", "failed"), (0, "one", "failed")]
    live.queue(5, record(5, "a", 5).payload)
    live.queue(0, record(0, "a", 1).payload)
    assert live.replay() == Replayed(stored=1, superseded=1)
    assert live.live == {"a": 5}


def test_letters_of_partitions_that_are_gone_are_replayed(live: Sink) -> None:
    live.read("one")
    live.write(in_partition(1, record(7, "a", BAD)), in_partition(1, record(8, "b", BAD)))
    live.read("two", [0])
    live.write(record(0, "b", 0))
    live.queue(7, record(7, "a", 7).payload)
    assert live.writer.replay() == Replayed(stored=1, is_more=True)
    assert live.writer.replay() == NOTHING
    assert live.live == {"a": 7, "b": 0}
    assert letters(live) == [(7, "one", "replayed"), (8, "one", "superseded")]


def test_only_who_holds_the_first_partition_replays_those(live: Sink) -> None:
    live.read("one", [0, 1, 2])
    live.write(in_partition(2, record(7, "a", BAD)))
    live.read("two", [0])
    first = live.writer
    live.read("two", [1])
    live.queue(7, record(7, "a", 7).payload)
    assert live.writer.replay() == NOTHING
    live.owner.execute(
        "update grnry.leases set epoch = epoch + 1 where deployment = %s and partition = 0",
        [DEPLOYMENT],
    )
    assert first.replay() == NOTHING
    assert first.lost == {ZERO}
    live.read("two", [0])
    assert live.replay() == Replayed(stored=1)
