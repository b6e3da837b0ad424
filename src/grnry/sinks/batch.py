"""A batch: records of a topic read together, the lines they become, and where reading goes on."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from grnry.log.records import Record
from grnry.sinks.target import Target, Unstorable, line_or_reason

Partition = tuple[str, int]

LARGEST_BYTES = 4 * 2**20
"""Of a batch, but for the last records that came: some batches are in memory at once."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is not stored, and why."""

    record: Record
    reason: str
    sqlstate: str | None = None


@dataclass(slots=True)
class Batch:
    """Lines and the records they came from, in the order of each partition."""

    records: list[Record] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    offsets: dict[Partition, int] = field(default_factory=dict)
    epochs: dict[Partition, int | None] = field(default_factory=dict)
    """The leader epoch of the last record that was read of each partition.

    It stays where a later part of the batch is left out: any epoch will do that is not older than
    that of the last record before the offset, and that the log had come to when it was read.
    """
    weight: int = 0
    """Bytes of what was read."""

    @classmethod
    def of(cls, records: Sequence[Record], target: Target) -> "Batch":
        batch = cls()
        batch.add(records, target)
        return batch

    def add(self, records: Sequence[Record], target: Target) -> None:
        """Records that were read after all that are here."""
        made = target.lines(records)
        lines = [line for line in made if not isinstance(line, Unstorable)]
        if len(lines) == len(records):
            self.records += records
        else:
            self._put_apart(records, made)
        self.lines += lines
        self.weight += sum(map(len, lines))
        newest = {record.partition(): record for record in records}
        for record in newest.values():
            self.offsets[_partition(record)] = record.offset() + 1
            self.epochs[_partition(record)] = record.leader_epoch()

    def _put_apart(self, records: Sequence[Record], made: Sequence[bytes | Unstorable]) -> None:
        """What has a line, and what is a dead letter."""
        for record, line in zip(records, made, strict=True):
            if isinstance(line, Unstorable):
                self.dead.append(DeadLetter(record, str(line)))
                self.weight += len(record.value() or b"")
            else:
                self.records.append(record)

    def is_mistaken(self, target: Target) -> bool:
        """Whether one of its dead letters can be stored, as the target sees it by now."""
        lines = (line_or_reason(target, letter.record) for letter in self.dead)
        return not all(isinstance(line, Unstorable) for line in lines)

    def remake(self, target: Target) -> None:
        """Make all lines anew, and those that could not be made: the target sees them otherwise."""
        records = [*self.records, *(letter.record for letter in self.dead)]
        records.sort(key=_place)
        for found in (self.records, self.lines, self.dead):
            found.clear()
        self.weight = 0
        self.add(records, target)

    def room(self, most: int) -> int:
        """How many more records it may take: up to so many in all, and as fit into memory."""
        if self.weight >= LARGEST_BYTES:
            return 0
        mean = max(1, self.weight // max(1, self.size))
        return min(most - self.size, (LARGEST_BYTES - self.weight) // mean + 1)

    @property
    def size(self) -> int:
        return len(self.records) + len(self.dead)

    def without(self, partitions: AbstractSet[Partition]) -> "Batch":
        """Only what the other partitions gave."""
        if not partitions:
            return self
        return self._keep(
            lambda record: _partition(record) not in partitions,
            {p: offset for p, offset in self.offsets.items() if p not in partitions},
        )

    def after(self, stored: Mapping[Partition, int | None]) -> "Batch":
        """Only what is not stored yet, by the next offsets that the database knows."""
        return self._keep(
            lambda record: record.offset() >= (stored.get(_partition(record)) or 0),
            {p: offset for p, offset in self.offsets.items() if offset > (stored.get(p) or 0)},
        )

    def before(self, refused: Sequence[DeadLetter]) -> "Batch":
        """Only what comes before the first of them in its partition."""
        ends: dict[Partition, int] = {}
        for letter in refused:
            partition, offset = _partition(letter.record), letter.record.offset()
            ends[partition] = min(ends.get(partition, offset), offset)
        return self._keep(
            lambda record: record.offset() < ends.get(_partition(record), record.offset() + 1),
            {p: min(offset, ends.get(p, offset)) for p, offset in self.offsets.items()},
        )

    def leaving_out(self, letters: Sequence[DeadLetter]) -> "Batch":
        """Without these of its records."""
        left_out = {id(letter.record) for letter in letters}
        return self._keep(lambda record: id(record) not in left_out, self.offsets)

    def put_aside(self, letters: Sequence[DeadLetter]) -> None:
        """These of its records could not be stored."""
        kept = self.leaving_out(letters)
        self.records, self.lines = kept.records, kept.lines
        self.dead = [*self.dead, *letters]

    def _keep(self, wanted: Callable[[Record], bool], offsets: dict[Partition, int]) -> "Batch":
        pairs = zip(self.records, self.lines, strict=True)
        kept = [(record, line) for record, line in pairs if wanted(record)]
        return Batch(
            [record for record, _ in kept],
            [line for _, line in kept],
            [letter for letter in self.dead if wanted(letter.record)],
            offsets,
            self.epochs,
        )


def _partition(record: Record) -> Partition:
    return (record.topic(), record.partition())


def _place(record: Record) -> tuple[str, int, int]:
    return (record.topic(), record.partition(), record.offset())
