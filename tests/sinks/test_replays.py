"""Replays over real transactions: what is queued is stored once, and nothing old over new."""

from collections.abc import Sequence

import psycopg
import pytest

from grnry.persisters.event_store import EventStore
from grnry.sinks import replays
from grnry.sinks.replays import NOTHING, Replayed
from grnry.sinks.target import Connection
from tests.sinks.records import TOPIC, Made, event, headers, in_partition
from tests.sinks.sinks import SCHEMA, Sink, add_version, record


def test_put_right_it_is_stored_once(sink: Sink) -> None:
    sink.write(event(0, b"{"), event(1), in_partition(1, event(7, b"[", event_id=b"7")))
    assert sink.states == {(0, 0): "failed", (1, 7): "failed"}
    assert sink.writer.replay() == NOTHING
    sink.queue(0, b'{"a": 1}')
    assert sink.replay() == Replayed(stored=1)
    assert sink.events == {"0": {"a": 1}, "1": {}}
    assert sink.states == {(0, 0): "replayed", (1, 7): "failed"}
    assert sink.writer.replay() == NOTHING
    row = sink.rows("select * from grnry.dead_letters where record_offset = 0")[0]
    assert (row["attempts"], row["payload"], row["last_reason"]) == (1, b"{", None)
    stored = sink.rows("select * from public.eventstore where event_id = '0'")[0]
    assert (stored["partition_offset"], stored["created"]) == (0, 1_600_000_000_000)


def test_what_fails_again_says_why(sink: Sink) -> None:
    nameless = Made(1, b"{}", [("grnry-correlation-id", b"u1")])
    sink.write(event(0, b"{"), nameless)
    sink.queue()
    assert sink.replay() == Replayed(failed=2)
    first, second = sink.rows("select * from grnry.dead_letters order by record_offset")
    assert (first["state"], first["attempts"], first["last_sqlstate"]) == ("failed", 1, "22P02")
    assert second["last_reason"] == "the header grnry-event-id is missing or empty"


def test_of_many_only_the_bad_ones_fail_again(sink: Sink) -> None:
    sink.write(*(event(at, b"{") for at in range(2500)))
    sink.queue()
    sink.owner.execute(
        "update grnry.dead_letters set is_edited = true, edited_payload = '{}'"
        " where record_offset %% 500 <> 0".replace("%%", "%").encode()
    )
    assert sink.replay() == Replayed(stored=2495, failed=5)
    assert len(sink.events) == 2495


