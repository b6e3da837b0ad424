"""The embedded log: a single-node broker that speaks the Kafka protocol.

`protocol` turns bytes into values, `storage` keeps files, `coordinator` decides about consumer
groups, `server` joins them with asyncio. What is named here is what others may use; it is
imported at its first use, as the process that only starts a broker needs none of it.

    BrokerStartError        the broker can't start
      DamagedLogError       a file holds something else than what was written
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .coordinator.values import GroupSettings
    from .errors import BrokerStartError, DamagedLogError
    from .settings import BrokerSettings, Limits
    from .storage.config import LogDefaults

__all__ = [
    "BrokerSettings",
    "BrokerStartError",
    "DamagedLogError",
    "GroupSettings",
    "Limits",
    "LogDefaults",
    "run",
]


def run(settings: "BrokerSettings") -> int:
    """Run a broker until SIGTERM or SIGINT; raises BrokerStartError where it can't start.

    Whoever connects to the port finds it ready: it listens when recovery is done.
    """
    from .server.process import run as run_process

    return run_process(settings)


def __getattr__(name: str) -> object:
    from importlib import import_module

    homes = {
        "BrokerSettings": ".settings",
        "Limits": ".settings",
        "BrokerStartError": ".errors",
        "DamagedLogError": ".errors",
        "GroupSettings": ".coordinator.values",
        "LogDefaults": ".storage.config",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(homes[name], __name__), name)
