"""A live segment's persister as a value: its configuration, its defaults. Pure."""

from collections.abc import Mapping

from grnry.persisters.engine import Assignment
from grnry.persisters.model import LIVE_SEGMENT, stream_name

DEFAULT_CONFIG: Mapping[str, str] = {
    "tasks.max": "3",
    "batchSize": "3000",
    "maxRetries": "10",
    "retryBackoffMs": "3000",
    "errorsTolerance": "all",
}


def live_assignment(
    event_type: str, topic: str, table: tuple[str, str], config: Mapping[str, str]
) -> Assignment:
    name = stream_name(event_type, LIVE_SEGMENT)
    return Assignment(
        event_type=event_type,
        topic=topic,
        group=name,
        deployment=name,
        batch_size=int(config["batchSize"]),
        table=table,
    )
