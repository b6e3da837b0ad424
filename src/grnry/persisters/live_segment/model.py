"""A live segment's persister as a value: its configuration, what it wants to run. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grnry.errors import Problem
from grnry.persisters.engine import Assignment
from grnry.persisters.kinds import LIVE_SEGMENT, stream_name

TASKS, BATCH, RETRIES = "tasks.max", "batchSize", "maxRetries"
BACKOFF, TOLERANCE = "retryBackoffMs", "errorsTolerance"
ALL, NONE = "all", "none"
MOST_TASKS = 3
LARGEST = {BATCH: 100_000, RETRIES: 1_000_000, BACKOFF: 3_600_000}

Config = Mapping[str, str]
"""Every key, and all values as texts."""


@dataclass(frozen=True, slots=True)
class LivePersister:
    """The persister of one live segment."""

    event_type: str
    project: str
    topic: str
    partitions: int
    config: Config
    last_updated: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "LivePersister":
        return cls(
            row["event_type"],
            row["project"],
            row["topic"],
            row["partition_count"],
            row["app_config"],
            row["last_updated"],
        )


def default_config(partitions: int) -> dict[str, str]:
    return {
        TASKS: str(min(MOST_TASKS, partitions)),
        BATCH: "3000",
        RETRIES: "10",
        BACKOFF: "3000",
        TOLERANCE: ALL,
    }


def config_problems(given: Mapping[str, Any], partitions: int) -> Iterator[Problem]:
    """What is wrong with values that were sent; numbers may be texts."""
    for name, value in given.items():
        if name == TOLERANCE:
            if value not in (ALL, NONE):
                yield Problem(name, f"must be '{ALL}' or '{NONE}' but is '{str(value)[:100]}'")
            continue
        number, said = natural(value), str(value)[:100]
        most = LARGEST.get(name, partitions)
        if number is None:
            yield Problem(name, f"must be a natural number but is '{said}'")
        elif number > most:
            what = f"must be {most} or less"
            reason = "the number of its topic's partitions" if name == TASKS else ""
            yield Problem(name, f"{what}{f', {reason},' if reason else ''} but is '{said}'")


def natural(value: Any) -> int | None:
    """A number from 1, or the text of one."""
    if isinstance(value, bool):
        return None
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    return number or None


def live_assignment(
    event_type: str, topic: str, table: tuple[str, str], config: Config
) -> Assignment:
    name = stream_name(event_type, LIVE_SEGMENT)
    return Assignment(
        event_type=event_type,
        topic=topic,
        group=name,
        deployment=name,
        batch_size=int(config[BATCH]),
        table=table,
        has_dead_letters=config[TOLERANCE] == ALL,
        most_retries=int(config[RETRIES]),
        retry_ms=int(config[BACKOFF]),
    )
