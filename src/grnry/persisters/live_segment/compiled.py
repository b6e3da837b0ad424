"""The loop that makes the lines of usual records, compiled for the columns of one schema. Pure.

To go through a list of columns for each record takes as long as what is done with their values.
So the columns are written out as source, as dataclasses do with their fields. For an `id`, a text
that is required, one that is not, and a number with a default this goes into the loop below:

    BEFORE_ID, id_ := integer(found[N0]), BEFORE_ROW, id_,
    lengths[len(v1 := found[N1].encode())], v1,
    NULL if (v2 := found.get(N2)) is None else lengths[len(v2 := v2.encode())], v2 or b"",
    NULL if (v3 := found.get(N3, D3)) is None else double(8, v3),

Names are numbers there: what people call their columns is never source, only a value that it names.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import msgspec

from grnry.persisters.copying import (
    FALSE,
    JSONBS,
    LENGTHS,
    NULL,
    TRUE,
    jsonb_start,
    length_of,
)
from grnry.persisters.loops import Loop, compiled
from grnry.schemas import Column, ColumnType

# Whatever is not usual is an error of some step, and another's to make or to explain. No text
# has a NUL that is not written as ESCAPED_NUL, so no text has to be looked at; letters that only
# look like it are unusual enough.
_SOURCE = """
def lines(records, otherwise):
    made = []
    add = made.append
    for record in records:
        try:
            value = record.value()
            if BACKSLASH in value and value.find(ESCAPED_NUL) >= 0:
                raise ValueError
            found = decode(value)
            if not may_be_valid(found):
                raise ValueError
            lengths, jsonbs = SHORT if len(value) < LONG else ANY
            line = join((
                {items},
            ))
        except Exception:
            add(otherwise(record))
        else:
            add(line)
    return made
"""


class _Starts(dict[int, bytes]):
    """What a field begins with, by any length: looked up where it is short."""

    def __init__(self, short: Sequence[bytes], make: Callable[[int], bytes]) -> None:
        super().__init__(enumerate(short))
        self._make = make

    def __missing__(self, size: int) -> bytes:
        return self._make(size)


_NAMES: dict[str, Any] = {
    "SHORT": (LENGTHS, JSONBS),
    "ANY": (_Starts(LENGTHS, length_of), _Starts(JSONBS, jsonb_start)),
    "NULL": NULL,
    "BOOLEANS": {True: TRUE, False: FALSE, None: NULL},
    "integer": Struct(">q").pack,
    "bigint": Struct(">iq").pack,
    "double": Struct(">id").pack,
    "encode": msgspec.json.Encoder().encode,
    "decode": msgspec.json.Decoder().decode,
}


def line_maker(
    version: int,
    columns: Sequence[Column],
    may_be_valid: Callable[[Any], bool],
    key_of: Callable[[Any], bytes],
) -> Loop:
    """What makes a line of each record, or has `otherwise` answer for it where it is not usual."""
    names = {
        **_NAMES,
        "may_be_valid": may_be_valid,
        "key_of": key_of,
        "VERSION": version.to_bytes(4),
        "COLUMNS": len(columns).to_bytes(2),
        "LONG": _long(columns),
        "BEFORE_ID": version.to_bytes(4) + length_of(8),
        "BEFORE_ROW": len(columns).to_bytes(2) + length_of(8),
    }
    for number, column in enumerate(columns):
        names[f"N{number}"] = _as_read(column.name)
        if column.default is not None:
            names[f"D{number}"] = column.default.value
    others = [_field(number, column) for number, column in enumerate(columns) if number]
    items = [*_beginning(columns[0]), *others]
    source = _SOURCE.format(items=",\n                ".join(items))
    return compiled("lines", source, names)


def _long(columns: Sequence[Column]) -> int:
    """Bytes of a record that may have a text too long for the look-up: none is longer than it."""
    defaults = [column.default.value for column in columns if column.default is not None]
    fits = all(len(_NAMES["encode"](value)) < len(LENGTHS) for value in defaults)
    return len(LENGTHS) if fits else 0


def _as_read(name: str) -> str:
    """The object that the reader has for this name in most records: found without comparing."""
    (found,) = _NAMES["decode"](msgspec.json.encode({name: None}))
    assert isinstance(found, str)
    return found


def _beginning(key: Column) -> list[str]:
    """The version, the key with its length, the number of columns, and the first of them."""
    if key.type is ColumnType.BIGINT:
        return ["BEFORE_ID, id_ := integer(found[N0]), BEFORE_ROW, id_"]
    made = "VERSION, LENGTHS[len(id_ := key_of(found[N0]))], id_, COLUMNS"
    return [made, "lengths[len(v0 := found[N0].encode())], v0"]


def _field(number: int, column: Column) -> str:
    """The items that are a field: its length and its value, as one or as two."""
    value, taken = f"v{number}", f"found.get(N{number})"
    is_there = not column.nullable and column.default is None
    if is_there:
        taken = f"found[N{number}]"
    elif column.default is not None:
        taken = f"found.get(N{number}, D{number})"
    some = f"NULL if ({value} := {taken}) is None else"
    match column.type:
        case ColumnType.BOOLEAN:
            return f"BOOLEANS[{taken}]"
        case ColumnType.BIGINT | ColumnType.DOUBLE:
            pack = "bigint" if column.type is ColumnType.BIGINT else "double"
            return f"{pack}(8, {taken})" if is_there else f"{some} {pack}(8, {value})"
        case ColumnType.JSONB:
            return f'{some} jsonbs[len({value} := encode({value}))], {value} or b""'
    if is_there:
        return f"lengths[len({value} := {taken}.encode())], {value}"
    return f'{some} lengths[len({value} := {value}.encode())], {value} or b""'
