"""The offsets groups commit: a journal that is synced before a commit is answered.

Each entry is a JSON line behind its CRC. When most of the journal is outdated, it is written anew.
"""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import crc32c

from grnry.log.broker.errors import DamagedLogError

from .files import OpenFile, read_if_there, write_at, write_atomically

log = logging.getLogger("grnry.log.broker")

Place = tuple[str, int]  # topic and partition
_REWRITE_ABOVE = 1 << 20


class Committed(NamedTuple):
    offset: int
    leader_epoch: int
    metadata: str


class SyncMark(NamedTuple):
    files: list[OpenFile]


class GroupOffsets:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "group-offsets"
        self._groups: dict[str, dict[Place, Committed]] = {}
        self.empty_since: dict[str, int] = {}
        self.members: dict[str, Any] = {}  # of groups that were settled
        self._size = 0
        self._rewritten_size = 0
        self._file: OpenFile | None = None

    def load(self) -> None:
        data = read_if_there(self._path)
        if data is None:
            write_atomically(self._path, b"")
            data = b""
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines):
            entry = parsed(line)
            if entry is None:
                self._check_rest(lines[number + 1 :])
                break
            self._replay(entry)
            self._size += len(line)
        self._file = OpenFile(str(self._path))
        if self._size < len(data):
            log.warning("%s: cut %d bytes at its end", self._path, len(data) - self._size)
            self.rewrite()

    def _check_rest(self, lines: list[bytes]) -> None:
        if any(parsed(line) is not None for line in lines):
            raise DamagedLogError(
                f"{self._path} is damaged at byte {self._size}, and sound entries follow. Restore "
                f"the file from a backup, or go back to the offsets committed up to there with: "
                f"truncate -s {self._size} '{self._path}'"
            )

    def _replay(self, entry: list[Any]) -> None:
        kind, group, content = entry
        if kind == "commit":
            offsets = self._groups.setdefault(group, {})
            for topic, partition, *committed in content:
                offsets[topic, partition] = Committed(*committed)
            self.empty_since.pop(group, None)
        elif kind == "forget":
            for topic, partition in content:
                self._groups.get(group, {}).pop((topic, partition), None)
        elif kind == "delete":
            self._groups.pop(group, None)
            self.empty_since.pop(group, None)
        elif kind == "empty":
            self.empty_since[group] = content
            self.members.pop(group, None)
        elif kind == "members":
            self.members[group] = content
            self.empty_since.pop(group, None)

    # What is known

    def groups(self) -> list[str]:
        return list(self._groups)

    def of(self, group: str) -> dict[Place, Committed]:
        return self._groups.get(group, {})

    # What changes

    def commit(self, group: str, offsets: dict[Place, Committed]) -> None:
        rows = [[*place, *committed] for place, committed in offsets.items()]
        self._write(["commit", group, rows])

    def forget(self, group: str, places: list[Place]) -> None:
        self._write(["forget", group, [list(place) for place in places]])

    def delete(self, group: str) -> None:
        self._write(["delete", group, None])

    def mark_empty(self, group: str, since_ms: int) -> None:
        if group in self._groups or group in self.members:
            self._write(["empty", group, since_ms])

    def keep_members(self, group: str, members: Any) -> None:
        """Not waited for: what a power cut takes makes members join again, no more."""
        self._write(["members", group, members])

    def forget_topic(self, topic: str) -> None:
        for group, offsets in self._groups.items():
            places = [place for place in offsets if place[0] == topic]
            if places:
                self.forget(group, places)

    def _write(self, entry: list[Any]) -> None:
        assert self._file is not None
        line = _line(entry)
        write_at(self._file, line, self._size)
        self._size += len(line)
        self._replay(entry)

    # Durability

    def begin_sync(self) -> SyncMark:
        assert self._file is not None
        return SyncMark([self._file])

    def end_sync(self, mark: SyncMark) -> None:
        if self._size > _REWRITE_ABOVE + 4 * self._rewritten_size:
            try:
                self.rewrite()
            except OSError as error:
                log.warning("%s can't be written anew, it goes on growing: %s", self._path, error)

    def rewrite(self) -> None:
        """Keep the newest only."""
        lines = []
        for group, offsets in self._groups.items():
            rows = [[*place, *committed] for place, committed in offsets.items()]
            lines.append(_line(["commit", group, rows]))
            if group in self.empty_since:
                lines.append(_line(["empty", group, self.empty_since[group]]))
        lines += [_line(["members", *entry]) for entry in self.members.items()]
        data = b"".join(lines)
        write_atomically(self._path, data)
        self._file = OpenFile(str(self._path))
        self._size = self._rewritten_size = len(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.sync()
            self._file = None


def _line(entry: list[Any]) -> bytes:
    body = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (crc32c.crc32c(body), body)


def parsed(line: bytes) -> list[Any] | None:
    """An entry of the journal, or None where it is not whole and sound."""
    crc, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or crc != b"%08x" % crc32c.crc32c(body):
        return None
    entry: list[Any] = json.loads(body)
    return entry
