"""Persisters that write a database which is not Granary's, on a real second PostgreSQL."""

import itertools
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from grnry.database.address import place_of
from grnry.database.pool import Database
from grnry.events.expiry.reaper import Reaper
from grnry.log.producer import Producer as RealProducer
from tests.conftest import PASSWORD, wait_for
from tests.event_types.calling import Caller
from tests.faults.load import Load, Sent
from tests.persisters.elsewhere import NAME, Warehouse, configure, path
from tests.servers import OutsideServer, outside_server, programs_found

DONE = {"lag": 0, "deadLetters": 0}
NO_RIGHTS = (
    "alter database {role} owner to postgres; revoke all on database {role} from public;"
    " grant connect on database {role} to {role}"
)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def second_server() -> Iterator[OutsideServer]:
    programs = programs_found()[1]
    assert programs
    with outside_server(programs) as made:
        yield made


@pytest.fixture
def warehouse(second_server: OutsideServer) -> Iterator[Warehouse]:
    made = Warehouse(second_server, f"warehouse_{next(_numbers)}")
    yield made
    made.drop()


@pytest.fixture
def name(caller: Caller) -> Iterator[str]:
    made = caller.make()
    yield made
    act(caller, made, "STOP", "STOPPED")
    caller.delete(f"/event-types/{made}")


def state(caller: Caller, name: str, rest: str = "?expand=progress") -> Any:
    return caller.get(path(name, f"/state{rest}"))


def act(caller: Caller, name: str, action: str, status: str) -> Any:
    caller.post(path(name, "/state"), {"action": action})
    wait_for(lambda: state(caller, name, "")["status"] == status, 60, f"{name} is {status}")
    return state(caller, name, "")


def send(caller: Caller, name: str, *ids: str) -> None:
    events = [{"user": "u1", "id": each} for each in ids]
    assert caller.post(f"/event-types/{name}/events", events, 202)["rejected"] == []


def send_raw(caller: Caller, name: str, count: int) -> None:
    for number in range(count):
        produce(caller, name, b"not JSON", event_id=f"bad-{number}")


def send_deletion(caller: Caller, name: str, event_id: str) -> None:
    produce(caller, name, None, event_id=event_id, deletion_flag="true")


def produce(caller: Caller, name: str, payload: bytes | None, **headers: str) -> None:
    producer = Producer({"bootstrap.servers": caller.granary.said["kafka"], "log_level": 0})
    named: list[tuple[str, str | bytes | None]] = [("grnry-correlation-id", "u1")]
    named += [(f"grnry-{key.replace('_', '-')}", value) for key, value in headers.items()]
    producer.produce(f"grnry_data_in_{name}", payload, b"u1", headers=named)
    assert producer.flush(20) == 0