def test_no_more_at_once_than_memory_allows(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    sink.write(*(event(at, b"{" + b" " * 1000) for at in range(10)))
    sink.queue()
    monkeypatch.setattr(replays, "BYTES_AT_ONCE", 2500)
    assert sink.writer.replay().failed == 3
    monkeypatch.setattr(replays, "BYTES_AT_ONCE", 1)
    assert sink.writer.replay().failed == 1


def test_an_event_that_is_there_stays(sink: Sink) -> None:
    sink.write(event(0, b"{", event_id=b"x"), event(1, b"{", event_id=b"y"))
    sink.write(event(2, b'"sent again"', event_id=b"x"), event(3, b"{", event_id=b"y"))
    for at in (0, 1, 3):
        sink.queue(at, b'"edited %d"' % at)
    assert sink.replay() == Replayed(stored=1, superseded=2)
    assert sink.events == {"x": "sent again", "y": "edited 1"}
    assert sink.states == {(0, 0): "superseded", (0, 1): "replayed", (0, 3): "superseded"}
    sink.queue(0, b'"by force"', forced=True)
    assert sink.replay() == Replayed(superseded=1)
    assert sink.events["x"] == "sent again"


@pytest.mark.parametrize("event_id", [b"1", b""], ids=["one", "the entity"])
def test_what_was_deleted_since_does_not_come_back(sink: Sink, event_id: bytes) -> None:
    deletion = headers(b"u1", event_id, deletion_flag=b"true")
    other = Made(2, b"{", headers(b"u10", b"1"))
    sink.write(Made(1, b"{", headers(b"u1", b"1")), other)
    sink.write(Made(3, b"{}", deletion), Made(4, b"{", headers(b"u1", b"4")))
    expected = {(0, 1): "superseded", (0, 2): "failed", (0, 4): "failed"}
    assert sink.states == expected
    # The same, where the letter is of the batch of the deletion.
    sink.owner.execute("delete from grnry.dead_letters")
    sink.write(
        in_partition(1, Made(1, b"{", headers(b"u1", b"1"))),
        in_partition(1, other),
        in_partition(1, Made(3, b"{}", deletion)),
        in_partition(1, Made(4, b"{", headers(b"u1", b"4"))),
    )
    assert sink.states == {(1, at): state for (_, at), state in expected.items()}


def test_killed_in_the_middle_it_is_stored_once(sink: Sink) -> None:
    sink.write(*(event(at, b"{") for at in range(20)))
    sink.queue()
    sink.owner.execute("update grnry.dead_letters set is_edited = true, edited_payload = '{}'")
    target = sink.target
    assert isinstance(target, EventStore)
    store = target.store_carefully

    def store_and_die(connection: Connection, lines: Sequence[bytes]) -> int:
        count = store(connection, lines)
        sink.owner.execute("select pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        return count

    target.store_carefully = store_and_die  # type: ignore[method-assign]
    with pytest.raises(psycopg.Error):
        sink.writer.replay()
    assert sink.events == {}
    assert set(sink.states.values()) == {"queued"}
    target.store_carefully = store  # type: ignore[method-assign]
    assert sink.replay() == Replayed(stored=20)
    assert len(sink.events) == 20


def test_only_who_holds_the_partition_replays(sink: Sink) -> None:
    sink.write(event(0, b"{"))
    sink.queue(0, b"{}")
    first, second = sink.writer, sink.another("second")
    # Its session was ended by who took over, so it does not even see what is queued.
    with pytest.raises(psycopg.OperationalError):
        first.replay()
    assert first.replay() == NOTHING
    assert first.lost == {(TOPIC, 0), (TOPIC, 1)}
    assert sink.events == {}
    assert second.replay().stored == 1
    assert sink.events == {"0": {}}


def test_one_that_rests_has_a_look_and_takes_up_what_is_queued(sink: Sink) -> None:
    sink.write(event(0, b"{"))
    sink.writer.disconnect()
    assert sink.writer.replay() == NOTHING
    seen = [sink.writer.is_connected]
    sink.queue(0, b"{}")
    assert sink.writer.replay().stored == 1
    assert [*seen, sink.writer.is_connected] == [False, True]
    # What comes next is stored as if nothing had been.
    sink.write(event(1))
    assert sink.events == {"0": {}, "1": {}}


# Live segments -------------------------------------------------------------------------------


def test_a_newer_row_is_not_overwritten(live: Sink) -> None:
    live.write(record(0, "a", "x"), record(1, "b", "x"), record(2, "c", "x"))
    live.write(record(3, "a", 3))
    assert live.states == {(0, 0): "superseded", (0, 1): "failed", (0, 2): "failed"}
    live.queue()
    for at, id_ in ((1, "b"), (2, "c")):
        live.queue(at, record(at, id_, at).payload)
    live.owner.execute(
        "update grnry.dead_letters set is_edited = true, edited_payload ="
        ' convert_to(format(\'{"id": "%s", "age": %s}\', convert_from(key, \'utf8\'),'
        " record_offset), 'utf8') where state = 'queued'"
    )
    assert live.replay() == Replayed(stored=2)
    assert live.live == {"a": 3, "b": 1, "c": 2}
    live.queue(0, record(0, "a", 0).payload, forced=True)
    assert live.replay() == Replayed(stored=1)
    assert live.live == {"a": 0, "b": 1, "c": 2}


def test_within_a_batch_what_comes_later_counts(live: Sink) -> None:
    live.write(record(0, "a", "x"), record(1, "a", 1), record(2, "a", "y"), record(3, "b", 3))
    assert live.states == {(0, 0): "superseded", (0, 2): "failed"}
    live.write(Made(4, None, of_key=b"a"))
    assert live.states == {(0, 0): "superseded", (0, 2): "superseded"}


def test_a_schema_put_right_and_the_last_of_an_id_wins(live: Sink) -> None:
    texts = [record(0, "a", "1"), record(1, "a", "2"), record(2, "b", "3"), record(3, "a", "4")]
    live.write(*texts)
    live.queue()
    assert live.replay() == Replayed(failed=4)
    live.owner.execute("alter table global.live alter column age type jsonb using to_jsonb(age)")
    both = {**SCHEMA, "properties": {"id": {"type": "string"}, "age": {}}}
    add_version(live.owner, 2, both)
    live.queue(3)
    assert live.replay() == Replayed(stored=1)
    assert texts_of(live) == {"a": "4"}
    assert live.states == {
        (0, 0): "superseded",
        (0, 1): "superseded",
        (0, 2): "failed",
        (0, 3): "replayed",
    }
    live.queue()
    live.replay()
    assert texts_of(live) == {"a": "4", "b": "3"}


def texts_of(live: Sink) -> dict[str, str]:
    return {row["id"]: row["age"] for row in live.rows("select * from global.live")}


def test_several_of_one_id_at_once(live: Sink) -> None:
    live.write(record(0, "a", "x"), record(1, "a", "x"))
    live.queue(0, record(0, "a", 0).payload)
    live.queue(1, record(1, "a", 1).payload)
    assert live.replay() == Replayed(stored=1, superseded=1)
    assert live.live == {"a": 1}


def test_an_id_that_nobody_could_see(live: Sink) -> None:
    """Whether what is there is older cannot be told, so only force overwrites it."""
    live.write(record(0, "a", 1), Made(1, b"{"), Made(2, b"["))
    live.queue(1, record(1, "a", 2).payload)
    live.queue(2, record(2, "b", 2).payload)
    assert live.replay() == Replayed(stored=1, superseded=1)
    assert live.live == {"a": 1, "b": 2}
    live.queue(1, record(1, "a", 2).payload, forced=True)
    assert live.replay() == Replayed(stored=1)
    assert live.live == {"a": 2, "b": 2}


def test_what_the_database_refuses_supersedes_nothing(live: Sink) -> None:
    """The second record of the id fits the schema, and not the table."""
    live.owner.execute("alter table global.live add check (age < 10)")
    live.write(record(0, "a", "x"), record(1, "a", 10), record(2, "b", 2))
    assert live.states == {(0, 0): "failed", (0, 1): "failed"}
    live.write(record(3, "a", 11), record(4, "b", 4))
    assert set(live.states.values()) == {"failed"}
    assert live.live == {"b": 4}


def test_a_key_of_the_users_own_costs_one_record(live: Sink) -> None:
    live.owner.execute("create unique index on global.live (age)")
    live.write(record(0, "a", 1), record(1, "b", 1), record(2, "c", "x"), record(3, "d", "x"))
    assert live.live == {"a": 1}
    assert live.states == {(0, 1): "failed", (0, 2): "failed", (0, 3): "failed"}
    live.queue(2, record(2, "c", 1).payload)
    live.queue(3, record(3, "d", 4).payload)
    assert live.replay() == Replayed(stored=1, failed=1)
    assert live.live == {"a": 1, "d": 4}
