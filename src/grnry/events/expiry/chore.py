"""Expiry as a part of the platform's upkeep."""

from grnry.database.address import place_of
from grnry.events.expiry.reaper import Reaper
from grnry.sinks.upkeep import TRY_AGAIN_SECONDS, Tools


class Expiry:
    """Reaps at once and then every so often."""

    def __init__(self, tools: Tools) -> None:
        self._does = tools.does
        self._seconds = float(tools.settings.expiry_seconds)
        settings = tools.settings
        own = place_of(settings.worker_database_url or settings.database_url)
        self._reaper = Reaper(tools.database, tools.producer, own, tools.stopping)

    def step(self) -> float:
        return self._seconds if self._does("expiry", self._reaper.reap) else TRY_AGAIN_SECONDS

    def metrics(self) -> str:
        counted = self._reaper.counted
        return (
            "# TYPE grnry_expired_events_total counter\n"
            f"grnry_expired_events_total {counted.told}\n"
            "# TYPE grnry_deleted_events_total counter\n"
            f"grnry_deleted_events_total {counted.deleted}\n"
        )
