"""The Event Store API of a whole running Granary."""

import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.event_types.calling import Caller
from tests.projects.people import People, Person

BEGIN = 1_600_000_000_000
_numbers = itertools.count(1)


class Stored:
    """Writes rows into the event store as its persister would."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def add(self, event_type: str, correlation_id: str, event_id: str, **others: Any) -> None:
        row = {"created": BEGIN, "message": "{}", "harvester": "na", "version": 1, **others}
        with self._caller.granary.platform() as database:
            database.execute(
                "insert into public.eventstore (event_type, correlation_id, event_id, created,"
                " message, event_harvester, event_type_version, partition_id, partition_offset)"
                " values (%s, %s, %s, %s, %s, %s, %s, 0, 0)",
                [
                    event_type,
                    correlation_id,
                    event_id,
                    row["created"],
                    row["message"],
                    row["harvester"],
                    row["version"],
                ],
            )

    def add_many(self, event_type: str, correlation_id: str, count: int) -> None:
        with self._caller.granary.platform() as database:
            database.execute(
                "insert into public.eventstore (event_type, correlation_id, event_id, created,"
                " message, partition_id, partition_offset)"
                " select %s, %s, number, %s + number, '{}', 0, number"
                " from generate_series(0, %s - 1) as number",
                [event_type, correlation_id, BEGIN, count],
            )


@pytest.fixture
def stored(caller: Caller) -> Stored:
    return Stored(caller)


@pytest.fixture(scope="module")
def people(caller: Caller) -> People:
    return People(caller)


@pytest.fixture
def entity() -> str:
    return f"entity-{next(_numbers)}"


def ids(answer: Any) -> list[str]:
    return [event["eventId"] for event in answer["events"]]


def moment(number: int) -> str:
    return f"2020-09-13T12:26:40.{number:03d}Z"


def walk(caller: Caller, answer: Any, way: str) -> list[list[str]]:
    """The ids of the pages from this one on, by their links."""
    pages = [ids(answer)]
    while way in answer["_links"]:
        href = answer["_links"][way]["href"]
        answer = caller.get(href.removeprefix(caller.granary.said["api"]))
        pages.append(ids(answer))
    return pages


def test_an_entity_oldest_first_with_all_fields(
    caller: Caller, stored: Stored, entity: str
) -> None:
    one, other = caller.make(), caller.make()
    stored.add(one, entity, "late", created=BEGIN + 2, message='{"a": 1}')
    stored.add(other, entity, "early", created=BEGIN + 1, harvester="h", version=None)
    stored.add(one, f"not-{entity}", "elsewhere")
    answer = caller.get(f"/events/{entity}")
    assert ids(answer) == ["early", "late"]
    assert answer["events"][0] == {
        "eventId": "early",
        "correlationId": entity,
        "eventType": other,
        "eventTypeVersion": None,
        "eventHarvester": "h",
        "created": moment(1),
        "_links": {
            "self": {"href": f"{caller.granary.said['api']}/events/{entity}/early?type={other}"}
        },
    }
    with_messages = caller.get(f"/events/{entity}?expand=message,totalCount")
    assert [event["message"] for event in with_messages["events"]] == [{}, {"a": 1}]
    assert with_messages["totalCount"] == 2
    assert ids(caller.get(f"/events/{entity}?type={one}")) == ["late"]
    missing = caller.get("/events/nobody", 404)
    assert missing["type"] == "entity_not_found"
    assert missing["message"] == "Events with correlationId 'nobody' not found."


def test_from_is_within_and_to_is_not(caller: Caller, stored: Stored, entity: str) -> None:
    name = caller.make()
    stored.add_many(name, entity, 5)
    assert ids(caller.get(f"/events/{entity}?from={moment(1)}&to={moment(3)}")) == ["1", "2"]
    assert ids(caller.get(f"/events/{entity}?from={BEGIN + 4}")) == ["4"]
    assert ids(caller.get(f"/events?type={name}&to={moment(2)}")) == ["1", "0"]
    caller.get(f"/events/{entity}?to={moment(0)}", 404)
    # By default from 1970 until now.
    stored.add(name, entity, "before", created=-1)
    stored.add(name, entity, "in the future", created=BEGIN * 3)
    assert ids(caller.get(f"/events/{entity}")) == ["0", "1", "2", "3", "4"]
    everything = caller.get(f"/events/{entity}?from={-(2**63)}&to={2**63 - 1}")
    assert ids(everything) == ["before", "0", "1", "2", "3", "4", "in the future"]


def test_a_message_comes_as_it_is_stored_however_deep(
    caller: Caller, stored: Stored, entity: str
) -> None:
    name = caller.make()
    deep = "[" * 5000 + "1e400" + "]" * 5000
    stored.add(name, entity, "deep", message=deep)
    as_sent = "[" * 5000 + "1" + "0" * 400 + "]" * 5000
    for path in (f"/events/{entity}/deep", f"/events/{entity}?expand=message"):
        answer = caller.http.get(path)
        assert answer.status_code == 200
        assert as_sent in answer.text


def test_a_type_newest_first(caller: Caller, stored: Stored, entity: str) -> None:
    name = caller.make()
    stored.add_many(name, entity, 3)
    answer = caller.get(f"/events?type={name}&expand=totalCount")
    assert (ids(answer), answer["totalCount"]) == (["2", "1", "0"], 3)
    refused = caller.get("/events", 400)
    assert refused["message"] == "Parameter 'type' must not be empty."
    missing = caller.get(f"/events?type={caller.make()}", 404)
    assert missing["message"].startswith("Events of type '")


def test_pages_and_their_links(caller: Caller, stored: Stored, entity: str) -> None:
    name = caller.make()
    stored.add_many(name, entity, 7)
    first = caller.get(f"/events/{entity}?pagesize=3&type={name}")
    assert walk(caller, first, "next") == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    last = caller.get(f"/events?type={name}&pagesize=3&offset=6")
    assert walk(caller, last, "prev") == [["0"], ["3", "2", "1"], ["6", "5", "4"]]
    behind = caller.get(f"/events/{entity}?offset=7")
    assert behind["events"] == []
    assert "next" not in behind["_links"]
    assert len(caller.get(f"/events/{entity}")["events"]) == 7


def test_what_comes_meanwhile_does_not_move_the_pages(
    caller: Caller, stored: Stored, entity: str
) -> None:
    name = caller.make()
    stored.add_many(name, entity, 4)
    first = caller.get(f"/events?type={name}&pagesize=2")
    until = first["_links"]["next"]["href"]
    assert "to=20" in until
    stored.add(name, entity, "new", created=BEGIN * 2)
    assert walk(caller, first, "next") == [["3", "2"], ["1", "0"]]


def test_one_event_with_its_message_and_tag(caller: Caller, stored: Stored, entity: str) -> None:
    name, other = caller.make(), caller.make()
    stored.add(name, entity, "1", message='{"big": 123456789012345678901234567890, "far": 1e400}')
    stored.add(other, entity, "1", created=BEGIN + 1, message=None)
    answer = caller.http.get(f"/events/{entity}/1")
    assert answer.json()["eventType"] == name
    assert '"big":123456789012345678901234567890' in answer.text.replace(" ", "")
    assert '"far":1' + "0" * 400 in answer.text.replace(" ", "")
    tag = answer.headers["ETag"]
    again = caller.http.get(f"/events/{entity}/1", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert caller.get(f"/events/{entity}/1?type={other}")["message"] is None
    missing = caller.get(f"/events/{entity}/2", 404)
    expected = f"Event with correlationId '{entity}' and eventId '2' not found."
    assert missing["message"] == expected


@pytest.mark.parametrize("id_", ["a/b", "a b?c=d&e", "100%", "ünï", "%2F", "..", "a/"])
def test_ids_of_any_text(caller: Caller, stored: Stored, id_: str) -> None:
    name = caller.make()
    entity = f"{id_}{next(_numbers)}{id_}"
    stored.add(name, entity, f"event {id_}")
    answer = caller.get(f"/events/{quote(entity, safe='')}")
    link = answer["events"][0]["_links"]["self"]["href"]
    found = caller.get(link.removeprefix(caller.granary.said["api"]))
    assert (found["correlationId"], found["eventId"]) == (entity, f"event {id_}")


def test_a_page_ends_before_its_messages_get_too_large(
    caller: Caller, stored: Stored, entity: str
) -> None:
    name = caller.make()
    for number in range(4):
        text = json.dumps({"text": "x" * 7_000_000})
        stored.add(name, entity, str(number), created=BEGIN + number, message=text)
    first = caller.get(f"/events/{entity}?expand=message")
    assert walk(caller, first, "next") == [["0", "1"], ["2", "3"]]
    assert ids(caller.get(f"/events/{entity}")) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("query", "name", "reason"),
    [
        ("from=yesterday", "from", "must be a time such as"),
        ("to=1.5", "to", "must be a time such as"),
        ("expand=all", "expand", "must be any of message, totalCount but is 'all'"),
        ("pagesize=251", "pagesize", "must be in between 1 and 250 but is '251'"),
        ("offset=-1", "offset", "must be a natural number but is '-1'"),
    ],
)
def test_what_is_refused(caller: Caller, query: str, name: str, reason: str) -> None:
    for path in ("/events/x", "/events"):
        refused = caller.get(f"{path}?type=x&{query}", 400)
        (problem,) = refused["invalidParams"]
        assert problem["name"] == name
        assert problem["reason"].startswith(reason)


def test_all_that_is_wrong_is_named_at_once(caller: Caller) -> None:
    refused = caller.get("/events?from=x&to=y&expand=z&pagesize=0", 400)
    named = {problem["name"] for problem in refused["invalidParams"]}
    assert named == {"type", "from", "to", "expand", "pagesize"}


def test_who_sees_what(caller: Caller, people: People, stored: Stored, entity: str) -> None:
    admin = people.admin()
    project = admin.post("/projects", {"displayName": f"Reading {entity}"})["name"]
    owner = people.admin()  # the maker's roles are in the next token
    mine, others = f"m{next(_numbers)}-{entity}"[:20], caller.make()
    body = {
        "displayName": mine,
        "correlationIdExpression": "payload.a",
        "eventIdExpression": "payload.b",
        "partitionCount": 1,
    }
    owner.post(f"/projects/{project}/event-types/{mine}", body)
    stored.add(mine, entity, "mine", created=BEGIN)
    stored.add(others, entity, "global by na", created=BEGIN + 1)
    stored.add(others, entity, "global by web", created=BEGIN + 2, harvester="web")
    stored.add(others, entity, "global by web again", created=BEGIN + 3, harvester="web")
    event_role = {"event-api": [f"{others}_web_read"]}
    expected: list[tuple[Person, list[str]]] = [
        (people.make({project: ["viewer"]}), ["mine"]),
        (people.make({project: ["editor"]}), ["mine"]),
        (people.make({"global": ["viewer"]}), ["global by na", "global by web"]),
        (people.make(event_role), ["global by web"]),
        (people.make({project: ["viewer"], **event_role}), ["mine", "global by web"]),
        (people.make({project: ["producer", "data_owner"]}), []),
        (people.make({}), []),
    ]
    for person, seen in expected:
        sees(person, entity, seen, mine, others)


def sees(person: Person, entity: str, seen: list[str], mine: str, others: str) -> None:
    again = ["global by web again"] if "global by web" in seen else []
    if not seen:
        person.get(f"/events/{entity}", 404)
    else:
        answer = person.get(f"/events/{entity}?expand=message,totalCount")
        assert ids(answer) == seen + again
        assert answer["totalCount"] == len(seen + again)
    for event_id, event_type in (
        ("mine", mine),
        ("global by na", others),
        ("global by web", others),
    ):
        status = 200 if event_id in seen else 404
        person.get(f"/events/{entity}/{quote(event_id)}", status)
        person.get(f"/events/{entity}/{quote(event_id)}?type={event_type}", status)
    of_others = [*again, *(one for one in reversed(seen) if one != "mine")]
    newest = person.get(f"/events?type={others}", 200 if of_others else 404)
    assert not of_others or ids(newest) == of_others
    person.get(f"/events?type={mine}", 200 if "mine" in seen else 404)


def test_without_a_token_nothing_is_said(caller: Caller) -> None:
    for path in ("/events?type=x", "/events/x", "/events/x/1"):
        assert caller.anonymous.get(path).status_code == 401
