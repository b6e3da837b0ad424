"""Batches that are sent, and stored by two sessions in turns: each record is there once."""

import contextlib
import queue
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from grnry.database.leases import Leases
from grnry.persisters.event_store import EventStore
from grnry.sinks import passage
from grnry.sinks.batch import Batch
from grnry.sinks.relay import Relay
from grnry.sinks.verdict import Verdict, verdict_of
from grnry.sinks.writer import Refused, Writer
from tests.conftest import wait_for
from tests.sinks.records import Made, event, in_partition
from tests.sinks.writing import DEPLOYMENT, ONE, ZERO, Look, MakeWriter, batch

ROLE = "grnry_one_session"


def sent(relay: Relay, *batches: Batch) -> list[Batch]:
    """What is known to be stored when all of them are sent."""
    for each in batches:
        relay.send(each)
    return relay.stored()


def ids(*batches: Batch) -> list[list[int]]:
    return [[record.offset() for record in each.records] for each in batches]


def sessions(look: Look) -> list[int]:
    found = look.rows(
        "select pid from pg_stat_activity where datname = current_database()"
        f" and application_name = '{DEPLOYMENT}' order by backend_start"
    )
    return [row["pid"] for row in found]


@pytest.fixture
def busy(writer: Writer) -> Relay:
    """One that has stored offset 0, so that nothing about its session is in doubt."""
    relay = Relay(writer)
    assert ids(*sent(relay, batch(event(0)))) == [[0]]
    assert relay.is_settled
    return relay


