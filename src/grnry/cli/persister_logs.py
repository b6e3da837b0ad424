"""A persister's log by the API: its last lines, and what is added to them."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from grnry.cli.client import Api

MOST = 500
LOOK_SECONDS = 0.5


def show_logs(api: "Api", place: str, lines: int, *, follow: bool) -> None:
    known: list[str] = api.get(place, {"lines": MOST if follow else lines})["logs"]
    _print(known[-lines:])
    try:
        while follow:
            time.sleep(LOOK_SECONDS)
            found: list[str] = api.get(place, {"lines": MOST})["logs"]
            added, is_whole = new_lines(known, found)
            if not is_whole:
                print("… more was written than can be asked for at once")
            _print(added)
            known = found
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def new_lines(known: Sequence[str], found: Sequence[str]) -> tuple[list[str], bool]:
    """What was added since, and whether nothing is missing before it.

    The end of what is known is looked for in what is found: as much of it as may still be there.
    """
    if not known:
        return list(found), True
    for size in range(min(len(known), len(found)), 0, -1):
        if list(found[:size]) == list(known[-size:]):
            return list(found[size:]), True
    return list(found), False


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(_printable(line))
    sys.stdout.flush()


def _printable(text: str) -> str:
    """What an event brought into a log must not move the cursor of who reads it."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)
