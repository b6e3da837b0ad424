"""What is told of topics and groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from grnry.log.records import Partition

BEGINNING, END = "beginning", "end"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. One that is deleted and made again has another id."""

    name: str
    id: str
    partitions: int
    replicas: int
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets that a partition has: from the first, up to and without `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Setting:
    value: str | None
    is_default: bool


@dataclass(frozen=True, slots=True)
class Member:
    id: str
    client: str
    host: str
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group and who is in it."""

    name: str
    state: str
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is in a partition; it has no offset there where it has not committed."""

    offset: int | None
    span: Span

    @property
    def records(self) -> int:
        """What is left to read, of what is still there."""
        reached = self.span.start if self.offset is None else max(self.offset, self.span.start)
        return max(0, self.span.end - reached)


@dataclass(frozen=True, slots=True)
class Progress:
    """All partitions of a group."""

    partitions: Mapping[Partition, Lag] = field(default_factory=dict)

    @property
    def lag(self) -> int:
        return sum(one.records for one in self.partitions.values())
