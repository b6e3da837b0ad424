"""The pool's figures for Prometheus, read when they are asked for."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from grnry.database.pool import Database

_PREFIX = "grnry_database_"
_GAUGES = {
    "size": ("connections_limit", "How many transactions may run at the same time."),
    "in_use": ("connections_in_use", "Connections at work."),
    "resting": ("connections_resting", "Open connections that wait for work."),
    "waiting": ("connections_waiting", "Callers that wait for a connection."),
}
_COUNTERS = {
    "waits": ("connection_waits", "How often a caller had to wait for a connection."),
    "wait_seconds": ("connection_wait_seconds", "How long callers have waited, all together."),
    "transactions": ("transactions", "Transactions begun."),
    "connects": ("connects", "Connections made."),
    "failures": ("failures", "Transactions refused or broken off: the database was away."),
    "retries": ("retries", "Transactions done anew because they collided with others."),
}


class PoolCollector(Collector):
    """Registered where a process tells its metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        found = self._database.statistics()
        for field, (name, meaning) in _GAUGES.items():
            yield GaugeMetricFamily(_PREFIX + name, meaning, value=getattr(found, field))
        for field, (name, meaning) in _COUNTERS.items():
            yield CounterMetricFamily(_PREFIX + name, meaning, value=getattr(found, field))
