"""A persister that writes a table of its project's, on a whole running Granary."""

from typing import Any

from tests.conftest import wait_for
from tests.event_types.calling import Caller
from tests.how_to import statements
from tests.persisters.elsewhere import configure, path

MAKE, INDEXES = statements("persisters.md")


def test_the_way_of_an_event_into_the_projects_table(caller: Caller) -> None:
    """As the how-to makes it: stored there, found there, at its end there, and gone."""
    name, table = caller.make(), "global.sold"
    for statement in f"{MAKE};{INDEXES}".split(";"):
        caller.granary.do("sql", statement.replace("sales.events", table))

    def rows(column: str = "event_id") -> list[Any]:
        with caller.granary.platform() as connection:
            found = connection.execute(f"select {column} as it from {table} order by 1".encode())
            return [row["it"] for row in found]

    configure(caller, name, {"eventstore.tablename": table, "eventstore.ttlGracePeriod": "PT1H"})
    state = path(name, "/state")
    caller.post(state, {"action": "START"})
    wait_for(lambda: caller.get(state)["status"] == "RUNNING", 60, "it runs")
    events = [{"user": "u1", "id": "1"}, {"user": "u2", "id": "2"}]
    caller.post(f"/event-types/{name}/events", events, 202)
    wait_for(lambda: rows() == ["1", "2"], 60, "both are in the table")
    (found,) = caller.get(f"/event-types/{name}/trace?eventId=1")["found"]
    assert (found["where"], found["inTopic"]) == ("STORED", True)
    caller.get(f"/events?type={name}", 404)

    deletion = ["--header", "grnry-correlation-id=u1", "--header", "grnry-deletion-flag=true"]
    caller.granary.do("topic", "produce", f"grnry_data_in_{name}", "{}", "--key", "u1", *deletion)
    wait_for(lambda: rows("expires is not null") == [False, True], 60, "one has its end")

    caller.granary.do("sql", f"alter table {table} add check (created > 0)")
    caller.post(f"/event-types/{name}/events", [{"user": "u3", "id": "3"}], 202)
    wait_for(lambda: caller.get(state)["status"] == "FAILED", 60, "it is not plain any more")
    assert "constraints other than keys" in caller.get(state)["message"]
    caller.post(state, {"action": "STOP"})
    wait_for(lambda: caller.get(state)["status"] == "STOPPED", 60, "it is stopped")
    caller.granary.do("sql", f"alter table {table} drop constraint sold_created_check")
    caller.post(state, {"action": "START"})
    wait_for(lambda: rows() == ["1", "2", "3"], 60, "it goes on")
    caller.delete(f"/event-types/{name}")
    caller.granary.do("sql", f"drop table {table}")
