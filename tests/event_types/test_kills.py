"""Killed at any step, the making of an event type leaves nothing, and a deletion is finished."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from grnry.database.pool import Database
from grnry.event_types.service import EventTypes
from grnry.log.admin import Admin
from tests.conftest import wait_for
from tests.event_types.bodies import body
from tests.event_types.calling import Caller
from tests.event_types.test_kinds_made import MADE, SHARED, deployments, relations, topics

MOST_STEPS = 100
HALVES = ("halves-a", "halves-b", "halves-c")
KINDS = ["data_in", "live_segment", "profile", "ttl"]
"""One of each that makes something else."""


class Dying:
    """The process whose children die."""

    def __init__(self, environment: dict[str, str], *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.event_types.dying", *words],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def dies_before(self, step: int) -> bool:
        """Whether there is such a step, and it died there."""
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{step}\n")
        process.stdin.flush()
        said = process.stdout.readline().strip()
        assert said in ("died", "ended"), "its parent has ended"
        return said == "died"

    def close(self) -> None:
        self._process.communicate(timeout=30)


class Place:
    """A running Granary's database and log."""

    def __init__(self, caller: Caller) -> None:
        url = caller.granary.platform_url
        kafka = caller.granary.said["kafka"]
        self.environment = {"GRNRY_DATABASE_URL": url, "GRNRY_KAFKA_BOOTSTRAP": kafka}
        self._caller = caller
        self._database = Database(url, application="grnry-test").open()
        self._admin = Admin(kafka)
        self._service = EventTypes(self._database, self._admin)

    def heal(self) -> None:
        """As the next start does, when the server has seen that the killed one is gone."""
        wait_for(lambda: not self.half(), what="all is healed")

    def half(self) -> list[str]:
        """What is unfinished after it was tried to heal."""
        self._service.heal()
        with self._caller.granary.platform() as connection:
            rows = connection.execute("select name from grnry.event_types where phase <> 'ready'")
            return [row["name"] for row in rows]

    def things(self) -> tuple[set[str], set[str], set[str], set[tuple[Any, ...]]]:
        """Everything that an event type has."""
        with self._caller.granary.platform() as connection:
            rows = connection.execute(
                "select 'type', name from grnry.event_types"
                " union all select 'version', name || version from grnry.event_type_versions"
                " union all select 'persister', event_type from grnry.persisters"
            ).fetchall()
        kept = {tuple(row.values()) for row in rows}
        caller = self._caller
        # Apache Kafka's brokers list what is deleted for a moment longer.
        own = {each for each in topics(caller) - SHARED if self._admin.has_topic(each)}
        return own, relations(caller), deployments(caller), kept

    def make(self, kind: str, name: str) -> None:
        """A whole one, whose topic the brokers have heard of."""
        self._caller.post(f"/event-types/{name}", body(kind, name))
        topic = MADE[kind][0].format(name)
        wait_for(lambda: not topic or topic in topics(self._caller), what=f"{topic} is listed")

    def close(self) -> None:
        self._database.close()


@pytest.fixture
def place(caller: Caller) -> Iterator[Place]:
    place = Place(caller)
    yield place
    place.close()


