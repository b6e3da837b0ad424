"""Loops over records whose source is put together for what the records are like. Pure.

As dataclasses do with their fields. Only templates and numbers become source: what people call
their columns and headers is a value that a name of the source stands for.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grnry.log.records import Record
from grnry.persisters.copying import BACKSLASH, ESCAPED_NUL, LENGTHS

Loop = Callable[[Sequence[Record], Callable[[Record], Any]], list[Any]]
"""What it makes of each record, or what the other function answers where one is not usual."""

_NAMES: dict[str, Any] = {
    "BACKSLASH": BACKSLASH,
    "ESCAPED_NUL": ESCAPED_NUL,
    "LENGTHS": LENGTHS,
    "join": b"".join,
}


def compiled(name: str, source: str, names: Mapping[str, Any]) -> Loop:
    """The function of this name, which the source defines."""
    known = {**_NAMES, **names}
    exec(compile(source, f"<{name} of records>", "exec"), known)  # noqa: S102 - see above
    loop: Loop = known[name]
    return loop
