"""What is in the log files, as entries of all processes in the order of their time."""

import heapq
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grnry.logs import LogFile

BLOCK = 64 * 1024

# 2021-08-16 12:30:22.156  INFO [api,<trace>,<span>,] 4711 --- [thread] logger : message
_COMMON = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) +(?P<level>[A-Z]+) \[[^]]*\] \d+ --- "
    r"\[[^]]*\] \S+ : (?P<message>.*)",
    re.DOTALL,
)
# 2021-08-16 12:30:22.156 UTC [4711] LOG:  message, in GMT before its settings are read
_POSTGRES = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?:UTC|GMT) \[\d+\] (?P<level>[A-Z]+\d?): +"
    r"(?P<message>.*)",
    re.DOTALL,
)
_BEGINS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} |\{\"timestamp\": ?\"")
_POSTGRES_LEVELS = {
    "LOG": "INFO",
    "FATAL": "ERROR",
    "PANIC": "ERROR",
    "NOTICE": "INFO",
    "STATEMENT": "INFO",
    "DETAIL": "INFO",
    "HINT": "INFO",
}


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A line with a time, and those below it that have none, such as a stack trace."""

    time: str
    """As `2021-08-16T12:30:22.156Z`, so that its order is the order of time."""

    process: str = field(compare=False)
    text: str = field(compare=False)

    def as_json(self) -> dict[str, str]:
        level, message = "", self.text
        if (found := _as_json(self.text)) is not None:
            level = str(found.get("level", ""))
            message = str(found.get("message", ""))
            if stack := found.get("stackTrace"):
                message += f"\n{stack}"
        elif parsed := _COMMON.fullmatch(self.text) or _POSTGRES.fullmatch(self.text):
            level, message = parsed["level"], parsed["message"]
        level = _POSTGRES_LEVELS.get(level, level)
        return {"time": self.time, "process": self.process, "level": level, "message": message}


def _as_json(text: str) -> dict[str, object] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def entries_of(process: str, data: bytes, after: str = "") -> list[Entry]:
    """Parse whole lines; those before the first time belong to `after`, the entry before them."""
    found: list[Entry] = []
    time, lines = after, list[str]()

    def finish() -> None:
        if lines:
            found.append(Entry(time, process, "\n".join(lines)))
            lines.clear()

    for raw in data.splitlines():
        line = raw.decode(errors="replace")
        if _BEGINS.match(raw):
            finish()
            # A clock that was set back must not part what stands together.
            time = max(time, time_of(line))
        lines.append(line)
    finish()
    return found


def time_of(line: str) -> str:
    if line.startswith("{"):
        return str((_as_json(line) or {}).get("timestamp", ""))
    return f"{line[:10]}T{line[11:23]}Z"


def last_entries(file: LogFile, count: int | None, end: int | None = None) -> list[Entry]:
    """The last entries of a process, from the file aside as well where they reach there."""
    found = _last_of(file.path, file.name, count, end)
    if count is None or len(found) < count:
        rest = None if count is None else count - len(found)
        found = [*_last_of(file.aside, file.name, rest), *found]
    return found


def _last_of(path: Path, process: str, count: int | None, end: int | None = None) -> list[Entry]:
    """Read from the end, as far back as it takes."""
    if count is not None and count <= 0:
        return []
    try:
        with path.open("rb") as opened:
            size = opened.seek(0, 2)
            size = size if end is None else min(size, end)
            wanted = size if count is None else BLOCK
            while True:
                start = max(0, size - wanted)
                opened.seek(start)
                found = entries_of(process, opened.read(size - start))
                # The first of a part may be the end of an entry that began before it.
                whole = found if start == 0 else found[1:]
                if start == 0 or (count is not None and len(whole) >= count):
                    return whole if count is None else whole[-count:]
                wanted *= 4
    except FileNotFoundError:
        return []


def merged(
    files: list[LogFile], count: int | None, ends: Mapping[Path, int] | None = None
) -> list[Entry]:
    """The last entries of all of them together; of each file up to its end, where one is given."""
    ends = ends or {}
    every = list(heapq.merge(*(last_entries(file, count, ends.get(file.path)) for file in files)))
    return every if count is None else every[max(0, len(every) - count) :]


class Follower:
    """Reads what is added to a log file, also while it is put aside and emptied."""

    def __init__(self, file: LogFile, *, from_start: bool = False) -> None:
        self.file = file
        self._aside = self._identity_of_aside()
        self.position = 0 if from_start else self._end_of_lines()
        self._time = ""

    def read(self) -> list[Entry]:
        """The whole lines that were added since the last call."""
        return list(self._read())

    def _read(self) -> Iterator[Entry]:
        aside = self._identity_of_aside()
        if aside != self._aside or self._size() < self.position:
            if aside is not None and aside != self._aside:
                yield from self._entries(self.file.aside)
            self._aside, self.position = aside, 0
        yield from self._entries(self.file.path)

    def _entries(self, path: Path) -> list[Entry]:
        try:
            with path.open("rb") as opened:
                opened.seek(self.position)
                data = opened.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self.position += len(whole)
        found = entries_of(self.file.name, whole, self._time)
        if found:
            self._time = found[-1].time
        return found

    def _end_of_lines(self) -> int:
        """Behind the last line that is whole."""
        try:
            with self.file.path.open("rb") as opened:
                start = max(0, opened.seek(0, 2) - BLOCK)
                opened.seek(start)
                return start + opened.read().rfind(b"\n") + 1
        except FileNotFoundError:
            return 0

    def _size(self) -> int:
        try:
            return self.file.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _identity_of_aside(self) -> int | None:
        try:
            return self.file.aside.stat().st_ino
        except FileNotFoundError:
            return None
