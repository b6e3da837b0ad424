"""What the faults need to know of an engine: what to send it, and what should become of that."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tests.faults.event_store import EventStoreCase
from tests.faults.house import House
from tests.faults.judging import Expected, Letter, Row
from tests.faults.live_segment import LiveSegmentCase
from tests.faults.load import Sent, Written


class Case(Protocol):
    """One engine under faults. What is sent as a number's record depends on nothing else."""

    topic: str
    deployment: str
    """The name that leases and dead letters have it under."""
    table: str
    """What is locked, in SQL."""

    def prepare(self, house: House) -> None:
        """Make the event type and start its persister."""

    def restart(self, house: House, replicas: int) -> None:
        """Run so many workers, by the API."""

    def is_running(self, house: House) -> bool:
        """Whether the API says so."""

    def sent(self, number: int) -> Sent:
        """What to send as this number's record; called in order."""

    def spoil(self, count: int) -> None:
        """Nothing of the next so many records can be stored."""

    def mend(self, house: House) -> None:
        """Take back what users have done to its table."""

    def expected(self, written: Sequence[Written], letters: Sequence[Letter] = ()) -> Expected:
        """What the records of the topic should have become, from the order of the partitions.

        Of what may be a dead letter and need not be, those that are found tell.
        """

    def rows(self, house: House) -> Sequence[Row]:
        """What is in the table."""

    def letters(self, house: House) -> Sequence[Letter]:
        """Its dead letters."""


Maker = Callable[[int], Case]
"""Makes a case from a seed."""

ENGINES: Mapping[str, Maker] = {"pg": EventStoreCase, "live-segment": LiveSegmentCase}
