"""Several replicas of a persister: all partitions are read, by all of them, and by fewer again."""

from tests.conftest import wait_for
from tests.event_types.calling import Caller
from tests.persisters.test_contract import path, put

CONCURRENCY = "spring.cloud.stream.bindings.input.consumer.concurrency"


def owners(caller: Caller, name: str) -> dict[str, int]:
    """How many partitions each replica holds, by its number."""
    with caller.granary.platform() as connection:
        rows = connection.execute(
            "select split_part(owner, '/', 1) as member, count(*) as held from grnry.leases"
            " where deployment = %s and owner is not null group by 1",
            [f"grnry-p-pg-{name}"],
        ).fetchall()
    return {row["member"].rpartition("-")[2]: row["held"] for row in rows}


def send(caller: Caller, name: str, first: int) -> None:
    events = [{"user": f"u{n}", "id": str(n)} for n in range(first, first + 200)]
    caller.post(f"/event-types/{name}/events", events, 202)


def rows(caller: Caller, name: str) -> int:
    with caller.granary.platform() as connection:
        row = connection.execute(
            "select count(*) as rows from public.eventstore where event_type = %s", [name]
        ).fetchone()
    return int(row["rows"]) if row else 0


def restart(caller: Caller, name: str, replicas: int) -> None:
    state = path(name, "/state")
    body = {"appConfig": {CONCURRENCY: str(replicas)}, "deployerConfig": {}}
    put(caller, path(name, "?imported=true"), body)
    caller.post(state, {"action": "STOP"})
    caller.post(state, {"action": "START"})
    wait_for(lambda: caller.get(state)["status"] == "RUNNING", what="it runs")


def test_more_replicas_and_fewer_again(caller: Caller) -> None:
    name = caller.make(partitionCount=6)
    restart(caller, name, 3)
    wait_for(
        lambda: owners(caller, name) == {"0": 2, "1": 2, "2": 2},
        seconds=60,
        what="each has its share",
    )
    send(caller, name, 0)
    wait_for(lambda: rows(caller, name) == 200, what="all are stored")
    restart(caller, name, 1)
    send(caller, name, 200)
    # Well before the group would give up on members that are silent.
    wait_for(lambda: rows(caller, name) == 400, 25, "one alone stores all of them")
    assert owners(caller, name) == {"0": 6}
    caller.delete(f"/event-types/{name}")
