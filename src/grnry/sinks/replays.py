"""Replays: dead letters that somebody has queued, stored by the deployment that failed.

A request to replay is a state of the dead letter's row, not another record in the log. The worker
that holds the lease of the letter's partition stores it and says how that ended in one transaction,
under the same lock as the partition's batches: so it is stored once whenever that worker is killed,
and in an order with what the partition gives.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grnry.database.leases import Lease, Leases, Partition, places_of
from grnry.log.records import Header
from grnry.sinks.batch import Batch, DeadLetter
from grnry.sinks.dead_letters import FAILED, SUPERSEDED, queries, without_nul
from grnry.sinks.narrowing import store_narrowed
from grnry.sinks.target import Connection, Target, Unstorable, line_or_reason

REPLAYED = "replayed"
AT_ONCE = 1000
BYTES_AT_ONCE = 16 * 2**20
THERE_ALREADY = "what it is about is stored already"
UNKNOWN = "a row of its id is there, and nobody knows whether it is newer: replay it by force"


@dataclass(frozen=True, slots=True)
class QueuedLetter:
    """A dead letter that is to be stored, as a record."""

    row: Mapping[str, Any]

    def topic(self) -> str:
        return str(self.row["topic"])

    def partition(self) -> int:
        return int(self.row["partition"])

    def offset(self) -> int:
        return int(self.row["record_offset"])

    def key(self) -> bytes | None:
        return self.row["key"]  # type: ignore[no-any-return]

    def value(self) -> bytes | None:
        return self.row["payload"]  # type: ignore[no-any-return]

    def headers(self) -> list[Header]:
        return list(zip(self.row["header_names"], self.row["header_values"], strict=True))

    def set_headers(self, value: Iterable[Header], /) -> None:
        """Its row has them."""

    def timestamp(self) -> tuple[int, int]:
        """Its type is unknown; a time that could not be kept is none, as in the log."""
        time = self.row["record_time"]
        return (0, -1 if time is None else int(time))

    def leader_epoch(self) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class Ending:
    """How the replay of one letter ended."""

    letter: QueuedLetter
    state: str
    reason: str | None = None
    sqlstate: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was done at once."""

    stored: int = 0
    failed: int = 0
    superseded: int = 0
    is_more: bool = False


NOTHING = Replayed()


