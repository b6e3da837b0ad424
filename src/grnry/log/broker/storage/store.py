"""A data folder: its lock, its identity, its topics and group offsets; opened and closed as one."""

import errno
import fcntl
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from grnry.log.broker.errors import BrokerStartError, DamagedLogError

from .config import LogDefaults
from .files import OpenFiles, sync_folder, write_atomically
from .group_commit import CanSync
from .group_offsets import GroupOffsets
from .recovery import log
from .topics import Topics

_PRODUCER_IDS_AT_ONCE = 1000
_SYNC_THREADS = 8
_SYNC_AT_ONCE = 256
_EPOCHS_SINCE = 1_735_689_600  # the begin of 2025, so that 31 bits last until 2093
_WORTH_A_CHECKPOINT = 1024
FORMAT = 1


def _sync(file: CanSync) -> None:
    file.sync()


def _remedy(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Free some space on its disk, and start again; the log is not damaged by that."
    return "Make it readable and writable for this user, or name another folder."


def _epoch_after(last: int) -> int:
    """Above the last one, and above what a later life of the same folder may have used.

    The folder may be a copy from a backup, stopped cleanly, of a log that went on: nothing in it
    tells. The clock does.
    """
    return max(last + 1, int(time.time()) - _EPOCHS_SINCE)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Store:
    def __init__(self, folder: Path, defaults: LogDefaults, open_files: int) -> None:
        self.folder = folder
        self.files = OpenFiles(open_files)
        self.topics = Topics(folder, self.files, defaults)
        self.group_offsets = GroupOffsets(folder)
        self.cluster_id = ""
        self.epoch = 0
        self._next_producer_id = 0
        self._producer_ids_until = 0
        self._lock = -1

    # Start

    def open(self) -> None:
        """Lock the folder and recover; nothing may be asked before."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            was_clean = self._read_identity()
            self.topics.load()
            self.group_offsets.load()
            if not was_clean:
                self._recover_all()
            self._clean_marker.unlink(missing_ok=True)
            sync_folder(self.folder)
        except OSError as error:
            raise BrokerStartError(
                f"The data folder {self.folder} can't be used: {error.strerror or error}. "
                f"{_remedy(error)}"
            ) from error

    @property
    def _clean_marker(self) -> Path:
        return self.folder / "clean-shutdown"

    @property
    def _identity_file(self) -> Path:
        return self.folder / "broker.json"

    def _take_lock(self) -> None:
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._lock, 32).decode().strip()
            raise BrokerStartError(
                f"Another broker (process {owner}) runs on {self.folder}. Stop it, or give this "
                f"one a folder of its own."
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _read_identity(self) -> bool:
        """Who we are, in a new leader epoch; tells whether the last stop was a clean one."""
        if not self._identity_file.exists():
            self.cluster_id = uuid4().hex[:22]
            self.epoch = _epoch_after(-1)
            self._save_identity()
            return True
        try:
            content = json.loads(self._identity_file.read_bytes())
            self.cluster_id, self.epoch = content["cluster"], content["epoch"]
            self._next_producer_id = content["producer_ids_from"]
            version = content["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedLogError(
                f"{self._identity_file} can't be read ({error}). Restore it from a backup."
            ) from error
        if version != FORMAT:
            raise BrokerStartError(
                f"{self.folder} has the format {version}, this broker reads {FORMAT}. Use the "
                f"version of grnry that wrote it."
            )
        self._producer_ids_until = self._next_producer_id
        self.epoch = _epoch_after(self.epoch)
        self._save_identity()
        return self._clean_marker.exists()

    def _save_identity(self) -> None:
        content: dict[str, Any] = {
            "format": FORMAT,
            "cluster": self.cluster_id,
            "epoch": self.epoch,
            "producer_ids_from": self._producer_ids_until,
        }
        write_atomically(self._identity_file, json.dumps(content).encode())

    def _recover_all(self) -> None:
        started = time.monotonic()
        now = now_ms()
        count = 0
        with ThreadPoolExecutor(_SYNC_THREADS) as pool:
            for topic in self.topics:
                written = [one for one in topic.written() if one < topic.partitions]
                for start in range(0, len(written), _SYNC_AT_ONCE):
                    some = [topic.open(one, now) for one in written[start : start + _SYNC_AT_ONCE]]
                    marks = [log.begin_sync() for log in some if log.is_dirty]
                    list(pool.map(_sync, [file for mark in marks for file in mark.files]))
                    for log_of_one in some:
                        log_of_one.save_checkpoint_after(_WORTH_A_CHECKPOINT)
                count += len(written)
        log.info(
            "recovered %d partitions in %.2f s after an unclean stop; the leader epoch is now %d",
            count,
            time.monotonic() - started,
            self.epoch,
        )

    # Producer ids

    def new_producer_id(self) -> int:
        """Never given twice: a block is set aside on disk before its first is used."""
        if self._next_producer_id >= self._producer_ids_until:
            self._producer_ids_until = self._next_producer_id + _PRODUCER_IDS_AT_ONCE
            self._save_identity()
        self._next_producer_id += 1
        return self._next_producer_id - 1

    # Stop

    def close(self) -> None:
        """Save what makes the next start short, and say that all is well."""
        for topic in self.topics:
            for partition in topic.opened():
                partition.close()
        self.group_offsets.close()
        self._clean_marker.write_bytes(b"")
        sync_folder(self.folder)
        self.release()

    def release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
