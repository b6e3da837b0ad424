"""From an event that is too old to a row that is gone, with all processes at work."""

from pathlib import Path
from typing import Any

from tests.conftest import wait_for
from tests.running import Granary


def test_an_old_event_gets_its_end_and_goes(data: Path) -> None:
    granary = Granary(data, GRNRY_EXPIRY_SECONDS="1").start()
    try:
        go_through(granary)
    finally:
        granary.stop()


def go_through(granary: Granary) -> None:
    words = ["--correlation-id", "payload.user", "--event-id", "payload.id"]
    granary.do("event-type", "create", "calls", *words, "--timestamp", "payload.time")
    with granary.platform() as platform:

        def rows() -> dict[str, Any]:
            found = platform.execute("select * from public.eventstore").fetchall()
            return {row["event_id"]: row for row in found}

        granary.do("persister", "start", "calls")
        granary.do("send", "calls", '{"user": "u", "id": "young", "time": 4000000000000}')
        # Before 1926, as events are kept for a hundred years by default.
        granary.do("send", "calls", '{"user": "u", "id": "old", "time": -2000000000000}')
        wait_for(lambda: set(rows()) == {"young", "old"}, 60, "both are stored")
        wait_for(lambda: rows()["old"]["ttl"], 60, "the old one has an end")
        assert rows()["young"]["ttl"] is None
        platform.execute("update public.eventstore set expires = 1 where event_id = 'old'")
        wait_for(lambda: set(rows()) == {"young"}, 60, "the old one is gone")
