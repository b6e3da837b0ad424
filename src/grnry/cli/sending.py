"""How `grnry send` cuts what it is given into requests, keeps a pace, and adds up the answers."""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MOST_EVENTS = 1000
MOST_BYTES = 4 * 2**20
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """What one request carries, and how many lines it is; none where it is a body of its own."""

    body: bytes
    lines: int | None = None

    @property
    def content_type(self) -> str:
        return "application/json" if self.lines is None else "application/x-ndjson"


@dataclass(slots=True)
class Sum:
    """All answers added up."""

    accepted: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    not_listed: int = 0
    sent: int = 0
    """Events that the answers are about."""

    def add(self, answer: dict[str, Any]) -> None:
        rejected = answer["rejected"]
        not_listed = answer.get("rejectedNotListed", 0)
        for one in rejected:
            if len(self.rejected) < MOST_EVENTS:
                self.rejected.append({**one, "position": self.sent + one["position"]})
            else:
                self.not_listed += 1
        self.accepted += answer["accepted"]
        self.not_listed += not_listed
        self.sent += answer["accepted"] + len(rejected) + not_listed

    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = {"accepted": self.accepted, "rejected": self.rejected}
        return found | ({"rejectedNotListed": self.not_listed} if self.not_listed else {})

    def complaint(self) -> str:
        """What was not taken and why; empty where all was."""
        if not self.rejected:
            return ""
        first = self.rejected[:MOST_SHOWN]
        shown = [f"  event {one['position']}: {one['reason']}" for one in first]
        count = len(self.rejected) + self.not_listed
        more = [f"  and {count - len(shown)} more"] if count > len(shown) else []
        return "\n".join([f"{count} were not taken:", *shown, *more])


def pieces(file: BinaryIO, rate: int | None) -> Iterator[Piece]:
    """Lines by the thousand where the first line is an event; else all of it at once.

    With a rate no piece has more than a tenth of a second's events, so that they come evenly.
    """
    first = next((line for line in file if line.strip()), b"")
    if not _is_event(first):
        yield Piece(first + file.read())
        return
    most = MOST_EVENTS if rate is None else max(1, min(MOST_EVENTS, rate // 10))
    lines: list[bytes] = []
    size = 0
    for line in itertools.chain([first], file):
        if not line.strip():
            continue
        if lines and (len(lines) == most or size + len(line) > MOST_BYTES):
            yield Piece(b"".join(lines), len(lines))
            lines, size = [], 0
        # The last line of a file may have no end.
        lines.append(line if line.endswith(b"\n") else line + b"\n")
        size += len(line)
    if lines:
        yield Piece(b"".join(lines), len(lines))


def _is_event(line: bytes) -> bool:
    """Whether a line is a whole object; an array's events are not told apart here."""
    try:
        return isinstance(json.loads(line), dict)
    except RecursionError:
        return line.lstrip().startswith(b"{")
    except ValueError:
        return False


def paced(found: Iterator[Piece], rate: int | None) -> Iterator[Piece]:
    """Each when its time has come."""
    began, sent = time.monotonic(), 0
    for piece in found:
        if rate is not None:
            time.sleep(max(0.0, began + sent / rate - time.monotonic()))
            sent += piece.lines or 1
        yield piece


def watched(found: Iterator[Piece], total: int | None, sent: Callable[[], int]) -> Iterator[Piece]:
    """The same, with a bar on the terminal: how much of the file, how many events a second."""
    if not sys.stderr.isatty():
        yield from found
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    began = time.monotonic()
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%" if total else ""),
        TextColumn("{task.fields[events]:,} events, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, events=0, rate=0.0)
        for piece in found:
            yield piece
            seconds = max(time.monotonic() - began, 0.001)
            progress.update(task, advance=len(piece.body), events=sent(), rate=sent() / seconds)
