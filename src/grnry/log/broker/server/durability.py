"""When written records count as safe: after a sync that they share, or at once by setting."""

import asyncio
from collections.abc import Callable

from grnry.log.broker.settings import BrokerSettings
from grnry.log.broker.storage.checkpoint import Checkpoints
from grnry.log.broker.storage.group_commit import GroupCommit, Syncable
from grnry.log.broker.storage.group_offsets import GroupOffsets
from grnry.log.broker.storage.partition import PartitionLog


class Durability:
    def __init__(self, settings: BrokerSettings, on_failure: Callable[[OSError], None]) -> None:
        self._always = settings.fsync == "always"
        self._interval = settings.fsync_interval
        self._commit = GroupCommit(on_failure)
        self._loop = asyncio.get_running_loop()
        self._unsynced: dict[Syncable, None] = {}
        self._checkpoints = Checkpoints()

    @property
    def syncs(self) -> int:
        return self._commit.count

    @property
    def sync_seconds(self) -> float:
        return self._commit.seconds

    def fail(self, error: OSError) -> None:
        """A sync failed that was not waited for here."""
        self._commit.fail(error)

    def partition(self, log: PartitionLog) -> "asyncio.Future[None] | None":
        """What to wait for before an append may be acknowledged; None is nothing."""
        for checkpoint in self._checkpoints.due(log):
            self._commit.add(checkpoint)
        if not self._always:
            log.show_all()
            self._later(log)
            return None
        if log.stable_offset == log.end_offset:
            return None
        return self._commit.add(log)

    def offsets(self, offsets: GroupOffsets) -> "asyncio.Future[None] | None":
        if not self._always:
            self._later(offsets)
            return None
        return self._commit.add(offsets)

    def _later(self, written: Syncable) -> None:
        if not self._unsynced:
            self._loop.call_later(self._interval, self._sync_unsynced)
        self._unsynced[written] = None

    def _sync_unsynced(self) -> None:
        unsynced, self._unsynced = self._unsynced, {}
        for written in unsynced:
            self._commit.add(written)

    async def flush(self) -> None:
        self._sync_unsynced()
        await self._commit.flush()

    def stop(self) -> None:
        self._commit.stop()
