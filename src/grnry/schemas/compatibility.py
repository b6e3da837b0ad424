"""Which changes of a live segment's schema would break what was written under earlier ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grnry.schemas.bounds import MAX_COLUMNS
from grnry.schemas.columns import FORMATTED, ColumnType, column_types
from grnry.schemas.comparison import Comparison, TooComplex
from grnry.schemas.document import JsonSchema
from grnry.schemas.errors import MOST_PROBLEMS, path_of
from grnry.schemas.known import Known
from grnry.schemas.nodes import Root


@dataclass(frozen=True, slots=True)
class Break:
    """A record that was valid under the earlier version may not be under the new one."""

    path: str
    """Where in the new schema, as a JSON pointer; references are followed without being named."""
    reason: str
    version: int
    """The earliest version that the new one is not compatible with at this path."""

    @property
    def sentence(self) -> str:
        return f"{self.path} {self.reason} (since version {self.version})"


def breaks(new: JsonSchema, earlier: Sequence[JsonSchema]) -> tuple[Break, ...]:
    """All breaks of the new schema with the earlier versions, of which the first is version 1."""
    found: dict[tuple[str, str], Break] = {}
    after, names = column_types(new), set[str]()
    for version, old in enumerate(earlier, start=1):
        before = column_types(old)
        names |= before.keys()
        for path, reason in (*_of_columns(before, after, old), *_of_values(old, new)):
            found.setdefault((path, reason), Break(path, reason, version))
    width = len(names | after.keys())
    if width > MAX_COLUMNS:
        reason = (
            f"would give the table {width:,} columns, as those of earlier versions stay; "
            f"{MAX_COLUMNS:,} is the most"
        )
        found["#/properties", reason] = Break("#/properties", reason, len(earlier))
    return tuple(found.values())[:MOST_PROBLEMS]


def _of_columns(
    before: dict[str, ColumnType], after: dict[str, ColumnType], old: JsonSchema
) -> Iterator[tuple[str, str]]:
    """Where a column's type would change, which no table can do without being written again.

    A property that was no column, but could be in records, may have held what its type refuses.
    """
    known = Known([Root(old).node], lenient=True)
    for name, now in after.items():
        path, was = path_of(("properties", name)), before.get(name)
        if was is None and now in FORMATTED and not known.absent(name):
            if "string" in known.of_property(name).kinds:
                yield path, f"is a column of type {now} now, and records could hold other strings"
        elif was is not None and was is not now:
            yield path, f"changes the column's type from {was} to {now}"


def _of_values(old: JsonSchema, new: JsonSchema) -> list[tuple[str, str]]:
    if old.draft.number > 4 and new.draft.number == 4:
        return [("#/$schema", "is draft 4, in which 1.0 is no integer; in the earlier draft it is")]
    known = Known([Root(old).node], lenient=True)
    try:
        found = Comparison().breaks(known, Root(new).node)
    except TooComplex:
        reason = "is too complex to be compared with the earlier version, so it counts as a break"
        return [("#", reason)]
    return [(path_of(item.steps), item.reason) for item in found]
