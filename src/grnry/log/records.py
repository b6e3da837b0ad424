"""Records that are read from the log and written to it, and the log being away.

LogAway          no broker answers; a ServiceAway
ProducerFull   more waits to be written than memory is granted for
LogRefused       a broker refuses what was asked, and says why
CommitRefused    the member has lost its place in the group
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from grnry.errors import GranaryError, ServiceAway

LARGEST_RECORD = 8 * 2**20
"""Bytes of the largest record that the platform writes."""

LARGEST_BATCH = 2 * LARGEST_RECORD
"""Bytes of the largest batch that its topics take: with room for keys and headers."""

Header = tuple[str, bytes | None]
Headers = Sequence[Header]
Partition = tuple[str, int]


class LogAway(ServiceAway):
    """The log does not answer at the moment. Try again."""


class LogRefused(GranaryError):  # noqa: N818 - errors are named for what happened
    """The log refused what was asked."""


class CommitRefused(GranaryError):  # noqa: N818
    """The group has given the partitions away: what was stored may be another's to store now."""


class Record(Protocol):
    """A record as the client hands it over; methods, as it makes values only when asked."""

    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Iterable[Header] | None: ...
    def set_headers(self, value: Iterable[Header], /) -> None:
        """Have the same headers in another form, which takes less memory."""
        ...

    def timestamp(self) -> tuple[int, int]: ...
    def leader_epoch(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written; its time is now and its key finds the partition, unless given."""

    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=tuple)
    timestamp_ms: int | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """From where a partition is read, and by what its log is known again."""

    offset: int
    leader_epoch: int | None = None
    """Of the last record before it; where it is unknown, any log that has the offset will do."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Records that a reader wanted and the log does not have (any more)."""

    partition: Partition
    wanted: int
    found: int  # where reading goes on: the first record that is there
    is_cut: bool = False
    """The log has lost what was read from `found` on, as leader epochs tell."""

    def __str__(self) -> str:
        topic, number = self.partition
        if self.is_cut:
            return (
                f"{topic}/{number}: the log has lost its end, or is an older copy of itself: from "
                f"offset {self.found} on it has other records than those that were read up to "
                f"offset {self.wanted - 1}. It is read again from offset {self.found}; what is "
                "stored already is known by its key"
            )
        if self.wanted < self.found:
            return (
                f"{topic}/{number}: the records from offset {self.wanted} to {self.found - 1} are "
                "gone, deleted before they were read (retention, or deleted by hand)"
            )
        return (
            f"{topic}/{number}: offset {self.wanted} is behind the log's end, so the log is "
            f"another one or was cut; it is read from its beginning, offset {self.found}"
        )
