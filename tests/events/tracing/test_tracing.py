"""Where an event is, on a whole running Granary, from the moment it is sent."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from grnry.database.address import Place
from grnry.database.pool import Database
from grnry.deployments.log_files import LogFolder
from grnry.errors import TooManyRequests
from grnry.event_types.service import EventTypes
from grnry.events.tracing.model import Wanted
from grnry.events.tracing.service import MOST_AT_ONCE, Tracing
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.persisters.service import Persisters
from tests.conftest import wait_for
from tests.event_types.calling import Caller

Headers = list[tuple[str, str | bytes | None]]


def act(caller: Caller, name: str, action: str, status: str) -> None:
    path = f"/event-types/{name}/eventstores/pg/persister/state"
    caller.post(path, {"action": action})
    wait_for(lambda: caller.get(path)["status"] == status, 60, f"{name} is {status}")


def trace(caller: Caller, name: str, **asked: str) -> Any:
    return caller.expect(caller.http.get(f"/event-types/{name}/trace", params=asked), 200)


def until_read(caller: Caller, name: str) -> None:
    wait_for(lambda: trace(caller, name, eventId="nothing")["lag"] == 0, 60, "all is read")


def send(caller: Caller, name: str, *ids: str, user: str = "u1") -> None:
    events = [{"user": user, "id": each} for each in ids]
    assert caller.post(f"/event-types/{name}/events", events, 202)["rejected"] == []


def test_the_way_of_an_event(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    send(caller, name, "1", "2", "3")
    answer = trace(caller, name, eventId="3")
    (found,) = answer["found"]
    assert found.pop("time").startswith("20")
    assert found == {
        "where": "WAITING",
        "correlationId": "u1",
        "eventId": "3",
        "partition": 0,
        "offset": 2,
        "inTopic": True,
        "ahead": 2,
    }
    assert (answer["lag"], answer["complete"]) == (3, True)
    assert answer["persister"] == {"status": "STOPPED"}
    assert answer["topic"] == f"grnry_data_in_{name}"
    assert answer["_links"]["self"]["href"].endswith(f"/event-types/{name}/trace?eventId=3")
    waiting = trace(caller, name, correlationId="u1")["found"]
    assert [one["ahead"] for one in waiting] == [0, 1, 2]

    act(caller, name, "START", "RUNNING")
    until_read(caller, name)
    (found,) = trace(caller, name, eventId="3")["found"]
    assert (found["where"], found["partition"], found["offset"]) == ("STORED", 0, 2)
    assert found["inTopic"]
    link = found["_links"]["event"]["href"].removeprefix(caller.granary.said["api"])
    assert caller.get(link)["eventId"] == "3"
    both = trace(caller, name, eventId="1", correlationId="u1")["found"]
    assert [(one["where"], one["eventId"]) for one in both] == [("STORED", "1")]
    assert trace(caller, name, eventId="1", correlationId="u2")["found"] == []
    send(caller, name, "3")
    until_read(caller, name)
    assert len(trace(caller, name, eventId="3")["found"]) == 1
    with caller.granary.platform() as database:
        database.execute("delete from public.eventstore where event_type = %s", [name])
    gone = trace(caller, name, eventId="3")["found"]
    assert [(one["where"], one["offset"]) for one in gone] == [("PASSED", 2), ("PASSED", 3)]
    caller.delete(f"/event-types/{name}")


def test_dead_letters_and_their_reasons(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    topic = f"grnry_data_in_{name}"
    ids: Headers = [("grnry-correlation-id", '"u1"'), ("grnry-event-id", "bad")]
    producer = Producer({"bootstrap.servers": caller.granary.said["kafka"], "log_level": 0})
    producer.produce(topic, b"not JSON", b"u1", headers=ids)
    producer.produce(topic, b"raw, without any header", b"u2")
    producer.produce(topic, b"raw, without even a key")
    assert producer.flush(20) == 0
    act(caller, name, "START", "RUNNING")
    until_read(caller, name)
    (bad,) = trace(caller, name, eventId="bad")["found"]
    assert (bad["where"], bad["offset"], bad["correlationId"]) == ("DEAD_LETTER", 0, "u1")
    assert bad["reason"].startswith("invalid input syntax for type json")
    assert bad["failedAt"].endswith("Z")
    assert trace(caller, name, correlationId="u1")["found"] == [bad]
    (raw,) = trace(caller, name, correlationId="u2")["found"]
    assert raw["reason"] == "the header grnry-correlation-id is missing or empty"
    with caller.granary.platform() as database:
        letters = database.execute(
            "select payload, reason from grnry.dead_letters where topic = %s order by 1",
            [topic],
        ).fetchall()
    assert [letter["payload"] for letter in letters] == [
        b"not JSON",
        b"raw, without any header",
        b"raw, without even a key",
    ]
    assert len({letter["reason"] for letter in letters[1:]}) == 1
    caller.delete(f"/event-types/{name}")


def test_what_is_refused(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    refused = caller.get(f"/event-types/{name}/trace", 400)
    assert refused["message"] == "Parameter 'eventId' or 'correlationId' must be given."
    caller.get("/event-types/nothing/trace?eventId=1", 404)
    caller.get(f"/projects/no-such-project/event-types/{name}/trace?eventId=1", 403)


@pytest.fixture
def database(caller: Caller) -> Any:
    made = Database(caller.granary.platform_url).open()
    yield made
    made.close()


@pytest.fixture
def tracing(caller: Caller, database: Database, tmp_path: Path) -> Tracing:
    cluster = Cluster.at(caller.granary.said["kafka"])
    admin = Admin(cluster)
    own = Place("localhost", 5432, "grnry", ssl=False)
    persisters = Persisters(database, LogFolder(tmp_path), admin, own)
    return Tracing(database, EventTypes(database, admin), persisters, admin, cluster)


def test_a_search_ends_when_its_time_is_over(caller: Caller, tracing: Tracing) -> None:
    name = caller.make(partitionCount=1)
    send(caller, name, "1")
    found = tracing.trace("global", name, Wanted(event_id="1"), seconds=0)
    assert (list(found.found), found.is_complete, found.lag) == ([], False, 1)
    found = tracing.trace("global", name, Wanted(event_id="1"))
    assert (len(found.found), found.is_complete) == (1, True)


def test_few_search_at_once(caller: Caller, tracing: Tracing) -> None:
    name = caller.make(partitionCount=1)
    for _ in range(MOST_AT_ONCE):
        assert tracing._places.acquire(blocking=False)
    with pytest.raises(TooManyRequests, match="are being traced already"):
        tracing.trace("global", name, Wanted(event_id="1"))
    tracing._places.release()
    assert tracing.trace("global", name, Wanted(event_id="1")).found == []


def test_the_command(caller: Caller) -> None:
    name = caller.make(partitionCount=1)
    send(caller, name, "1", user="somebody")
    said = caller.granary.do("trace", name, "--correlation-id", "somebody")
    assert "WAITING" in said
    assert "0 before it" in said
    assert f"Topic grnry_data_in_{name}, lag 1; its persister is STOPPED." in said
    nothing = caller.granary.grnry("trace", name, "--event-id", "2")
    assert nothing.returncode == 1
    assert "No such event is in the topic, stored, or in the dead letters." in nothing.stderr
    assert "Say which event" in caller.granary.grnry("trace", name).stderr
