"""Which batches of idempotent producers a partition has: what comes twice is kept once."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from grnry.log.broker.protocol.batches import Header
from grnry.log.broker.protocol.errors import ErrorCode, RequestError

REMEMBERED = 5
NO_PRODUCER = -1
_SEQUENCES = 1 << 31


class Written(NamedTuple):
    first_sequence: int
    last_sequence: int
    base_offset: int


class Producer(NamedTuple):
    epoch: int
    last_time: int
    batches: tuple[Written, ...]


class Plan(NamedTuple):
    duplicate_of: int | None
    changes: dict[int, Producer]


class Producers:
    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, Producer] = {}

    def __len__(self) -> int:
        return len(self._known)

    def plan(self, headers: list[Header], base_offset: int, now_ms: int) -> Plan:
        """What an append would change; raises if a batch is out of order or of an old epoch."""
        changes: dict[int, Producer] = {}
        duplicates = []
        for header in headers:
            if header.producer_id != NO_PRODUCER:
                producer = changes.get(header.producer_id) or self._known.get(header.producer_id)
                earlier = _duplicate(producer, header)
                if earlier is None:
                    changed = _next(producer, header, base_offset, now_ms)
                    changes[header.producer_id] = changed
                else:
                    duplicates.append(earlier.base_offset)
            base_offset += header.last_offset_delta + 1
        if duplicates and len(duplicates) < len(headers):
            raise RequestError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, "Some of the batches are here already."
            )
        return Plan(duplicates[0] if duplicates else None, changes)

    def take(self, changes: dict[int, Producer]) -> None:
        self._known.update(changes)

    def replay(self, header: Header, now_ms: int) -> None:
        """Learn from a batch that is in the log."""
        if header.producer_id == NO_PRODUCER:
            return
        known = self._known.get(header.producer_id)
        if known is not None and known.epoch != header.producer_epoch:
            known = None
        self._known[header.producer_id] = _with(known, header, header.base_offset, now_ms)

    def expire(self, before_ms: int) -> None:
        self._known = {
            producer_id: producer
            for producer_id, producer in self._known.items()
            if producer.last_time >= before_ms
        }

    def dump(self) -> list[Any]:
        return [[producer_id, *producer] for producer_id, producer in self._known.items()]

    def load(self, rows: Iterable[Any]) -> None:
        for producer_id, epoch, last_time, batches in rows:
            kept = tuple(Written(*batch) for batch in batches)
            self._known[producer_id] = Producer(epoch, last_time, kept)


def _last_sequence(header: Header) -> int:
    return (header.base_sequence + header.last_offset_delta) % _SEQUENCES


def _duplicate(producer: Producer | None, header: Header) -> Written | None:
    if producer is None or producer.epoch != header.producer_epoch:
        return None
    first, last = header.base_sequence, _last_sequence(header)
    for batch in producer.batches:
        if batch.first_sequence == first and batch.last_sequence == last:
            return batch
    return None


def _next(producer: Producer | None, header: Header, base_offset: int, now_ms: int) -> Producer:
    if producer is None:
        # Its earlier batches may have gone by retention: any sequence is taken, as Kafka does.
        return _with(None, header, base_offset, now_ms)
    if header.producer_epoch < producer.epoch:
        raise RequestError(
            ErrorCode.INVALID_PRODUCER_EPOCH,
            f"A producer with a newer epoch ({producer.epoch}) took over.",
        )
    if header.producer_epoch > producer.epoch:
        expected, known = 0, None
    else:
        expected, known = (producer.batches[-1].last_sequence + 1) % _SEQUENCES, producer
    if header.base_sequence != expected:
        raise RequestError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"Sequence {header.base_sequence} came, {expected} is next.",
        )
    return _with(known, header, base_offset, now_ms)


def _with(producer: Producer | None, header: Header, base_offset: int, time: int) -> Producer:
    written = Written(header.base_sequence, _last_sequence(header), base_offset)
    before = producer.batches[-(REMEMBERED - 1) :] if producer else ()
    return Producer(header.producer_epoch, time, (*before, written))
