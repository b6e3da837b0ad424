"""Which leader epoch began at which offset: how a client finds where its log and ours part."""

from bisect import bisect_right


class Epochs:
    """Rising pairs of an epoch and its first offset."""

    __slots__ = ("_begins",)

    def __init__(self) -> None:
        self._begins: list[list[int]] = []

    def take(self, epoch: int, offset: int) -> None:
        """A batch of this epoch is appended at this offset."""
        while self._begins and self._begins[-1][0] > epoch:
            self._begins.pop()  # no checksum covers what recovery read: a byte of it has flipped
        self.replay(epoch, offset)

    def replay(self, epoch: int, offset: int) -> None:
        """A batch in the log is of this epoch."""
        if not self._begins or epoch > self._begins[-1][0]:
            self._begins.append([epoch, offset])

    def forget_before(self, offset: int) -> None:
        """The log begins here now."""
        while len(self._begins) > 1 and self._begins[1][1] <= offset:
            self._begins.pop(0)

    def end_of(self, epoch: int, log_start: int, log_end: int) -> tuple[int, int]:
        """The largest epoch not above the one asked for, and where the one after it begins.

        As in Kafka, an epoch from before the first known one ends where that begins. To say that
        nothing is known would send a reader without a position back to its reset policy.
        """
        place = bisect_right(self._begins, epoch, key=_epoch) - 1
        if place < 0:
            return epoch, self._begins[0][1] if self._begins else log_start
        is_last = place + 1 == len(self._begins)
        return self._begins[place][0], log_end if is_last else self._begins[place + 1][1]

    def dump(self) -> list[list[int]]:
        return self._begins

    def load(self, begins: list[list[int]]) -> None:
        self._begins = [list(entry) for entry in begins]


def _epoch(entry: list[int]) -> int:
    return entry[0]