def trace(caller: Caller, name: str, event_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(f"/event-types/{name}/trace?eventId={event_id}")[
        "found"
    ]
    return found


def test_all_of_it_is_in_the_other_database(
    caller: Caller, name: str, warehouse: Warehouse
) -> None:
    send(caller, name, "1", "2", "3")
    answered = configure(caller, name, warehouse.config())
    assert answered["appConfig"][NAME + "password"] == "******"
    assert state(caller, name)["progress"] == {"records": 0, "lag": 3, "deadLetters": 0}
    assert [one["where"] for one in trace(caller, name, "2")] == ["WAITING"]
    act(caller, name, "START", "RUNNING")
    wait_for(lambda: warehouse.count() == 3, what="the events are there")
    assert state(caller, name)["progress"] == {"records": 3, **DONE}
    send(caller, name, "3", "4")
    wait_for(lambda: state(caller, name)["progress"]["records"] == 5, what="all are done with")
    assert warehouse.count() == 4
    (found,) = trace(caller, name, "4")
    assert (found["where"], found["inTopic"], "_links" in found) == ("STORED", True, False)

    leases = warehouse.rows("select deployment, sum(next_offset) as n from grnry.leases group by 1")
    (lease,) = leases
    assert lease["deployment"].startswith(f"grnry-p-pg-{name}/")
    assert lease["n"] == 5
    with caller.granary.platform() as platform:
        for table in ("leases", "dead_letters"):
            found_here = platform.execute(
                f"select from grnry.{table} where deployment like %s",
                [f"grnry-p-pg-{name}%"],
            ).fetchall()
            assert found_here == []
        events = platform.execute("select from public.eventstore where event_type = %s", [name])
        assert events.fetchall() == []

    log = "\n".join(caller.get(path(name, "/logs"))["logs"])
    assert PASSWORD not in log


def test_dead_letters_are_seen_replayed_copied_and_dropped(
    caller: Caller, name: str, warehouse: Warehouse
) -> None:
    deployment = f"grnry-p-pg-{name}"
    letters = f"/dead-letters/{deployment}"
    configure(caller, name, warehouse.config())
    assert caller.get(letters)["letters"] == []
    assert caller.post(f"{letters}:replay", {})["queued"] == 0
    send_raw(caller, name, 3)
    act(caller, name, "START", "RUNNING")
    wait_for(lambda: state(caller, name)["progress"]["deadLetters"] == 3, what="three have failed")
    assert warehouse.count("grnry.dead_letters") == 3
    listed = caller.get(letters)
    assert (listed["deployment"], listed["totalCount"]) == (deployment, 3)
    assert listed["counts"]["failed"] == 3
    sources = {
        one["deployment"]: one for one in caller.get("/dead-letters?pagesize=250")["deadLetters"]
    }
    assert sources[deployment]["counts"]["failed"] == 3
    (place,) = [one for one in listed["letters"] if one["headers"][1]["value"] == "bad-1"]
    at = {"partition": place["partition"], "offset": place["offset"]}
    one = caller.get(f"{letters}/{at['partition']}/{at['offset']}")
    assert one["payload"] == "not JSON"
    (found,) = trace(caller, name, "bad-1")
    assert found["where"] == "DEAD_LETTER"
    assert found["reason"].startswith("invalid input syntax for type json")

    queued = caller.post(f"{letters}:replay", {**at, "payload": '{"right": true}'})
    assert queued == {"queued": 1, "status": "RUNNING"}
    wait_for(lambda: warehouse.count() == 1, 60, "the edited one is stored")
    assert warehouse.rows("select message from public.eventstore")[0]["message"] == {"right": True}
    wait_for(lambda: caller.get(letters)["counts"]["replayed"] == 1, what="it is settled")
    copies = read(caller, f"grnry_persister_dlq_{name}", 3)
    assert {dict(headers)["grnry-source-topic"] for headers in copies} == {
        f"grnry_data_in_{name}".encode()
    }
    dropped = caller.expect(caller.http.delete(f"{letters}?state=failed"), 200)
    assert dropped == {"dropped": 2}
    assert state(caller, name)["progress"]["deadLetters"] == 0


def read(caller: Caller, topic: str, count: int) -> list[Any]:
    """The headers of the copies in a topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": caller.granary.said["kafka"],
            "group.id": f"copies-{topic}",
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 500,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    found: list[Any] = []

    def come() -> bool:
        messages = consumer.consume(count, 0.5)
        found.extend(message.headers() for message in messages if message.error() is None)
        return len(found) >= count

    wait_for(come, 60, f"{count} copies are in {topic}")
    consumer.close()
    return found


def test_a_table_of_another_name_and_deletions(
    caller: Caller, name: str, warehouse: Warehouse
) -> None:
    warehouse.run("create schema sales authorization {role}")
    configure(caller, name, {**warehouse.config(), "eventstore.tablename": 'Sales."All events"'})
    send(caller, name, "1", "2")
    act(caller, name, "START", "RUNNING")
    wait_for(lambda: warehouse.count('sales."All events"') == 2, what="the events are there")
    assert warehouse.count() == 0
    send_deletion(caller, name, "1")
    question = 'select event_id from sales."All events" where expires is not null'
    wait_for(lambda: warehouse.rows(question) == [{"event_id": "1"}], what="it expires")


def test_what_is_past_its_end_is_deleted_there(
    caller: Caller, name: str, warehouse: Warehouse
) -> None:
    configure(caller, name, warehouse.config())
    act(caller, name, "START", "RUNNING")
    act(caller, name, "STOP", "STOPPED")
    for statement in (
        "create table parts (like eventstore) partition by list (event_type)",
        "alter table parts add unique (event_type, correlation_id, event_id)",
        f"create table parts_1 partition of parts for values in ('{name}')",
        "create table parts_2 partition of parts default",
    ):
        warehouse.do(statement)
    others = {"eventstore.tablename": "parts", "eventstore.ttlGracePeriod": "PT0S"}
    configure(caller, name, {**warehouse.config(), **others})
    act(caller, name, "START", "RUNNING")
    send(caller, name, "1", "2")
    wait_for(lambda: warehouse.count("parts") == 2, what="the events are there")
    warehouse.do("insert into parts_2 select 'u1', '3', 1, null, 'other', 1, 'na', 0, 0")
    send_deletion(caller, name, "1")
    question = "select count(*) as n from parts where expires is not null"
    wait_for(lambda: warehouse.rows(question) == [{"n": 1}], what="one has an end")
    reap(caller)
    found = warehouse.rows("select event_id from parts order by 1")
    assert [row["event_id"] for row in found] == ["2", "3"]


def test_events_expire_there_by_their_age(caller: Caller, warehouse: Warehouse) -> None:
    """From an event that is too old to a row that is gone, with the persister at work."""
    name = caller.make(eventstoreTTL="P1D")
    configure(caller, name, {**warehouse.config(), "eventstore.ttlGracePeriod": "PT0S"})
    act(caller, name, "START", "RUNNING")
    produce(caller, name, b"{}", event_id="old", event_timestamp="1700000000000")
    send(caller, name, "young")
    wait_for(lambda: warehouse.count() == 2, what="the events are there")
    reap(caller)
    question = "select event_id from public.eventstore where expires is not null"
    wait_for(lambda: warehouse.rows(question) == [{"event_id": "old"}], 60, "one has an end")
    reap(caller)
    assert warehouse.rows("select event_id from public.eventstore") == [{"event_id": "young"}]
    assert [one["where"] for one in trace(caller, name, "old")] == ["PASSED", "PASSED"]
    assert state(caller, name)["progress"] == {"records": 3, **DONE}
    act(caller, name, "STOP", "STOPPED")
    caller.delete(f"/event-types/{name}")


def reap(caller: Caller) -> None:
    """As the reaper does every now and then."""
    url = caller.granary.platform_url
    database = Database(url).open()
    producer = RealProducer(caller.granary.said["kafka"], "test-reaper")
    Reaper(database, producer, place_of(url)).reap()
    producer.close()
    database.close()


def test_a_deletion_without_id_means_all_where_ids_are_random(
    caller: Caller, warehouse: Warehouse
) -> None:
    name = caller.make(eventIdExpression="#randomUUID()")
    configure(caller, name, warehouse.config())
    send(caller, name, "1", "2")
    act(caller, name, "START", "RUNNING")
    wait_for(lambda: warehouse.count() == 2, what="the events are there")
    send_deletion(caller, name, "anything")
    question = "select count(*) as n from public.eventstore where expires is not null"
    wait_for(lambda: warehouse.rows(question) == [{"n": 2}], what="both expire")
    act(caller, name, "STOP", "STOPPED")
    caller.delete(f"/event-types/{name}")


def test_a_wrong_password_is_said_and_put_right(
    caller: Caller, name: str, warehouse: Warehouse
) -> None:
    configure(caller, name, warehouse.config(password="a wrong secret"))
    send(caller, name, "1")
    found = act(caller, name, "START", "FAILED")
    assert "password authentication failed" in found["message"]
    assert found["message"].startswith("The database does not let us in: ")
    assert found["retrying"] is True
    assert state(caller, name).get("progress") is None
    pids = pid_of(caller, name)
    warehouse.run("alter role {role} password 'a wrong secret'")
    wait_for(lambda: state(caller, name, "")["status"] == "RUNNING", 90, "it goes on by itself")
    wait_for(lambda: state(caller, name)["progress"]["records"] == 1, what="the event is there")
    assert pid_of(caller, name) == pids, "it has waited, and not crashed"
    told = caller.get(path(name, "/logs"))["logs"]
    assert any("does not let us in" in line for line in told)
    assert not any("a wrong secret" in line for line in told)
    assert "a wrong secret" not in caller.http.get(path(name, "?expand=state")).text


def pid_of(caller: Caller, name: str) -> Any:
    with caller.granary.platform() as platform:
        row = platform.execute(
            "select saved from grnry.deployments where name = %s", [f"grnry-p-pg-{name}"]
        ).fetchone()
    assert row is not None
    return row["saved"]["processes"]


def test_a_database_that_is_away_is_waited_for(
    caller: Caller, name: str, second_server: OutsideServer, warehouse: Warehouse
) -> None:
    configure(caller, name, warehouse.config())
    send(caller, name, "1")
    act(caller, name, "START", "RUNNING")
    wait_for(lambda: warehouse.count() == 1, what="the first is there")
    pids = pid_of(caller, name)
    second_server.crash()
    try:
        send(caller, name, "2")
        wait_for(lambda: state(caller, name, "")["status"] == "FAILED", 60, "it is noticed")
        found = state(caller, name)
        assert (found["message"][:9], found["retrying"]) == ("database:", True)
        assert "progress" not in found
        refused = caller.get(f"/event-types/{name}/trace?eventId=1", 503)
        assert refused["type"] == "service_unavailable"
        assert f"'grnry-p-pg-{name}' writes does not answer" in refused["message"]
        caller.get(f"/dead-letters/grnry-p-pg-{name}", 503)
        sources = caller.get("/dead-letters?pagesize=250")["deadLetters"]
        (mine,) = [one for one in sources if one["deployment"] == f"grnry-p-pg-{name}"]
        assert "does not answer" in mine["message"]
        assert "?" in caller.granary.do("persister", "list")
    finally:
        second_server.start()
    wait_for(lambda: warehouse.count() == 2, 60, "the second is there")
    wait_for(lambda: state(caller, name, "")["status"] == "RUNNING", 60, "it runs again")
    assert pid_of(caller, name) == pids


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (
            NO_RIGHTS,
            "Let its owner run: grant connect, temporary, create on database",
        ),
        (
            "create table eventstore (correlation_id text); alter table eventstore owner to {role}",
            "The table public.eventstore cannot keep events: it needs a column event_id",
        ),
        (
            "create schema grnry; create table grnry.event_types (name text)",
            "is the one of a Granary, which only that one writes",
        ),
        (
            "create schema grnry; create table grnry.migrations (number int)",
            "may not use the schema grnry of the database",
        ),
        ("alter schema public rename to elsewhere", 'schema "public" does not exist'),
        (
            "alter role {role} set default_transaction_read_only = true",
            "the server takes no changes",
        ),
    ],
)
def test_what_keeps_it_from_writing_is_said(
    caller: Caller, name: str, warehouse: Warehouse, before: str, said: str
) -> None:
    warehouse.run(before)
    configure(caller, name, warehouse.config())
    found = act(caller, name, "START", "FAILED")
    assert said in found["message"]
    assert found["retrying"] is True
    assert any(said in line for line in caller.get(path(name, "/logs"))["logs"])
    caller.post(path(name, "/state"), {"action": "STOP"})
    # A database that is only away may come back: then the batch in hand is waited for.
    seconds = 30 if found["message"].startswith("database: ") else 8
    wait_for(lambda: state(caller, name, "")["status"] == "STOPPED", seconds, "it stops at once")


def test_nobody_logs_in_by_a_placeholder(caller: Caller, name: str, warehouse: Warehouse) -> None:
    configure(caller, name, warehouse.config(password="${superuser-password}"))
    found = act(caller, name, "START", "FAILED")
    assert "spring.datasource.password is a placeholder" in found["message"]
    assert found["retrying"] is False


def numbered(number: int) -> Sent:
    ids = [
        ("grnry-correlation-id", b"entity-%d" % (number % 97)),
        ("grnry-event-id", b"%d" % number),
    ]
    return Sent(b"entity-%d" % (number % 97), b'{"number": %d}' % number, [*ids])


@pytest.mark.timeout(600)
def test_every_event_is_one_row_there_whoever_is_killed(
    caller: Caller, warehouse: Warehouse, second_server: OutsideServer
) -> None:
    """Workers, with `kill -9`, and once the database."""
    name = caller.make(partitionCount=4)
    concurrency = {"spring.cloud.stream.bindings.input.consumer.concurrency": "2"}
    configure(caller, name, {**warehouse.config(), **concurrency})
    act(caller, name, "START", "RUNNING")
    load = Load(caller.granary.said["kafka"], f"grnry_data_in_{name}", numbered)
    for turn in range(4):
        load.start(2000)
        wait_for(lambda: len(load.acknowledged) > 2000 * (turn + 1), 60, "some more is in the log")  # noqa: B023
        if turn == 2:
            second_server.crash()
            second_server.start()
        else:
            for process in pid_of(caller, name):
                os.kill(int(process[0]), signal.SIGKILL)
        load.stop()
    assert not load.refused
    wait_for(
        lambda: warehouse.count() >= len(load.acknowledged), 120, "all acknowledged are stored"
    )
    rows = warehouse.rows(
        "select count(*) as rows, count(distinct message->>'number') as numbers,"
        " count(distinct (partition_id, partition_offset)) as places from public.eventstore"
    )
    count = len(load.acknowledged)
    assert rows == [{"rows": count, "numbers": count, "places": count}]
    progress = state(caller, name)["progress"]
    assert (progress["lag"], progress["deadLetters"]) == (0, 0)
    act(caller, name, "STOP", "STOPPED")
    caller.delete(f"/event-types/{name}")


def test_what_is_made_there_is_as_in_the_platforms_own(
    caller: Caller, name: str, warehouse: Warehouse
) -> None:
    configure(caller, name, warehouse.config())
    act(caller, name, "START", "RUNNING")
    columns = (
        "select table_name, column_name, data_type, is_nullable, column_default, is_identity"
        " from information_schema.columns where (table_schema, table_name) in"
        " (('grnry', 'leases'), ('grnry', 'dead_letters'), ('grnry', 'dead_letter_counts'),"
        " ('public', 'eventstore')) order by 1, 2"
    )
    indexes = (
        "select regexp_replace(indexdef, 'INDEX \\S+', 'INDEX') as made from pg_indexes where"
        " (schemaname, tablename) in"
        " (('grnry', 'leases'), ('grnry', 'dead_letters'), ('grnry', 'dead_letter_counts'),"
        " ('public', 'eventstore')) order by 1"
    )
    functions = (
        "select proname, prosrc, prosecdef, proconfig from pg_proc"
        " where pronamespace = 'grnry'::regnamespace and proname like 'count%' order by 1"
    )
    triggers = (
        "select tgname, tgtype, tgoldtable, tgnewtable, tgenabled, proname"
        " from pg_trigger join pg_proc on pg_proc.oid = tgfoid"
        " where tgrelid = 'grnry.dead_letters'::regclass and not tgisinternal order by 1"
    )
    with caller.granary.platform() as platform:
        for question in (columns, indexes, functions, triggers):
            assert warehouse.rows(question)
            assert warehouse.rows(question) == platform.execute(question.encode()).fetchall()
