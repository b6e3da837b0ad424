"""The settings a topic may have, their defaults and which values are taken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from grnry.log.broker.protocol.errors import ErrorCode, RequestError

_NO_LIMIT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LogDefaults:
    """What holds for topics that do not say otherwise."""

    retention_ms: int = 7 * 24 * 3600 * 1000
    retention_bytes: int = -1
    segment_bytes: int = 128 << 20
    segment_ms: int = 7 * 24 * 3600 * 1000
    max_message_bytes: int = 1 << 20
    log_append_time: bool = False


class Definition(NamedTuple):
    kind: int  # Kafka's numbers: 2 text, 3 number, 5 long, 7 list
    default: Callable[[LogDefaults], str]
    lowest: int | None = None
    highest: int = _NO_LIMIT
    allowed: tuple[str, ...] = ()
    documentation: str = ""


_TEXT, _INT, _LONG, _LIST = 2, 3, 5, 7

DEFINITIONS: dict[str, Definition] = {
    "cleanup.policy": Definition(
        _LIST,
        lambda _: "delete",
        allowed=("delete", "compact"),
        documentation="Old records are deleted, or of each key the last record is kept, or both.",
    ),
    "delete.retention.ms": Definition(
        _LONG,
        lambda _: str(24 * 3600 * 1000),
        lowest=0,
        documentation="How long compaction keeps records without a value, which delete a key.",
    ),
    "retention.ms": Definition(
        _LONG,
        lambda d: str(d.retention_ms),
        lowest=-1,
        documentation="Records older than that go; -1 keeps them.",
    ),
    "retention.bytes": Definition(
        _LONG,
        lambda d: str(d.retention_bytes),
        lowest=-1,
        documentation="The size of a partition above which its oldest records go; -1 is none.",
    ),
    "segment.bytes": Definition(
        _INT,
        lambda d: str(d.segment_bytes),
        lowest=1 << 14,
        highest=1 << 30,
        documentation="The size at which a new file is begun.",
    ),
    "segment.ms": Definition(
        _LONG,
        lambda d: str(d.segment_ms),
        lowest=1,
        documentation="The age at which a new file is begun.",
    ),
    "max.message.bytes": Definition(
        _INT,
        lambda d: str(d.max_message_bytes),
        lowest=0,
        highest=64 << 20,
        documentation="The largest record batch that is taken.",
    ),
    "message.timestamp.type": Definition(
        _TEXT,
        lambda d: "LogAppendTime" if d.log_append_time else "CreateTime",
        allowed=("CreateTime", "LogAppendTime"),
        documentation="Whose time records carry: the producer's or the broker's.",
    ),
    "min.insync.replicas": Definition(
        _INT, lambda _: "1", lowest=1, highest=1, documentation="There is one replica."
    ),
    "compression.type": Definition(
        _TEXT,
        lambda _: "producer",
        allowed=("producer",),
        documentation="Batches are kept as they come.",
    ),
}


class TopicConfig(NamedTuple):
    """A topic's settings as the log uses them."""

    retention_ms: int
    retention_bytes: int
    segment_bytes: int
    segment_ms: int
    max_message_bytes: int
    log_append_time: bool
    deletes: bool
    compacts: bool
    delete_retention_ms: int


def effective(given: Mapping[str, str], defaults: LogDefaults) -> TopicConfig:
    def number(name: str) -> int:
        return int(given.get(name) or DEFINITIONS[name].default(defaults))

    kind = given.get("message.timestamp.type", "")
    policies = _listed(given.get("cleanup.policy", "delete"))
    return TopicConfig(
        number("retention.ms"),
        number("retention.bytes"),
        number("segment.bytes"),
        number("segment.ms"),
        number("max.message.bytes"),
        kind == "LogAppendTime" if kind else defaults.log_append_time,
        "delete" in policies,
        "compact" in policies,
        number("delete.retention.ms"),
    )


def _listed(value: str) -> set[str]:
    return {one.strip() for one in value.split(",")}


def check(given: Mapping[str, str | None]) -> dict[str, str]:
    """The settings as they are kept, or why one of them is refused."""
    return {name: _check_one(name, value) for name, value in given.items() if value is not None}


def _check_one(name: str, value: str) -> str:
    definition = DEFINITIONS.get(name)
    if definition is None:
        raise RequestError(
            ErrorCode.INVALID_CONFIG,
            f"The embedded log has no topic setting {name}; it has {', '.join(DEFINITIONS)}.",
        )
    values = _listed(value) if definition.kind == _LIST else {value}
    if definition.allowed and not values <= set(definition.allowed):
        raise RequestError(
            ErrorCode.INVALID_CONFIG,
            f"{name} can't be {value!r} in the embedded log, only {', '.join(definition.allowed)}.",
        )
    if definition.lowest is not None:
        _check_number(name, value, definition.lowest, definition.highest)
    return value


def _check_number(name: str, value: str, lowest: int, highest: int) -> None:
    try:
        fits = lowest <= int(value) <= highest
    except ValueError:
        fits = False
    if not fits:
        raise RequestError(
            ErrorCode.INVALID_CONFIG, f"{name} is a number from {lowest} to {highest}, not {value}."
        )
