"""What commands print: JSON for programs, aligned columns for people."""

import contextlib
import errno
import json
import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from grnry.database.json_text import JsonText


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_json_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """An array of objects, one a line, each made when it is printed: there may be many."""
    print("[", end="")
    for index, row in enumerate(rows):
        pairs = [f"{_json(name)}: {_json(value)}" for name, value in zip(columns, row, strict=True)]
        print(",\n " if index else "\n ", "{", ", ".join(pairs), "}", sep="", end="")
    print("\n]" if rows else "]")


def _json(value: Any) -> str:
    if isinstance(value, JsonText):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    return json.dumps(value, ensure_ascii=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    print("\n".join(table(columns, rows)))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Columns as wide as their widest cell, no frames, so that it can be cut and searched."""
    cells = [[_cell(value) for value in row] for row in rows]
    heads = [head_of(column) for column in columns]
    widths = [
        max([width_of(head), *(width_of(row[index]) for row in cells)])
        for index, head in enumerate(heads)
    ]
    return [
        "  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [heads, *cells]
    ]


def width_of(text: str) -> int:
    """The columns of a terminal that it takes: some characters are two wide, and some none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def head_of(column: str) -> str:
    """`createdAt` is `CREATED_AT`, as a column of SQL would be."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column).upper()


def print_fields(fields: Mapping[str, Any]) -> None:
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        print(f"{name.ljust(width)}  {_cell(value)}".rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list | bool):
        return _json(value)
    return str(value).replace("\n", "\\n")


def is_about_output(error: OSError) -> bool:
    """Whether nobody reads what is printed any more, or there is no place for it."""
    return error.errno in (errno.EPIPE, errno.ENOSPC)


def end_without_output(error: OSError) -> None:
    """Say what can be said; whoever has gone away is told nothing."""
    # Else what is still in the buffer is written, in vain, once more at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if error.errno == errno.ENOSPC:
        with contextlib.suppress(OSError):
            print("The output cannot be written: no space is left.", file=sys.stderr)
