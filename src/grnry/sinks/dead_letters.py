"""Dead letters: what could not be stored, kept with its original bytes.

One that is about a row which was written by a later record is superseded: storing it would bring
back what is old. So each is kept with the row that it is about, as its target names rows, and with
the id of the topic that it was read from, as offsets of another one tell nothing of what is later.
"""

import logging
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from grnry.database.leases import places_of
from grnry.database.queries import Queries, load
from grnry.log.records import Record
from grnry.sinks.batch import Batch, DeadLetter, Partition
from grnry.sinks.target import Connection, Target

logger = logging.getLogger(__name__)

TELL_SECONDS = 10.0
FAILED, SUPERSEDED = "failed", "superseded"

LONGEST_ID = 2000
"""Bytes of a row's name that fit an index; longer ones are not kept."""

_LATEST = 9_000_000_000_000_000
"""Milliseconds since 1970; PostgreSQL's calendar ends soon after."""


def keep(
    connection: Connection,
    deployment: str,
    target: Target,
    batch: Batch,
    letters: Sequence[DeadLetter],
) -> None:
    """Keep dead letters; then those are superseded that are older than what the batch writes."""
    if letters:
        _add(connection, deployment, [_row(target, letter) for letter in letters])
    _supersede(connection, deployment, target, batch)


def doubt(connection: Connection, deployment: str, partitions: Sequence[Partition]) -> None:
    """Their log has lost its end, and stands where it stood with other records, or will."""
    connection.execute(queries().doubt, places_of(deployment, partitions))


def _add(connection: Connection, deployment: str, rows: Sequence[dict[str, Any]]) -> None:
    """A record that is read again has its dead letter already.

    Nobody else adds some meanwhile: the leases of their partitions are locked.
    """
    places = {
        **places_of(deployment, [(row["topic"], row["partition"]) for row in rows]),
        "offsets": [row["record_offset"] for row in rows],
        "times": [row["record_time"] for row in rows],
    }
    kept = {_content(row): row["id"] for row in connection.execute(queries().kept, places)}
    if fresh := [row for row in rows if _content(row) not in kept]:
        columns = {name: [row[name] for row in fresh] for name in fresh[0]}
        texts = {
            "header_names": [_array(map(_quoted, names)) for names in columns["header_names"]],
            "header_values": [_array(map(_bytea, some)) for some in columns["header_values"]],
        }
        connection.execute(queries().add, {"deployment": deployment, **columns, **texts})
    if again := [kept[_content(row)] for row in rows if _content(row) in kept]:
        connection.execute(queries().read_again, {"ids": again})


def _content(row: Mapping[str, Any]) -> Hashable:
    """What makes a record the same; but for its time, which is compared by the database."""
    return (
        (row["topic"], row["partition"], row["record_offset"]),
        (row["key"], row["payload"]),
        (tuple(row["header_names"]), tuple(row["header_values"])),
    )


def is_about_some(connection: Connection, deployment: str, target: Target, batch: Batch) -> bool:
    """Whether what a batch writes is about dead letters that wait for something."""
    return bool(_outdated(connection, deployment, target, batch)[1])


def _outdated(
    connection: Connection, deployment: str, target: Target, batch: Batch
) -> tuple[list[tuple[int, bytes, bytes]], set[bytes]]:
    """What a batch outdates, and the names of the rows that dead letters among it are about."""
    if target.keeps_first and not target.outdates(batch.lines):
        return [], set()
    named = {"deployment": deployment}
    row = connection.execute(queries().has_open, named).fetchone()
    if row is None or not row["has_open"]:
        return [], set()
    outdated = target.outdates(batch.lines)
    ranges = [(first, last) for _, first, last in outdated if first != last]
    asked = {
        **named,
        "names": list({first for _, first, last in outdated if first == last}),
        "firsts": [first for first, _ in ranges],
        "lasts": [last for _, last in ranges],
    }
    return outdated, {row["record_id"] for row in connection.execute(queries().outdated, asked)}


def _supersede(connection: Connection, deployment: str, target: Target, batch: Batch) -> None:
    outdated, found = _outdated(connection, deployment, target, batch)
    if not found:
        return
    # Of several of one partition that outdate the same the last one outdates most.
    written: dict[tuple[bytes, bytes, Partition], Record] = {}
    for at, first, last in outdated:
        if first in found or first != last:
            record = batch.records[at]
            written[first, last, (record.topic(), record.partition())] = record
    values = {
        "deployment": deployment,
        "firsts": [first for first, _, _ in written],
        "lasts": [last for _, last, _ in written],
        "topics": [topic for _, _, (topic, _) in written],
        "partitions": [number for _, _, (_, number) in written],
        "offsets": [record.offset() for record in written.values()],
        "times": [_time(record) for record in written.values()],
    }
    connection.execute(queries().supersede, values)


def _row(target: Target, letter: DeadLetter) -> dict[str, Any]:
    record = letter.record
    headers = record.headers() or []
    id_ = target.key_of(record)
    return {
        "topic": record.topic(),
        "partition": record.partition(),
        "record_offset": record.offset(),
        "record_time": _time(record),
        "key": record.key(),
        "payload": record.value(),
        "header_names": [without_nul(name) for name, _ in headers],
        "header_values": [value for _, value in headers],
        "reason": without_nul(letter.reason),
        "sqlstate": letter.sqlstate,
        "record_id": id_ if id_ is not None and len(id_) <= LONGEST_ID else None,
    }


def _time(record: Record) -> int | None:
    """Milliseconds since 1970, where a calendar has them."""
    time = record.timestamp()[1]
    return time if 0 <= time < _LATEST else None


def _array(elements: Iterable[str]) -> str:
    """An array as the server writes it."""
    return "{" + ",".join(elements) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bytea(value: bytes | None) -> str:
    return "NULL" if value is None else f'"\\\\x{value.hex()}"'


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
