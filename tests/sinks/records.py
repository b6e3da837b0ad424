"""Records as values: what the client hands over, made by hand."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from grnry.log.records import Header

TOPIC = "grnry_data_in_calls"

Headers = list[Header]


@dataclass(frozen=True)
class Made:
    """A record with the methods of `grnry.log.records.Record`."""

    at: int = 0
    payload: bytes | None = b"{}"
    named: Iterable[Header] | None = None
    time: int = 1_600_000_000_000
    number: int = 0
    of_topic: str = TOPIC
    of_key: bytes | None = b"a key"
    epoch: int | None = None

    def topic(self) -> str:
        return self.of_topic

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.of_key

    def value(self) -> bytes | None:
        return self.payload

    def headers(self) -> Iterable[Header] | None:
        return self.named

    def set_headers(self, value: Iterable[Header], /) -> None:
        object.__setattr__(self, "named", value)

    def timestamp(self) -> tuple[int, int]:
        return (1, self.time)

    def leader_epoch(self) -> int | None:
        return self.epoch


def headers(correlation_id: bytes = b"u1", event_id: bytes = b"1", **others: bytes) -> Headers:
    """The headers of an event; `harvester_name=b"x"` is `grnry-harvester-name`."""
    named: Headers = [("grnry-correlation-id", correlation_id), ("grnry-event-id", event_id)]
    return named + [(f"grnry-{name.replace('_', '-')}", value) for name, value in others.items()]


def event(at: int, payload: bytes | None = b"{}", event_id: bytes | None = None) -> Made:
    """An event whose id is its offset, where none is given."""
    return Made(at, payload, headers(event_id=b"%d" % at if event_id is None else event_id))


def in_partition(number: int, record: Made) -> Made:
    return replace(record, number=number)
