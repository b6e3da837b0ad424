"""What records should leave in the event store: the first of its ids, and its end. Pure.

A deletion is about what its partition has stored before it; all of an entity is in one partition.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tests.faults.judging import FAILED, SUPERSEDED, Expected, Place
from tests.faults.load import Written


class Kind(Enum):
    """What a record is."""

    EVENT = "an event"
    DELETION = "a deletion"
    POISON = "what cannot be stored"


@dataclass(frozen=True, slots=True)
class Made:
    """What a number's record is about."""

    kind: Kind
    entity: str = ""
    event: str = ""
    """None where nobody can read it; a deletion without one means all of its entity."""

    @property
    def name(self) -> str:
        return f"{self.entity}/{self.event}" if self.event else ""


def expected_of(made: Sequence[Made], written: Sequence[Written]) -> Expected:
    """By the order of the log, which is the truth."""
    model = _Model(made)
    for one in sorted(written, key=lambda each: (each.partition, each.offset)):
        model.take(one)
    return model.expected


class _Model:
    """Takes records in the order of their partitions."""

    def __init__(self, made: Sequence[Made]) -> None:
        self._made = made
        self._rows_of: dict[str, list[str]] = defaultdict(list)
        """Names of rows, by their entity."""
        self._failed: dict[str, list[tuple[str, Place]]] = defaultdict(list)
        """Names and places of dead letters, by their entity."""
        self._deleted: set[tuple[int, str]] = set()
        """Names and entities that deletions have named, by partition."""
        self.expected = Expected()

    def take(self, one: Written) -> None:
        made = self._made[one.number]
        match made.kind:
            case Kind.EVENT:
                self._store(one, made)
            case Kind.DELETION:
                self._delete(one, made)
            case Kind.POISON:
                place = (one.partition, one.offset)
                self.expected.letters[place] = one
                self.expected.states[place] = FAILED
                if made.name:
                    self._failed[made.entity].append((made.name, place))

    def _store(self, one: Written, made: Made) -> None:
        if made.name in self.expected.rows:
            self.expected.copies += 1
            self.expected.others.setdefault(made.name, []).append(one)
            return
        self.expected.rows[made.name] = one
        self.expected.contents[made.name] = True
        self._rows_of[made.entity].append(made.name)
        if {(one.partition, made.name), (one.partition, made.entity)} & self._deleted:
            self.expected.named_before.add(made.name)

    def _delete(self, one: Written, made: Made) -> None:
        """A further one does not put the end off."""
        self.expected.copies += 1
        self._deleted.add((one.partition, made.name or made.entity))
        for name in [made.name] if made.event else self._rows_of[made.entity]:
            if name in self.expected.rows:
                self.expected.ends.setdefault(name, one)
        for name, place in self._failed[made.entity]:
            if not made.event or name == made.name:
                self.expected.states[place] = SUPERSEDED
