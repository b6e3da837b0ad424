"""A persister as a value: its configuration, its defaults. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grnry.persisters.engine import Assignment
from grnry.persisters.event_store import GRACE

PG = "pg"
LIVE_SEGMENT = "live-segment"

APP_NAME = "grnry-eventstore-pg"

DEFAULT_APP_CONFIG: Mapping[str, str] = {
    "eventstore.tablename": "public.eventstore",
    "eventstore.batchSize": "5000",
    "eventstore.batchTimeout": "200",
    "spring.cloud.stream.bindings.input.consumer.concurrency": "1",
    "spring.cloud.stream.bindings.input.consumer.partitioned": "true",
}

DEFAULT_DEPLOYER_CONFIG: Mapping[str, str] = {
    "kubernetes.limits.cpu": "500m",
    "kubernetes.requests.cpu": "500m",
    "kubernetes.limits.memory": "512Mi",
    "kubernetes.requests.memory": "512Mi",
}


@dataclass(frozen=True, slots=True)
class Persister:
    """The persister of one data-in event type."""

    event_type: str
    project: str
    app_version: str
    app_config: Mapping[str, str]
    deployer_config: Mapping[str, str]
    last_updated: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Persister":
        return cls(
            row["event_type"],
            row["project"],
            row["app_version"],
            row["app_config"],
            row["deployer_config"],
            row["last_updated"],
        )


def stream_name(event_type: str, kind: str = PG) -> str:
    """Its name among the deployments and the consumer groups."""
    return f"grnry-p-{kind}-{event_type}"


def assignment(event_type: str, topic: str, app_config: Mapping[str, str]) -> Assignment:
    given = {key.lower(): value for key, value in {**DEFAULT_APP_CONFIG, **app_config}.items()}
    return Assignment(
        event_type=event_type,
        topic=topic,
        group=stream_name(event_type),
        deployment=stream_name(event_type),
        batch_size=int(given["eventstore.batchsize"]),
        batch_timeout_ms=int(given["eventstore.batchtimeout"]),
        ttl_grace_period=given.get("eventstore.ttlgraceperiod", GRACE),
    )
