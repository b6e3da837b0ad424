"""The embedded log: a single-node broker that speaks the Kafka protocol.

`protocol` turns bytes into values, `storage` keeps files, `coordinator` decides about consumer
groups, `server` joins them with asyncio. What is named here is what others may use; it is
imported at its first use, as the process that only starts a broker needs none of it.

    BrokerError               the root
      BrokerStartError        the broker can't start
        DamagedLogError       a file holds something else than what was written
      InspectionError         the files can't be looked at
      SyncFailedError         the disk failed while the broker ran, which ends it
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .coordinator.values import GroupSettings
    from .errors import BrokerError, BrokerStartError, DamagedLogError, InspectionError
    from .inspection.values import BatchInfo, Finding, Loss, Report, Unreadable
    from .settings import BrokerSettings, Limits, Security
    from .storage.config import LogDefaults

__all__ = [
    "BatchInfo",
    "BrokerError",
    "BrokerSettings",
    "BrokerStartError",
    "DamagedLogError",
    "Finding",
    "GroupSettings",
    "InspectionError",
    "Limits",
    "LogDefaults",
    "Loss",
    "Report",
    "Security",
    "Unreadable",
    "check",
    "dump",
    "run",
]


def run(settings: "BrokerSettings") -> int:
    """Run a broker until SIGTERM or SIGINT; raises BrokerStartError where it can't start.

    Whoever connects to the port finds it ready: it listens when recovery is done.
    """
    from .server.process import run as run_process

    return run_process(settings)


def check(data: Path) -> "Report":
    """Verify the files of a stopped broker; raises InspectionError where one runs on them."""
    from .inspection.check import check as check_folder

    return check_folder(data)


def dump(
    data: Path, topic: str, partition: int, *, from_offset: int = 0, limit: int | None = None
) -> "Iterator[BatchInfo | Unreadable]":
    """The batches of a stopped broker's partition; raises InspectionError as `check` does."""
    from .inspection.dump import dump as dump_partition

    return dump_partition(data, topic, partition, from_offset=from_offset, limit=limit)


def __getattr__(name: str) -> object:
    from importlib import import_module

    homes = {
        "BrokerSettings": ".settings",
        "Limits": ".settings",
        "Security": ".settings",
        "BatchInfo": ".inspection.values",
        "BrokerError": ".errors",
        "BrokerStartError": ".errors",
        "DamagedLogError": ".errors",
        "Finding": ".inspection.values",
        "InspectionError": ".errors",
        "Loss": ".inspection.values",
        "Report": ".inspection.values",
        "Unreadable": ".inspection.values",
        "GroupSettings": ".coordinator.values",
        "LogDefaults": ".storage.config",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(homes[name], __name__), name)
