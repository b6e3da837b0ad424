"""What may be set for a broker, and what holds otherwise."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .coordinator.values import GroupSettings
from .storage.config import LogDefaults

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what clients can make the broker hold."""

    connections: int = 2000
    idle_seconds: float = 600.0  # after which a connection is closed; clients connect again
    request_bytes: int = 100 * _MIB
    response_bytes: int = 8 * _MIB  # of one fetch; its first batch goes out whole in any case
    unanswered_requests: int = 128  # per connection, above which it is not read
    waiting_bytes: int = 16 * _MIB  # answers per connection, above which it is not read
    open_files: int = 1024
    partitions: int = 10_000  # per topic


@dataclass(frozen=True, slots=True)
class Security:
    """Certificate and key are PEM files, users a file of lines `name:password`.

    Where other machines can connect both are needed, unless it is said to be `insecure`.
    """

    certificate: Path | None = None
    key: Path | None = None
    users: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """`fsync="always"` syncs before a record is acknowledged, `"interval"` once a second.

    On `metrics_address` (host:port) there are /metrics, /health/live and /health/ready.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 9092
    advertised_host: str | None = None
    advertised_port: int | None = None
    fsync: Literal["always", "interval"] = "always"
    fsync_interval: float = 1.0
    retention_check_interval: float = 30.0  # and of compaction
    metrics_address: str | None = None
    offsets_retention_ms: int = 7 * 24 * 3600 * 1000
    security: Security = field(default_factory=Security)
    log: LogDefaults = field(default_factory=LogDefaults)
    groups: GroupSettings = field(default_factory=GroupSettings)
    limits: Limits = field(default_factory=Limits)
