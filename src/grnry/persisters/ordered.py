"""Rows of events whose headers stand in the same order: the loop is compiled for it. Pure.

A producer writes its headers always in one order. To make a `dict` of them takes longer than to
compare their names with that order, at once and in place. For the collector's, this is the loop:

    (n0, v0), (n1, v1), (n2, v2), (n3, v3), (n4, v4), (n5, v5) = record.headers()
    if (n0, n1, n2, n3, n4, n5) != NAMES:
        raise LookupError
"""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, TypeVar

from grnry.log.records import Header, Record
from grnry.persisters.copying import JSONBS, LENGTHS
from grnry.persisters.loops import Loop, compiled
from grnry.persisters.rows import (
    BEGINS,
    NUMBERS,
    QUOTE,
    UNUSUAL,
    VERSIONS,
    event_type_field,
    rows_of,
)

Other = TypeVar("Other")

MOST_ORDERS = 16
MOST_HEADERS = 50
MOST_HARVESTERS = 1000

_WANTED = {
    "grnry-correlation-id": "correlation_id",
    "grnry-event-id": "event_id",
    "grnry-event-timestamp": "created",
    "grnry-event-type-version": "version",
    "grnry-harvester-name": "harvester",
}
_FLAG = "grnry-deletion-flag"

_SOURCE = """
def rows(records, otherwise):
    made = []
    add = made.append
    for record in records:
        try:
            {pairs}, = record.headers()
            if ({names},) != NAMES:
                raise LookupError
            value = record.value()
            if (
                {correlation_id}[0] == QUOTE
                or {event_id}[0] == QUOTE
                or BACKSLASH in value and value.find(ESCAPED_NUL) >= 0
            ):
                raise ValueError
            row = join((
                BEGINS[len({correlation_id})],
                {correlation_id},
                LENGTHS[len({event_id})],
                {event_id},
                numbers(8, int({created}), 8, record.partition(), 8, record.offset()),
                EVENT_TYPE,
                VERSIONS[{version}],
                HARVESTERS[{harvester}],
                JSONBS[len(value)],
                value,
            ))
            record.set_headers(HEADERS(({values},)))
        except UNUSUAL:
            add(otherwise(record))
        else:
            add(row)
    return made
"""


class _Harvesters(dict[bytes, bytes]):
    """The fields of harvesters, by their names. Not of those that are empty or quoted."""

    def __missing__(self, name: bytes) -> bytes:
        if name[0] == QUOTE:
            raise LookupError(name)
        field = LENGTHS[len(name)] + name
        if len(self) < MOST_HARVESTERS:
            self[name] = field
        return field


class _Headers(tuple[bytes | None, ...]):
    """A record's headers, which it keeps for as long as its batch is not stored, by their values.

    The names are the same for all records of one order; the pairs are made for who goes over them.
    """

    __slots__ = ()
    names: ClassVar[tuple[str, ...]]

    def __iter__(self) -> Iterator[Header]:  # type: ignore[override]
        return zip(self.names, super().__iter__(), strict=True)


def _headers_of(names: tuple[str, ...]) -> type[_Headers]:
    return type("Headers", (_Headers,), {"__slots__": (), "names": names})


class OrderedRows:
    """Rows of one event type. Who brings other headers than the last ones is seen to as well."""

    def __init__(self, event_type: str) -> None:
        self._field = event_type_field(event_type)
        self._loops: dict[tuple[str, ...], Loop] = {}
        self._loop: Loop | None = None

    def of(
        self, records: Sequence[Record], otherwise: Callable[[Record], Other]
    ) -> list[bytes | Other]:
        """The tuples of records; for any that is not usual, what `otherwise` answers."""

        def by_name(record: Record) -> bytes | Other:
            return rows_of(self._field, (record,), otherwise)[0]

        self._loop = self._loop_for(records) or self._loop
        if self._loop is None:
            return rows_of(self._field, records, otherwise)
        return self._loop(records, by_name)

    def _loop_for(self, records: Sequence[Record]) -> Loop | None:
        """As the first of them has its headers."""
        names = tuple(name for name, _ in (records[0].headers() or ())) if records else ()
        if names not in self._loops and len(self._loops) < MOST_ORDERS and _is_usual(names):
            self._loops[names] = _loop_of(names, self._field)
        return self._loops.get(names)


def _is_usual(names: Sequence[str]) -> bool:
    has_each_once = all(names.count(wanted) == 1 for wanted in _WANTED)
    return has_each_once and _FLAG not in names and len(names) <= MOST_HEADERS


def _loop_of(names: tuple[str, ...], event_type: bytes) -> Loop:
    known = {
        "NAMES": names,
        "EVENT_TYPE": event_type,
        "HARVESTERS": _Harvesters(),
        "HEADERS": _headers_of(names),
        "BEGINS": BEGINS,
        "JSONBS": JSONBS,
        "QUOTE": QUOTE,
        "UNUSUAL": UNUSUAL,
        "VERSIONS": VERSIONS,
        "numbers": NUMBERS,
    }
    source = _SOURCE.format(
        pairs=", ".join(f"(n{at}, v{at})" for at in range(len(names))),
        names=", ".join(f"n{at}" for at in range(len(names))),
        values=", ".join(f"v{at}" for at in range(len(names))),
        **{variable: f"v{names.index(name)}" for name, variable in _WANTED.items()},
    )
    return compiled("rows", source, known)