@pytest.fixture
def another(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of somebody else, in a transaction that is rolled back at the latest in the end."""
    with psycopg.connect(database_url) as connection:
        yield connection
        connection.rollback()


def insert(connection: psycopg.Connection[Any], event_id: str) -> None:
    connection.execute(
        "insert into public.eventstore (event_type, correlation_id, event_id, created,"
        " partition_id, partition_offset) values ('calls', 'u1', %s, 0, 0, 0)",
        [event_id],
    )


States = Callable[[], list[tuple[str, str]]]


@pytest.fixture
def states(worker_database_url: str) -> Iterator[States]:
    """What our sessions do, and the kind of what each waits for."""
    with psycopg.connect(worker_database_url, autocommit=True) as connection:

        def find() -> list[tuple[str, str]]:
            return connection.execute(
                "select state, wait_event_type from pg_stat_activity where application_name = %s"
                " and datname = current_database() order by 2, 1",
                [DEPLOYMENT],
            ).fetchall()

        yield find


WAITS_FOR_A_LOCK, WAITS_FOR_US = ("active", "Lock"), ("idle in transaction", "Client")


@pytest.fixture
def with_two(busy: Relay, look: Look, another: psycopg.Connection[Any]) -> Relay:
    """One that has stored offsets 0 to 2, and has both sessions."""
    insert(another, "1")
    assert sent(busy, batch(event(1)), batch(event(2))) == []
    another.rollback()
    busy.settle()
    assert ids(*busy.stored()) == [[1], [2]]
    assert len(sessions(look)) == 2
    return busy


def test_one_is_copied_while_the_one_before_is_not_committed(
    with_two: Relay, look: Look, another: psycopg.Connection[Any], states: States
) -> None:
    another.execute("select from grnry.leases for update")
    assert sent(with_two, batch(event(3)), batch(event(4))) == []
    wait_for(lambda: states() == [WAITS_FOR_US, WAITS_FOR_A_LOCK], 4, "both are copied")
    with_two.receive()
    assert with_two.stored() == []
    assert look.ids == ["0", "1", "2"]
    another.rollback()
    with_two.settle()
    assert ids(*with_two.stored()) == [[3], [4]]
    assert look.ids == ["0", "1", "2", "3", "4"]
    assert look.offsets[0] == 5


def test_it_is_told_when_one_has_arrived_or_will_not(writer: Writer, look: Look) -> None:
    told: queue.SimpleQueue[bool] = queue.SimpleQueue()
    relay = Relay(writer, lambda: told.put(True))
    relay.send(batch(event(0)), is_followed=False)
    assert ids(*relay.stored()) == [[0]]
    for number, each in enumerate((batch(event(1)), batch(event(2, b"{")))):
        relay.send(each)
        assert told.get(timeout=10)
        relay.receive()
        assert len(relay.stored()) == 1
        assert look.offsets[0] == 2 + number
    assert told.empty()
    assert look.dead == [(2, "22P02")]


def test_what_cannot_even_be_given_up_does_not_pass_for_stored(
    busy: Relay, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: object) -> None:
        raise RuntimeError("cannot even roll back")

    with monkeypatch.context() as broken:
        broken.setattr(passage, "roll_back", fail)
        busy.send(batch(event(1, b"{")))
        with contextlib.suppress(psycopg.Error):
            busy.settle()
    busy.disconnect()
    busy.settle()
    assert ids(*busy.stored()) == [[]]
    assert look.dead == [(1, "22P02")]
    assert look.offsets[0] == 2


def test_one_alone_takes_no_second_session(busy: Relay, look: Look) -> None:
    for at in range(1, 4):
        busy.send(batch(event(at)), is_followed=False)
        assert busy.is_settled
    assert len(sessions(look)) == 1


@pytest.fixture
def parted(busy: Relay, look: Look, another: psycopg.Connection[Any], states: States) -> Relay:
    """One of whose batches has waited for a key of the next one, which waited for its turn.

    The server does not see the second.
    """
    insert(another, "1")
    busy.send(batch(event(1), event(2, event_id=b"9")))
    wait_for(lambda: WAITS_FOR_A_LOCK in states(), 4, "the first waits for a stranger")
    busy.send(batch(event(3, event_id=b"9"), event(4)))
    wait_for(lambda: WAITS_FOR_US in states(), 4, "the next one is copied")
    another.rollback()
    busy.settle()
    assert ids(*busy.stored()) == [[1, 2], [3, 4]]
    return busy


def test_who_waits_for_a_key_of_the_next_one_is_let_go_first(parted: Relay, look: Look) -> None:
    found = look.rows("select event_id, partition_offset from public.eventstore order by 2")
    assert [tuple(row.values()) for row in found] == [("0", 0), ("1", 1), ("9", 2), ("4", 4)]
    assert parted.is_settled
    assert look.dead == []
    assert look.offsets[0] == 5


def test_no_two_are_copied_at_once_after_that(
    parted: Relay, look: Look, another: psycopg.Connection[Any], states: States
) -> None:
    insert(another, "11")
    parted.send(batch(event(11), event(12, event_id=b"19")))
    wait_for(lambda: WAITS_FOR_A_LOCK in states(), 4, "the first waits for a stranger")
    parted.send(batch(event(13, event_id=b"19"), event(14)))
    wait_for(lambda: ("active", "Client") in states(), 4, "the next one has nothing to copy")
    assert WAITS_FOR_US not in states()
    another.rollback()
    parted.settle()
    assert ids(*parted.stored()) == [[11, 12], [13, 14]]
    found = look.rows("select partition_offset from public.eventstore where event_id = '19'")
    assert found == [{"partition_offset": 12}]


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_with_many_keys_in_common(writer: Writer, look: Look, seed: int) -> None:
    """The first one of each stays."""
    relay, chance = Relay(writer), random.Random(seed)
    rows: dict[str, int] = {}
    at, stored = 0, []
    for _ in range(50):
        records = []
        for _ in range(300):
            name = str(max(0, at - chance.randrange(600)) if chance.random() < 0.02 else at)
            records.append(event(at, event_id=name.encode()))
            rows.setdefault(name, at)
            at += 1
        relay.send(batch(*records))
        stored += relay.stored()
    relay.settle()
    stored += relay.stored()
    found = look.rows("select event_id, partition_offset from public.eventstore")
    assert {row["event_id"]: row["partition_offset"] for row in found} == rows
    assert [each.offsets[ZERO] for each in stored] == list(range(300, at + 1, 300))
    assert look.dead == []
    assert look.offsets[0] == at


def test_the_offsets_move_with_the_rows(busy: Relay, look: Look) -> None:
    """As anybody sees them at any moment."""
    seen: list[tuple[int, int]] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            row = look.rows(
                "select count(*) as rows, (select next_offset from grnry.leases"
                " where partition = 0) as next_offset from public.eventstore"
            )[0]
            seen.append((row["rows"], row["next_offset"]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for first in range(1, 2001, 100):
        busy.send(batch(*map(event, range(first, first + 100))))
    busy.settle()
    is_over.set()
    watcher.join()
    assert {rows - next_offset for rows, next_offset in seen} == {0}
    assert len(look.ids) == 2001


def test_what_two_batches_have_in_common_is_stored_once(busy: Relay, look: Look) -> None:
    again = [event(at, b'"again"', b"%d" % (at - 2)) for at in (3, 4, 5)]
    sent(busy, batch(event(1), event(2)), batch(*again, event(6)), batch(event(7)))
    busy.settle()
    assert look.ids == ["0", "1", "2", "3", "6", "7"]
    assert look.rows("select 1 from public.eventstore where message = '\"again\"'") == [
        {"?column?": 1}  # of 5, whose id is 3: only 1 and 2 were there
    ]
    assert look.dead == []
    assert look.offsets[0] == 8


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("bad", [b"{", None], ids=["found by the server", "found before"])
def test_one_bad_record_on_its_way(busy: Relay, look: Look, at: int, bad: bytes | None) -> None:
    batches = [batch(event(2 * n), event(2 * n + 1)) for n in range(1, 5)]
    batches[at - 1] = batch(event(2 * at), event(2 * at + 1, bad) if bad else Made(2 * at + 1))
    stored = sent(busy, *batches)
    busy.settle()
    stored += busy.stored()
    assert ids(*stored) == [[2 * n] if n == at else [2 * n, 2 * n + 1] for n in range(1, 5)]
    assert look.dead == [(2 * at + 1, "22P02" if bad else None)]
    assert len(look.ids) == 8
    assert look.offsets[0] == 10


def test_nothing_after_what_is_refused_is_stored(worker_database_url: str, look: Look) -> None:
    leases = Leases(DEPLOYMENT, "strict")
    writer = Writer(
        worker_database_url, DEPLOYMENT, leases, EventStore("calls"), has_dead_letters=False
    )
    writer.take([ZERO])
    relay = Relay(writer)
    sent(relay, batch(event(0)), batch(event(1), event(2, b"{"), event(3)), batch(event(4)))
    with pytest.raises(Refused, match="offset 2"):
        relay.settle()
    assert look.ids == ["0", "1"]
    assert look.offsets[0] == 2
    writer.disconnect()


def test_deletions_come_after_what_was_sent_before_them(busy: Relay, look: Look) -> None:
    deletion = Made(2, None, [*(event(1).headers() or ()), ("grnry-deletion-flag", b"true")])
    sent(busy, batch(event(1)), batch(deletion), batch(event(3)))
    busy.settle()
    found = look.rows("select event_id, ttl is null as stays from public.eventstore order by 1")
    assert [(row["event_id"], row["stays"]) for row in found] == [
        ("0", True),
        ("1", False),
        ("3", True),
    ]


def test_who_takes_over_ends_both_sessions(
    writer: Writer,
    busy: Relay,
    make_writer: MakeWriter,
    look: Look,
    another: psycopg.Connection[Any],
) -> None:
    """Else keys that are copied and not committed would be in the next owner's way for ever."""
    sent(busy, batch(event(1)))
    insert(another, "2")
    sent(busy, batch(event(2)), batch(event(3)))
    first, second = sessions(look)
    successor = make_writer("second")
    taken = successor.take([ZERO, ONE])[ZERO]
    assert taken is not None
    assert taken.offset == 2
    assert not {first, second} & set(sessions(look))
    another.rollback()
    for again in (2, 3, 4):
        successor.write(batch(event(again, b'"mine"')))
    with pytest.raises(psycopg.OperationalError):
        busy.send(batch(event(4, b'"late"')))
    busy.send(batch(event(4, b'"late"')))
    busy.settle()
    assert writer.lost == {ZERO, ONE}
    assert look.ids == ["0", "1", "2", "3", "4"]
    assert look.rows("select 1 from public.eventstore where message = '\"late\"'") == []
    assert look.offsets[0] == 5


def test_a_lease_that_is_lost_on_the_way(
    writer: Writer, with_two: Relay, look: Look, another: psycopg.Connection[Any]
) -> None:
    another.execute("update grnry.leases set epoch = epoch + 1, owner = 'x' where partition = 0")
    sent(with_two, batch(event(3), in_partition(1, event(7))), batch(in_partition(1, event(8))))
    another.commit()
    with_two.settle()
    assert writer.lost == {ZERO}
    assert [set(each.offsets) for each in with_two.stored()] == [{ONE}, {ONE}]
    assert look.ids == ["0", "1", "2", "7", "8"]
    assert look.offsets == {0: 3, 1: 9}


def test_a_lease_is_not_lost_to_ones_own_second_session(writer: Writer, busy: Relay) -> None:
    sent(busy, batch(event(1)), batch(event(2)))
    busy.settle()
    assert writer.take([ONE]) == {ONE: None}
    sent(busy, batch(in_partition(1, event(0))), batch(event(3)), batch(event(4)))
    busy.settle()
    assert writer.lost == set()


@pytest.fixture
def lonely(database_url: str, worker_database_url: str) -> Iterator[str]:
    """The address of a role that is let in once at a time."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"drop role if exists {ROLE}".encode())
        owner.execute(
            f"create role {ROLE} login password 'one' connection limit 1"
            " in role grnry_worker".encode()
        )
        place = worker_database_url.rpartition("@")[2]
        yield f"postgresql://{ROLE}:one@{place}"
        owner.execute(f"drop role {ROLE}".encode())


def test_a_server_that_has_no_room_for_a_second_session(lonely: str, look: Look) -> None:
    writer = Writer(lonely, DEPLOYMENT, Leases(DEPLOYMENT, "first"), EventStore("calls"))
    writer.take([ZERO])
    relay = Relay(writer)
    for at in range(5):
        relay.send(batch(event(at)))
    relay.settle()
    assert len(look.ids) == 5
    assert len(sessions(look)) == 1
    writer.disconnect()


def test_the_second_half_of_a_servers_connections_is_left_to_others(
    busy: Relay, look: Look, database_url: str
) -> None:
    (row,) = look.rows("select current_setting('max_connections')::int as most")
    with contextlib.ExitStack() as others:
        for _ in range(row["most"] // 2):
            others.enter_context(psycopg.connect(database_url))
        sent(busy, *(batch(event(at)) for at in range(1, 5)))
        busy.settle()
        assert len(sessions(look)) == 1
    assert len(look.ids) == 5


class Breaks:
    """Ends one of a writer's sessions, or both, again and again."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._chance = random.Random(seed)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._is_over.wait(self._chance.uniform(0.002, 0.03)):
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = %s and datname = current_database()"
                    " and random() < 0.5",
                    [DEPLOYMENT],
                )