class Replays:
    """The replays of one deployment, as one of its workers does them."""

    def __init__(self, deployment: str, leases: Leases, target: Target) -> None:
        self._deployment = deployment
        self._leases = leases
        self._target = target

    def is_queued(self, connection: Connection) -> bool:
        """Whether there is one of any partition."""
        named = {"deployment": self._deployment}
        row = connection.execute(queries().is_queued, named).fetchone()
        return row is not None and bool(row["is_queued"])

    def replay(self, connection: Connection, held: Mapping[Partition, Lease]) -> Replayed:
        """Store the next of them. Raises LeaseLost and the database's errors; all stay queued."""
        places, left = self._partitions(connection, list(held))
        if not places and not left:
            return NOTHING
        with connection.transaction():
            firsts = {place for place in held if left and place[1] == 0}
            self._leases.hold(connection, held, list(firsts.union(places)))
            if left:
                connection.execute(queries().lock_leases, self._places(left))
            letters = self._take(connection, [*places, *left])
            endings = self._store(connection, letters)
            self._settle(connection, endings)
            self._supersede(connection, endings)
        states = [ending.state for ending in endings]
        return Replayed(
            states.count(REPLAYED), states.count(FAILED), states.count(SUPERSEDED), bool(letters)
        )

    def _partitions(
        self, connection: Connection, held: Sequence[Partition]
    ) -> tuple[list[Partition], list[Partition]]:
        """Where letters are queued: of what is held, and of what a topic had that is gone."""
        found: tuple[list[Partition], list[Partition]] = ([], [])
        for row in connection.execute(queries().queued_partitions, self._places(held)):
            found[0 if row["is_held"] else 1].append((row["topic"], row["partition"]))
        return found

    def _take(self, connection: Connection, places: Sequence[Partition]) -> list[QueuedLetter]:
        values = {**self._places(places), "limit": AT_ONCE, "bytes": BYTES_AT_ONCE}
        return [QueuedLetter(row) for row in connection.execute(queries().take_queued, values)]

    def _places(self, partitions: Sequence[Partition]) -> dict[str, object]:
        return places_of(self._deployment, partitions)

    # Storing ----------------------------------------------------------------------------------

    def _store(self, connection: Connection, letters: Sequence[QueuedLetter]) -> list[Ending]:
        """What can be stored is; how each of them ended."""
        self._target.refresh(connection, [])
        lines, endings = self._lines(letters)
        fresh, old = self._apart(connection, lines)
        bad = self._narrowed(connection, fresh)
        good = [each for each in fresh if each[0].row["id"] not in bad]
        endings += [
            Ending(letter, FAILED, bad[letter.row["id"]].reason, bad[letter.row["id"]].sqlstate)
            for letter, _ in fresh
            if letter.row["id"] in bad
        ]
        return [*endings, *old, *self._ended(good)]

    def _lines(
        self, letters: Iterable[QueuedLetter]
    ) -> tuple[list[tuple[QueuedLetter, bytes]], list[Ending]]:
        lines, failed = [], []
        for letter in letters:
            line = line_or_reason(self._target, letter)
            if isinstance(line, Unstorable):
                failed.append(Ending(letter, FAILED, str(line)))
            else:
                lines.append((letter, line))
        return lines, failed

    def _apart(
        self, connection: Connection, lines: Sequence[tuple[QueuedLetter, bytes]]
    ) -> tuple[list[tuple[QueuedLetter, bytes]], list[Ending]]:
        """Those to be stored, and those that are about what is stored already."""
        asked = [line for letter, line in lines if self._is_doubtful(letter, line)]
        stored = self._target.stored_keys(connection, asked) if asked else set()
        fresh, old = [], []
        for letter, line in lines:
            if self._is_doubtful(letter, line) and self._target.key(line) in stored:
                reason = THERE_ALREADY if self._target.keeps_first else UNKNOWN
                old.append(Ending(letter, SUPERSEDED, reason))
            else:
                fresh.append((letter, line))
        return fresh, old

    def _is_doubtful(self, letter: QueuedLetter, line: bytes) -> bool:
        """Whether its state does not tell that nothing newer is stored."""
        if self._target.keeps_first:
            return True
        return not letter.row["is_forced"] and self._target.key(line) != letter.row["record_id"]

    def _narrowed(
        self, connection: Connection, fresh: Sequence[tuple[QueuedLetter, bytes]]
    ) -> dict[int, DeadLetter]:
        if not fresh:
            return {}
        batch = Batch([letter for letter, _ in fresh], [line for _, line in fresh])
        bad = store_narrowed(connection, self._target, batch)
        found: dict[int, DeadLetter] = {}
        for each in bad:
            assert isinstance(each.record, QueuedLetter)
            found[each.record.row["id"]] = each
        return found

    def _ended(self, good: Sequence[tuple[QueuedLetter, bytes]]) -> list[Ending]:
        """Of several of one row one is stored: the first or the last, as the target has it."""
        one_of: dict[bytes, int] = {}
        for letter, line in good if not self._target.keeps_first else reversed(good):
            if (key := self._target.key(line)) is not None:
                one_of[key] = letter.row["id"]
        return [
            Ending(letter, REPLAYED)
            if one_of.get(self._target.key(line) or b"", letter.row["id"]) == letter.row["id"]
            else Ending(letter, SUPERSEDED, THERE_ALREADY)
            for letter, line in good
        ]

    def _settle(self, connection: Connection, endings: Sequence[Ending]) -> None:
        if not endings:
            return
        values = {
            "ids": [each.letter.row["id"] for each in endings],
            "states": [each.state for each in endings],
            "reasons": [each.reason and without_nul(each.reason) for each in endings],
            "sqlstates": [each.sqlstate for each in endings],
        }
        connection.execute(queries().settle, values)

    def _supersede(self, connection: Connection, endings: Collection[Ending]) -> None:
        """What failed before a replayed one, and is not replayed itself, is older than it."""
        written = [
            (first, last, each.letter)
            for each in endings
            if each.state == REPLAYED
            for _, first, last in self._target.outdates([self._target.line(each.letter)])
        ]
        if written:
            values = {
                "deployment": self._deployment,
                "firsts": [first for first, _, _ in written],
                "lasts": [last for _, last, _ in written],
                "ids": [letter.row["id"] for _, _, letter in written],
            }
            connection.execute(queries().supersede_before, values)
