"""Dead letters: what could not be stored, kept with its original bytes.

One that is about a row which was written later is superseded: storing it would bring back what is
old. So each is kept with the row that it is about, as its target names rows, and what a batch
writes supersedes what failed before it.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

from grnry.database.queries import Queries, load
from grnry.sinks.batch import Batch, DeadLetter, Partition
from grnry.sinks.target import Connection, Target

logger = logging.getLogger(__name__)

TELL_SECONDS = 10.0
FAILED, SUPERSEDED = "failed", "superseded"

LONGEST_ID = 2000
"""Bytes of a row's name that fit an index; longer ones are not kept."""

_LATEST = 9_000_000_000_000_000
"""Milliseconds since 1970; PostgreSQL's calendar ends soon after."""


def add(
    connection: Connection,
    deployment: str,
    target: Target,
    batch: Batch,
    letters: Sequence[DeadLetter],
) -> None:
    """Keep the dead letters of a batch, of whose records these are those that are stored."""
    if letters:
        ids = [_id_of(target, letter) for letter in letters]
        newer = _Newer(target, batch, {one for one in ids if one is not None})
        rows = [
            _row(letter, id_, is_old=newer.than(letter, id_))
            for letter, id_ in zip(letters, ids, strict=True)
        ]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        connection.execute(queries().add, {"deployment": deployment, **columns})


def supersede(connection: Connection, deployment: str, target: Target, batch: Batch) -> None:
    """What failed before a batch, and is about what the batch writes."""
    if target.keeps_first and not target.outdates(batch.lines):
        return
    named = {"deployment": deployment}
    row = connection.execute(queries().has_open, named).fetchone()
    if row is not None and row["has_open"]:
        written = target.outdates(batch.lines)
        firsts, lasts = [first for first, _ in written], [last for _, last in written]
        connection.execute(queries().supersede, {**named, "firsts": firsts, "lasts": lasts})


def _id_of(target: Target, letter: DeadLetter) -> bytes | None:
    id_ = target.key_of(letter.record)
    return id_ if id_ is not None and len(id_) <= LONGEST_ID else None


class _Newer:
    """What of a batch is newer than its own dead letters."""

    def __init__(self, target: Target, batch: Batch, ids: set[bytes]) -> None:
        self._rows: dict[tuple[Partition, bytes], int] = {}
        self._ranges: list[tuple[Partition, int, bytes, bytes]] = []
        for record, line in zip(batch.records, batch.lines, strict=True) if ids else ():
            partition = (record.topic(), record.partition())
            for first, last in target.outdates([line]):
                if first != last:
                    self._ranges.append((partition, record.offset(), first, last))
                elif first in ids:
                    self._rows[partition, first] = record.offset()

    def than(self, letter: DeadLetter, id_: bytes | None) -> bool:
        if id_ is None:
            return False
        record = letter.record
        partition, at = (record.topic(), record.partition()), record.offset()
        return self._rows.get((partition, id_), -1) > at or any(
            partition == where and offset > at and first <= id_ <= last
            for where, offset, first, last in self._ranges
        )


def _row(letter: DeadLetter, record_id: bytes | None, *, is_old: bool) -> dict[str, Any]:
    record = letter.record
    headers = record.headers() or []
    return {
        "topic": record.topic(),
        "partition": record.partition(),
        "record_offset": record.offset(),
        "record_time": time if 0 <= (time := record.timestamp()[1]) < _LATEST else None,
        "key": record.key(),
        "payload": record.value(),
        "header_names": _array(_quoted(without_nul(name)) for name, _ in headers),
        "header_values": _array(
            "NULL" if value is None else f'"\\\\x{value.hex()}"' for _, value in headers
        ),
        "reason": without_nul(letter.reason),
        "sqlstate": letter.sqlstate,
        "record_id": record_id,
        "state": SUPERSEDED if is_old else FAILED,
    }


def _array(elements: Iterable[str]) -> str:
    """An array as the server writes it."""
    return "{" + ",".join(elements) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Told:
    """What is said of dead letters in the log: at once, and then not more than now and then."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._count = 0

    def tell(self, letters: Sequence[DeadLetter]) -> None:
        self._count += len(letters)
        if not letters or time.monotonic() - self._at < TELL_SECONDS:
            return
        record = letters[0].record
        logger.warning(
            "Put %d more aside as dead letters; one is of partition %d, offset %d: %s",
            self._count,
            record.partition(),
            record.offset(),
            letters[0].reason,
        )
        self._at, self._count = time.monotonic(), 0


def without_nul(text: str) -> str:
    return text.replace("\0", "\ufffd")


def queries() -> Queries:
    return load("grnry.sinks", "dead_letters.sql")