def test_one_that_the_log_does_not_let_go_keeps_no_other_from_being_healed(
    caller: Caller, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    log = caller.granary.data / "log"
    if not (log / "topics").exists():
        pytest.skip("the log is elsewhere")
    before = place.things()
    halves = {name: log / "topics" / f"grnry_data_in_{name}" for name in HALVES}
    for name, folder in halves.items():
        place.make("data_in", name)
        folder.rename(log / name)  # the broker cannot move it out of the way
        assert caller.http.delete(f"/event-types/{name}").status_code >= 400
    kept = "halves-b"
    try:
        assert set(place.half()) == set(HALVES)
        for name in set(HALVES) - {kept}:
            (log / name).rename(halves[name])
        wait_for(lambda: place.half() == [kept], what="the others are healed")
        assert f"Event type {kept} stays half made until it is healed: " in caplog.text
    finally:
        (log / kept).rename(halves[kept])
    wait_for(lambda: not place.half(), what="it is healed as well")
    assert place.things() == before


def every_step(dying: Dying, check: Callable[[int], None]) -> int:
    """How many steps it died before."""
    for step in range(1, MOST_STEPS):
        died = dying.dies_before(step)
        check(step)
        if not died:
            return step - 1
    raise AssertionError("it never ends")


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_made(caller: Caller, place: Place, kind: str) -> None:
    before = place.things()
    name = f"dies-{kind.replace('_', '-')}"
    dying = Dying(place.environment, "create", kind, name)

    def check(step: int) -> None:
        place.heal()
        if place.things() != before:  # whole, and nothing but whole
            assert caller.get(f"/event-types/{name}")["eventTypes"], f"step {step}"
            caller.delete(f"/event-types/{name}?purge=true")
            assert place.things() == before, f"step {step}"

    steps = every_step(dying, check)
    dying.close()
    assert steps > 5


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_deleted(caller: Caller, place: Place, kind: str) -> None:
    before = place.things()
    name = f"goes-{kind.replace('_', '-')}"
    dying = Dying(place.environment, "delete", kind, name)
    place.make(kind, name)
    whole = place.things()
    remains = {f"grnry_live_sgmt_{name}"} if kind == "live_segment" else set[str]()

    def check(step: int) -> None:
        place.heal()
        found = place.things()
        if found != whole:
            assert (found[0], found[1] - remains, *found[2:]) == before, f"step {step}"
            place.make(kind, name)

    steps = every_step(dying, check)
    dying.close()
    assert steps > 5
    caller.delete(f"/event-types/{name}?purge=true")
    assert place.things() == before


@pytest.mark.parametrize("kind", ["data_in", "live_segment"])
def test_one_that_is_deleted_with_all_that_is_stored(
    caller: Caller, place: Place, kind: str
) -> None:
    before = place.things()
    name = f"purged-{kind.replace('_', '-')}"
    dying = Dying(place.environment, "purge", kind, name)

    def check(step: int) -> None:
        wait_for(lambda: is_deleted_again(caller, name), what=f"step {step} is finished")
        assert place.things() == before, f"step {step}"
        assert left(caller, name) == (0, 0), f"step {step}"
        fill(caller, place, kind, name)

    fill(caller, place, kind, name)
    steps = every_step(dying, check)
    dying.close()
    assert steps > 8
    caller.delete(f"/event-types/{name}?purge=true")
    assert place.things() == before


def is_deleted_again(caller: Caller, name: str) -> bool:
    """Asked once more; not now where the server has not seen that the killed one is gone."""
    status = caller.http.delete(f"/event-types/{name}?purge=true").status_code
    assert status in (204, 404, 503)
    return status != 503


def fill(caller: Caller, place: Place, kind: str, name: str) -> None:
    """Make it, with a row of its own."""
    place.make(kind, name)
    with caller.granary.platform() as connection:
        if kind == "live_segment":
            connection.execute(f"insert into global.\"grnry_live_sgmt_{name}\" values ('a', 1)")
        else:
            connection.execute(
                "insert into public.eventstore (correlation_id, event_id, created, event_type,"
                " partition_id, partition_offset) values ('c', 'e', 0, %s, 0, 0)",
                [name],
            )


def left(caller: Caller, name: str) -> tuple[int, int]:
    """How many events there are, and how many notes of whose data it is."""
    with caller.granary.platform() as connection:
        row = connection.execute(
            "select (select count(*) from public.eventstore where event_type = %(name)s) as events,"
            " (select count(*) from grnry.former_event_types where name = %(name)s) as notes",
            {"name": name},
        ).fetchone()
        assert row
        return row["events"], row["notes"]
