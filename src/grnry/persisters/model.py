"""A persister as a value, and what it wants to run. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grnry.persisters import configuration
from grnry.persisters.engine import Assignment
from grnry.persisters.kinds import stream_name

APP_NAME = "grnry-eventstore-pg"
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Persister:
    """The persister of one data-in event type."""

    event_type: str
    project: str
    topic: str
    app_version: str
    app_config: Mapping[str, str]
    deployer_config: Mapping[str, str]
    last_updated: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Persister":
        return cls(
            row["event_type"],
            row["project"],
            row["topic"],
            row["app_version"],
            row["app_config"],
            row["deployer_config"],
            row["last_updated"],
        )


def assignment(event_type: str, topic: str, app_config: Mapping[str, str]) -> Assignment:
    batch_size, batch_timeout_ms = configuration.batch_of(app_config)
    return Assignment(
        event_type=event_type,
        topic=topic,
        group=stream_name(event_type),
        deployment=stream_name(event_type),
        batch_size=batch_size,
        batch_timeout_ms=batch_timeout_ms,
        datasource=configuration.datasource_of(app_config),
        ttl_grace_period=configuration.grace_of(app_config),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What a persister's configuration is to be."""

    app_config: Mapping[str, str]
    deployer_config: Mapping[str, str]
    app_version: str | None = None
    """Where it is to be another one."""

    with_defaults: bool = False
    """Whether what is not given is as it is by default."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a persister is."""

    records: int
    """How many records of the topic are done with: rows, or dead letters, or there already."""

    lag: int
    """How many wait in the log."""

    dead_letters: int