def insistently(relay: Relay, step: Callable[[], None]) -> int:
    """As the engine does it: until it is done; answers how often it was in vain."""
    tries = 0
    while True:
        try:
            step()
        except psycopg.Error as error:
            if verdict_of(error) is not Verdict.AWAY:
                raise
            relay.disconnect()
            tries += 1
        else:
            return tries


@pytest.mark.parametrize("seed", range(6))
def test_sessions_that_break_at_any_moment(
    writer: Writer, look: Look, worker_database_url: str, seed: int
) -> None:
    relay, chance = Relay(writer), random.Random(seed)
    rows: dict[str, int] = {}
    poison: list[tuple[int, str | None]] = []
    at, in_vain, ends = 0, 0, []
    with Breaks(worker_database_url, seed):
        for _ in range(60):
            records = []
            for _ in range(chance.randrange(1, 200)):
                name = chance.randrange(at) if at and chance.random() < 0.002 else at
                if chance.random() < 0.001:
                    records.append(event(at, b"{", b"%d" % name))
                    poison.append((at, "22P02"))
                else:
                    records.append(event(at, event_id=b"%d" % name))
                    rows.setdefault(str(name), at)
                at += 1
            made = batch(*records)
            in_vain += insistently(relay, lambda made=made: relay.send(made))  # type: ignore[misc]
            if chance.random() < 0.1:
                in_vain += insistently(relay, relay.settle)
            ends += [each.offsets[ZERO] for each in relay.stored() if each.offsets]
    insistently(relay, relay.settle)
    assert in_vain > 0
    found = look.rows("select event_id, partition_offset from public.eventstore")
    assert {row["event_id"]: row["partition_offset"] for row in found} == rows
    assert look.dead == poison
    assert look.offsets[0] == at
    assert ends == sorted(ends)
