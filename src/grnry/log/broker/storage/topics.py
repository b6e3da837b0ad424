"""The topics: names, ids, settings, partitions. A folder each, with `topic.json` in it."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

from grnry.log.broker.errors import DamagedLogError
from grnry.log.broker.protocol.errors import ErrorCode, RequestError

from .config import LogDefaults, TopicConfig, effective
from .files import OpenFiles, sync_folder, write_atomically
from .partition import PartitionLog
from .recovery import log, open_partition

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_DESCRIPTION = "topic.json"


class Shared(NamedTuple):
    """What all topics share."""

    files: OpenFiles
    defaults: LogDefaults


class Topic:
    __slots__ = ("_logs", "config", "folder", "given", "id", "name", "partitions", "shared")

    def __init__(
        self, folder: Path, topic_id: UUID, partitions: int, given: dict[str, str], shared: Shared
    ) -> None:
        self.folder = folder
        self.name = folder.name
        self.id = topic_id
        self.partitions = partitions
        self.given = given
        self.config: TopicConfig = effective(given, shared.defaults)
        self.shared = shared
        self._logs: dict[int, PartitionLog] = {}

    def log(self, partition: int, now: int) -> PartitionLog:
        """A partition's log, opened when it is first asked for."""
        found = self._logs.get(partition)
        if found is not None:
            return found
        if not 0 <= partition < self.partitions:
            raise RequestError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        try:
            return self.open(partition, now)
        except (OSError, DamagedLogError) as error:
            log.error("%s can't be opened: %s", self.folder / str(partition), error)
            raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, str(error)) from error

    def open(self, partition: int, now: int) -> PartitionLog:
        """As at the start of the broker, which a damaged partition must stop."""
        opened = open_partition(self.folder / str(partition), self.shared.files, now)
        self._logs[partition] = opened
        return opened

    def opened(self) -> list[PartitionLog]:
        return list(self._logs.values())

    def written(self) -> list[int]:
        """The partitions that have a folder."""
        names = os.listdir(self.folder)  # noqa: PTH208 (there may be thousands)
        return sorted(int(name) for name in names if name.isdigit())

    def save(self, partitions: int, given: dict[str, str]) -> None:
        write_atomically(self.folder / _DESCRIPTION, _description(self.id, partitions, given))
        self.partitions = partitions
        self.given = given
        self.config = effective(given, self.shared.defaults)


def _description(topic_id: UUID, partitions: int, given: Mapping[str, str]) -> bytes:
    content = {"id": str(topic_id), "partitions": partitions, "config": dict(given)}
    return json.dumps(content, indent=1).encode() + b"\n"


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise RequestError(
            ErrorCode.INVALID_TOPIC_EXCEPTION,
            "A topic's name has 1 to 249 letters, digits, dots, underscores and dashes.",
        )


class Topics:
    """All topics of a data folder."""

    def __init__(self, folder: Path, files: OpenFiles, defaults: LogDefaults) -> None:
        self._folder = folder / "topics"
        self._unfinished = folder / "unfinished"
        self._shared = Shared(files, defaults)
        self._topics: dict[str, Topic] = {}
        self._by_id: dict[UUID, Topic] = {}

    def load(self) -> None:
        """Read what is there; what was half made or half deleted goes."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._folder.mkdir(exist_ok=True)
        self._unfinished.mkdir()
        for name in sorted(os.listdir(self._folder)):  # noqa: PTH208 (there may be thousands)
            self._add(self._read(self._folder / name))

    def _read(self, folder: Path) -> Topic:
        try:
            content = json.loads((folder / _DESCRIPTION).read_bytes())
            return Topic(
                folder, UUID(content["id"]), content["partitions"], content["config"], self._shared
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedLogError(
                f"{folder / _DESCRIPTION} can't be read ({error}). Restore it from a backup, or "
                f"move the folder away to go on without the topic."
            ) from error

    def _add(self, topic: Topic) -> None:
        self._topics[topic.name] = topic
        self._by_id[topic.id] = topic

    @property
    def defaults(self) -> LogDefaults:
        return self._shared.defaults

    def __iter__(self) -> Iterator[Topic]:
        return iter(list(self._topics.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._topics

    def __len__(self) -> int:
        return len(self._topics)

    def get(self, name: str) -> Topic:
        try:
            return self._topics[name]
        except KeyError:
            raise RequestError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) from None

    def find(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def by_id(self, topic_id: UUID) -> Topic | None:
        return self._by_id.get(topic_id)

    def create(self, name: str, partitions: int, given: dict[str, str]) -> Topic:
        """Made aside and moved to its place, so that it is there whole or not at all."""
        topic_id = uuid4()
        aside = self._unfinished / str(topic_id)
        aside.mkdir()
        write_atomically(aside / _DESCRIPTION, _description(topic_id, partitions, given))
        folder = self._folder / name
        aside.rename(folder)
        sync_folder(self._folder)
        topic = Topic(folder, topic_id, partitions, given, self._shared)
        self._add(topic)
        return topic

    def delete(self, topic: Topic) -> Path:
        """Out of sight at once; the caller removes what is left when it has the time."""
        for opened in topic.opened():
            opened.forget_files()
        aside = self._unfinished / str(uuid4())
        topic.folder.rename(aside)
        sync_folder(self._folder)
        del self._topics[topic.name]
        del self._by_id[topic.id]
        return aside
