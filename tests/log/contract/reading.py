"""A reader as engines are: it keeps its offsets itself and stores what it reads."""

from collections.abc import Mapping, Sequence

from grnry.log.cluster import Cluster
from grnry.log.consumer import Consumer
from grnry.log.membership import Membership
from grnry.log.records import Gap, Partition, Position, Record


class Reader:
    """Starts what it is granted, from offsets of its own, and keeps what it reads."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        member: str,
        *,
        offsets: dict[Partition, int] | None = None,
        epochs: dict[Partition, int | None] | None = None,
        group: str = "",
        session_ms: int = 30_000,
        is_holding: bool = False,
    ) -> None:
        self.offsets = {} if offsets is None else offsets
        self.epochs = {} if epochs is None else epochs
        self.mine: set[Partition] = set()
        self.records: list[Record] = []
        self.in_hand: list[Record] = []
        self.gaps: list[Gap] = []
        self.told: list[tuple[str, int]] = []
        self.is_holding = is_holding
        self._granted: list[Partition] = []
        membership = Membership(group or f"group of {topic}", member, session_ms)
        self.consumer = Consumer(cluster, topic, membership, self, self.gaps.append)

    def granted(self, partitions: Sequence[Partition]) -> None:
        self._granted += partitions

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """What is in hand is stored before the partitions are another's."""
        self.told.append(("revoked", len(self.in_hand)))
        self.store()
        self.mine.difference_update(partitions)
        self._granted = [each for each in self._granted if each not in partitions]

    def store(self) -> None:
        in_hand, self.in_hand = self.in_hand, []
        self.records += in_hand
        for record in in_hand:
            self.offsets[record.topic(), record.partition()] = record.offset() + 1
            self.epochs[record.topic(), record.partition()] = record.leader_epoch()

    def step(self) -> "Reader":
        if self._granted:
            granted, self._granted = self._granted, []
            self.consumer.start({each: self._position(each) for each in granted})
            self.mine.update(granted)
        found = self.consumer.read(500, 0.05)
        assert {(one.topic(), one.partition()) for one in found} <= self.mine
        self.in_hand += found
        if not self.is_holding:
            self.store()
        return self

    def _position(self, partition: Partition) -> Position | None:
        offset = self.offsets.get(partition)
        return None if offset is None else Position(offset, self.epochs.get(partition))

    @property
    def values(self) -> list[str]:
        return [(one.value() or b"").decode() for one in self.records]


def positions(records: Sequence[Record]) -> Mapping[Partition, list[int]]:
    """The offsets that were read of each partition, as they came."""
    found: dict[Partition, list[int]] = {}
    for one in records:
        found.setdefault((one.topic(), one.partition()), []).append(one.offset())
    return found
