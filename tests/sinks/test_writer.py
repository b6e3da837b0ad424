"""Batches over real transactions: what can be stored is, once; what cannot is a dead letter."""

import logging
import random

import psycopg
import pytest
from psycopg.rows import DictRow

from grnry.database.leases import Leases
from grnry.log.records import Position
from grnry.persisters.event_store import EventStore
from grnry.sinks.batch import Batch
from grnry.sinks.verdict import NoRowFits, Verdict, verdict_of
from grnry.sinks.writer import Writer
from tests.sinks.records import TOPIC, Headers, Made, event, headers, in_partition
from tests.sinks.writing import DEPLOYMENT, ONE, TARGET, ZERO, Look, MakeWriter, batch


def test_a_batch_and_its_offsets(writer: Writer, look: Look) -> None:
    stored = writer.write(batch(event(0), event(1), in_partition(1, event(9, event_id=b"nine"))))
    assert stored.offsets == {ZERO: 2, ONE: 10}
    assert look.ids == ["0", "1", "nine"]
    assert look.offsets == {0: 2, 1: 10}


def test_workers_write_without_further_rights(writer: Writer, worker_database_url: str) -> None:
    writer.write(batch(event(0)))
    with psycopg.connect(worker_database_url, autocommit=True) as connection:
        for statement in (
            "delete from public.eventstore",
            "update grnry.dead_letters set reason = ''",
            "select * from grnry.users",
            "select * from grnry.sink_places",
            "drop table public.eventstore",
            "create table public.mine ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def random_text(length: int) -> bytes:
    """Text that does not compress, so that it is too long for an index."""
    return random.Random(1).randbytes(length // 2).hex().encode()


DEEP = b"[" * 100_000 + b"]" * 100_000

POISON = {
    "not JSON": (event(0, b"{"), "22P02"),
    "empty": (event(0, b""), "22P02"),
    "two values": (event(0, b"{} {}"), "22P02"),
    "half a surrogate pair": (event(0, b'"\\ud800"'), "22P02"),
    "not UTF-8": (event(0, b'"\xff"'), "22021"),
    "a NUL byte": (event(0, b'"\0"'), "22021"),
    "too deep": (event(0, DEEP), "54001"),
    "a number out of range": (event(0, b"1e1000000"), "22003"),
    "NUL in an id": (event(0, event_id=b"a\0b"), "22021"),
    "an id that is not UTF-8": (event(0, event_id=b"\xff"), "22021"),
    "an id too long for the index": (event(0, event_id=random_text(9000)), "54000"),
    "NUL in the harvester": (Made(0, b"{}", headers(harvester_name=b"\0")), "22021"),
    "a quoted NUL in an id": (event(0, event_id=b'"\\u0000"'), "22021"),
    "no headers": (Made(0, b"{}"), None),
    "no event id": (Made(0, b"{}", [("grnry-correlation-id", b"u")]), None),
}


@pytest.mark.parametrize("name", POISON)
def test_one_bad_record_among_good_ones(
    writer: Writer, look: Look, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, sqlstate = POISON[name]
    bad = Made(50, bad.payload, bad.named)
    good = [event(at) for at in range(100) if at != 50]
    caplog.set_level(logging.WARNING)
    written = writer.write(batch(*good[:50], bad, *good[50:]))
    assert (len(written.lines), len(written.dead)) == (99, 1)
    (said,) = [each.getMessage() for each in caplog.records]
    assert said.startswith("Put 1 more aside as dead letters; one is of partition 0, offset 50: ")
    assert look.ids == [str(at) for at in range(100) if at != 50]
    assert look.offsets[0] == 100
    (letter,) = look.rows("select * from grnry.dead_letters")
    assert letter["reason"]
    assert (letter["sqlstate"], letter["record_offset"]) == (sqlstate, 50)
    assert (letter["payload"], letter["key"]) == (bad.payload, b"a key")
    assert list(zip(letter["header_names"], letter["header_values"], strict=True)) == (
        bad.named or []
    )
    assert letter["record_time"].timestamp() * 1000 == bad.time
    assert (letter["deployment"], letter["topic"], letter["state"]) == (DEPLOYMENT, TOPIC, "failed")


def test_all_kinds_of_poison_in_one_batch(writer: Writer, look: Look) -> None:
    bad = [Made(2 * n, made.payload, made.named) for n, (made, _) in enumerate(POISON.values())]
    good = [event(2 * n + 1) for n in range(len(bad))]
    both = sorted([*bad, *good], key=Made.offset)
    stored = writer.write(batch(*both))
    assert look.ids == [str(record.at) for record in good]
    assert look.dead == [(2 * n, sqlstate) for n, (_, sqlstate) in enumerate(POISON.values())]
    assert look.offsets[0] == stored.offsets[ZERO] == both[-1].at + 1


@pytest.mark.parametrize("bad", [b"{", DEEP], ids=["not JSON", "too deep"])
def test_nothing_but_poison(writer: Writer, look: Look, bad: bytes) -> None:
    writer.write(batch(*(event(at, bad) for at in range(20))))
    assert look.ids == []
    assert [at for at, _ in look.dead] == list(range(20))
    assert look.offsets[0] == 20
    writer.write(batch(event(20)))
    assert look.ids == ["20"]


@pytest.mark.parametrize("time", [-1, 2**62, 2**63 - 1, 9_000_000_000_000_001])
def test_a_dead_letter_of_a_time_that_no_calendar_has(
    writer: Writer, look: Look, time: int
) -> None:
    writer.write(batch(Made(0, b"{", headers(), time), Made(1, b"{", None, time)))
    assert [at for at, _ in look.dead] == [0, 1]
    assert look.rows("select record_time from grnry.dead_letters")[0]["record_time"] is None


def test_a_dead_letter_without_key_body_and_values(writer: Writer, look: Look) -> None:
    empty = Made(0, None, [("grnry-event-id", None), ("\0", b"\0")], of_key=None)
    writer.write(batch(empty))
    (letter,) = look.rows("select * from grnry.dead_letters")
    assert (letter["key"], letter["payload"]) == (None, None)
    assert letter["header_names"] == ["grnry-event-id", "\ufffd"]
    assert letter["header_values"] == [None, b"\0"]


def test_a_dead_letters_headers_are_kept_as_they_are(writer: Writer, look: Look) -> None:
    odd: Headers = [
        ('"quoted", {and} \\slashed\\', b'"'),
        ("NULL", b"NULL"),
        ("", b""),
        ("ü\n\t", b"\xff\0\\x00,{}"),
        ("nothing", None),
    ]
    found = [[], odd, odd[:1], None]
    writer.write(batch(*(Made(at, b"{", named) for at, named in enumerate(found))))
    letters = look.rows("select * from grnry.dead_letters order by id")
    kept = [list(zip(each["header_names"], each["header_values"], strict=True)) for each in letters]
    assert kept == [[], odd, odd[:1], []]
    assert [each["record_offset"] for each in letters] == [0, 1, 2, 3]


def test_duplicates_within_a_batch_and_against_what_is_stored(writer: Writer, look: Look) -> None:
    writer.write(batch(event(0, b"0", b"a"), event(1, b"1", b"a"), event(2, b"2", b"b")))
    writer.write(batch(event(3, b"3", b"b"), event(4, b"4", b"c"), event(5, b"{", b"c")))
    found = look.rows("select event_id, message from public.eventstore order by event_id")
    assert [(row["event_id"], row["message"]) for row in found] == [("a", 0), ("b", 2), ("c", 4)]
    assert look.dead == [(5, "22P02")]
    assert look.offsets[0] == 6


def test_of_many_with_the_same_ids_the_first_stays_whatever_their_sizes(
    writer: Writer, look: Look
) -> None:
    # A temporary table gives back in another order than it took: what is small finds room before
    # what is large and came earlier, once the table is no longer new.
    chance = random.Random(3)
    for start in (0, 3000):
        records = []
        for at in range(start, start + 3000):
            text = chance.randbytes(chance.randrange(900)).hex().encode()
            records.append(event(at, b'"%s"' % text, b"%d" % (at - 3 * (at // 3 % 2))))
        writer.write(batch(*records))
    found = look.rows("select event_id, partition_offset from public.eventstore")
    assert [row for row in found if int(row["event_id"]) != row["partition_offset"]] == []
    assert len(found) == 3000


def test_the_same_batch_again_changes_nothing(writer: Writer, look: Look) -> None:
    again = batch(event(0), event(1, b"{"))
    writer.write(again)
    writer.write(again)
    assert look.ids == ["0"]
    assert look.dead == [(1, "22P02")]


class CommitLost(Writer):
    """Its backend ends right after a commit, before the answer is there; once."""

    look: Look | None = None

    def _store(self, connection: psycopg.Connection[DictRow], batch: Batch) -> None:
        super()._store(connection, batch)
        if self.look:
            self.look.end_backends()
            self.look = None
            connection.execute("select 'never answered'")


def test_a_lost_answer_to_a_commit_doubles_nothing(worker_database_url: str, look: Look) -> None:
    leases = Leases(DEPLOYMENT, "first")
    writer = CommitLost(worker_database_url, DEPLOYMENT, leases, EventStore("calls"))
    writer.take([ZERO])
    writer.look = look
    both = batch(event(0), event(1, b"{"), event(2))
    with pytest.raises(psycopg.OperationalError):
        writer.write(both)
    both.add([event(3)], TARGET)
    stored = writer.write(both)
    assert [record.offset() for record in stored.records] == [3]
    assert look.ids == ["0", "2", "3"]
    assert look.dead == [(1, "22P02")]
    assert look.offsets[0] == 4
    writer.disconnect()


def test_what_a_cut_log_has_anew_is_stored_after_going_back(writer: Writer, look: Look) -> None:
    writer.write(batch(*(event(at, b'"before"') for at in range(10))))
    look.end_backends()
    with pytest.raises(psycopg.OperationalError):
        writer.write(batch(event(10)))
    writer.go_back({ZERO: 0, ("another topic", 0): 7})
    again = [event(at, b'"after"', b"%d" % (at if at < 5 else at + 100)) for at in range(8)]
    writer.write(batch(*again))
    found = look.rows("select event_id, message from public.eventstore")
    wanted = {str(at): "before" for at in range(10)} | {str(at): "after" for at in (105, 106, 107)}
    assert {row["event_id"]: row["message"] for row in found} == wanted
    assert look.offsets[0] == 8


def test_a_topic_that_was_made_again_is_read_from_its_beginning(
    make_writer: MakeWriter, look: Look
) -> None:
    first, second = make_writer("first"), make_writer("second")
    assert first.take([ZERO, ONE], "one") == {ZERO: None, ONE: None}
    first.write(batch(event(0), in_partition(1, event(0, event_id=b"other"))))
    assert first.take([ZERO], "one") == {ZERO: Position(1)}
    assert first.take([ZERO], None) == {ZERO: Position(1)}
    assert second.take([ZERO], "two") == {ZERO: None}
    second.write(batch(event(0, b"1"), event(1, b"1")))
    assert look.rows("select event_id, message from public.eventstore order by event_id") == [
        {"event_id": "0", "message": {}},
        {"event_id": "1", "message": 1},
        {"event_id": "other", "message": {}},
    ]
    assert second.take([ZERO, ONE], "two") == {ZERO: Position(2), ONE: None}


def test_the_leader_epoch_of_the_last_record_stays_beside_the_offset(
    make_writer: MakeWriter, look: Look
) -> None:
    writer = make_writer("first")
    writer.take([ZERO, ONE], "one")
    writer.write(
        batch(
            Made(0, b"{}", headers(event_id=b"a"), epoch=5),
            Made(1, b"{", headers(event_id=b"b"), epoch=7),
            in_partition(1, Made(9, b"{}", headers(event_id=b"c"))),
        )
    )
    assert writer.take([ZERO, ONE], "one") == {ZERO: Position(2, 7), ONE: Position(10)}
    look.end_backends()
    with pytest.raises(psycopg.OperationalError):
        writer.write(batch(Made(2, b"{}", headers(event_id=b"d"), epoch=8)))
    writer.write(batch(Made(2, b"{}", headers(event_id=b"d"), epoch=8)))
    second = make_writer("second")
    assert second.take([ZERO], "one") == {ZERO: Position(3, 8)}
    second.go_back({ZERO: 1})
    assert second.take([ZERO], "one") == {ZERO: Position(1)}
    second.write(batch(Made(1, b"{}", headers(event_id=b"e"), epoch=9)))
    assert second.take([ZERO], "two") == {ZERO: None}
    assert look.rows("select distinct leader_epoch from grnry.leases") == [{"leader_epoch": None}]


def test_an_older_topics_dead_letter_does_not_stand_in_for_another(
    writer: Writer, look: Look
) -> None:
    old, new = Made(0, b"{", headers(), 1000), Made(0, b"[", headers(), 2000)
    for _ in range(2):
        writer.write(batch(old))
        writer.go_back({ZERO: 0})
        writer.write(batch(new))
        writer.go_back({ZERO: 0})
    found = look.rows("select payload from grnry.dead_letters order by record_time")
    assert [row["payload"] for row in found] == [b"{", b"["]


def test_nothing_remains_of_a_batch_whose_connection_ends(writer: Writer, look: Look) -> None:
    look.end_backends()
    with pytest.raises(psycopg.OperationalError):
        writer.write(batch(event(0)))
    assert look.ids == []
    assert look.offsets[0] is None
    writer.write(batch(event(0)))
    assert look.ids == ["0"]


def test_who_lost_a_partition_writes_the_others_only(
    writer: Writer, make_writer: MakeWriter, look: Look
) -> None:
    writer.write(batch(event(0)))
    second = make_writer("second")
    assert second.take([ZERO]) == {ZERO: Position(1)}
    second.write(batch(event(1)))
    late = batch(event(1, b'"late"', b"late"), in_partition(1, event(5)))
    with pytest.raises(psycopg.OperationalError):  # its backend was ended
        writer.write(late)
    assert look.offsets == {0: 2, 1: None}
    assert writer.write(late).offsets == {ONE: 6}
    assert writer.lost == {ZERO}
    assert look.ids == ["0", "1", "5"]
    assert second.write(batch(event(2))).offsets == {ZERO: 3}


def test_a_lease_that_another_took_is_not_taken_back_by_writing(
    writer: Writer, make_writer: MakeWriter, look: Look
) -> None:
    look.run("update grnry.leases set epoch = epoch + 1, owner = 'x' where partition = 0")
    stored = writer.write(batch(event(0), in_partition(1, event(5))))
    assert stored.offsets == {ONE: 6}
    assert look.ids == ["5"]
    assert look.offsets == {0: None, 1: 6}
    assert writer.write(batch(event(0))).offsets == {}


def test_released_partitions_are_written_no_more(writer: Writer, look: Look) -> None:
    writer.release([ZERO])
    assert writer.write(batch(event(0), in_partition(1, event(1)))).offsets == {ONE: 2}
    assert look.ids == ["1"]
    owners = look.rows("select partition, owner from grnry.leases order by partition")
    assert [row["owner"] for row in owners] == [None, "first"]


def test_a_connection_whose_leases_cannot_be_taken_is_not_used(writer: Writer, look: Look) -> None:
    """Else the next owner would not know which backend to end."""
    look.end_backends()
    with pytest.raises(psycopg.OperationalError):
        writer.write(batch(event(0)))
    look.run("alter table grnry.leases rename to away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        writer.write(batch(event(0)))
    look.run("alter table grnry.away rename to leases")
    writer.write(batch(event(0)))
    before = look.rows("select distinct backend_pid, backend_start from grnry.leases")
    assert len(before) == 1
    assert before[0]["backend_pid"] == writer._connect().info.backend_pid


ALTERATIONS = {
    "dropped": "drop table public.eventstore cascade",
    "renamed": "alter table public.eventstore rename to elsewhere",
    "a column less": "alter table public.eventstore drop column message cascade",
    "a column more that must be filled": "alter table public.eventstore add more int not null",
    "another type": "alter table public.eventstore alter created type integer",
    "nothing allowed": "alter table public.eventstore add check (created is null)",
    "no rights": "revoke insert on public.eventstore from grnry_worker",
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_no_record_is_given_up_because_of_the_table(writer: Writer, look: Look, name: str) -> None:
    look.run(ALTERATIONS[name])
    with pytest.raises(psycopg.Error) as refused:
        writer.write(batch(event(1), event(2), event(3, b"{")))
    assert verdict_of(refused.value) is Verdict.TABLE
    assert look.dead == []
    assert look.offsets[0] is None


def test_what_is_said_where_no_row_fits(writer: Writer, look: Look) -> None:
    look.run(ALTERATIONS["a column more that must be filled"])
    with pytest.raises(NoRowFits, match='null value in column "more"'):
        writer.write(batch(event(1)))
