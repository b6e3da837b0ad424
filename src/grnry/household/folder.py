"""The data folder: where everything of one machine lies, who holds it, what it was told.

.grnry/
├── version          of the folder's layout
├── lock             held by the one `grnry up` that runs on it
├── secrets.json     passwords of the database's roles and of the command line, owner only
├── ports.json       the ports of the log and of PostgreSQL, kept from start to start
├── claimed          a first start came to its end, and its password was shown
├── running.json     what runs now: addresses and processes
├── postgres/  log/  the data
├── secrets/         credentials of projects, owner only
├── logs/            one file per process, and the one before it
└── run/             sockets
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
from pathlib import Path
from typing import Any

import msgspec

from grnry.errors import StartError

LAYOUT = 1
MINIMUM_FREE_MB = 512
SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET = "/run/.s.PGSQL.65535.lock"
# What may lie in a folder without a version: what is ours, and what each disk has.
NOTHING_ELSE = {
    *("lock", "log", "logs", "run", "secrets", "postgres", "claimed"),
    *("secrets.json", "ports.json", "running.json", "lost+found"),
}


class Secrets(msgspec.Struct, frozen=True):
    """What the processes of one machine know of each other."""

    platform_password: str
    worker_password: str
    cli_secret: str

    @classmethod
    def make(cls) -> "Secrets":
        return cls(*(secrets.token_hex(24) for _ in cls.__struct_fields__))


class Ports(msgspec.Struct, frozen=True):
    """Where the log, PostgreSQL and the log's metrics listen."""

    kafka: int
    database: int
    metrics: int = 9404


class Process(msgspec.Struct, frozen=True):
    """A process that was started, told from a later one with the same number by its start."""

    name: str
    pid: int
    started: int
    ready: bool = False
    restarts: int = 0
    state: str = "starting"
    """`starting`, `ready`, `stopping`, or `down` while it waits to be started again."""

    since: float = 0.0
    """When it was started, in seconds since 1970."""

    address: str = ""


class Running(msgspec.Struct, frozen=True):
    """What a running `grnry up` says of itself."""

    pid: int
    started: int
    api: str
    database: str
    kafka: str
    processes: tuple[Process, ...] = ()
    state: str = "starting"
    """`starting`, `ready` or `stopping`."""

    since: float = 0.0
    outside: tuple[str, ...] = ()
    """What was given from outside: `database`, `kafka`."""

    metrics: str = ""
    """Where the log tells its metrics."""

    secrets: str = ""
    """The folder of the projects' credentials."""


class DataFolder:
    """A data folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.postgres = self.path / "postgres"
        self.log = self.path / "log"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        self.project_secrets = self.path / "secrets"
        self._lock: int | None = None

    def is_claimed(self, database: str = "") -> bool:
        """Whether a first start has come to its end, and its password was shown.

        Each database from outside has an `admin` of its own.
        """
        return self._claim_of(database).exists()

    def claim(self, database: str = "") -> None:
        self._claim_of(database).touch()

    def _claim_of(self, database: str) -> Path:
        return self.path / (f"claimed-{_digest(database)}" if database else "claimed")

    def project_secrets_of(self, database: str = "") -> Path:
        """Each database from outside has roles with passwords of their own."""
        return self.project_secrets / _digest(database) if database else self.project_secrets

    def open(self, minimum_free_mb: int = MINIMUM_FREE_MB) -> None:
        """Make or take the folder; it is ours alone until this process ends."""
        self._check_length()
        try:
            self._check_content()
            for folder in (self.path, self.log, self.logs, self.run, self.project_secrets):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            self._check_space(minimum_free_mb)
            self._check_version()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._no_space(minimum_free_mb) from error
            raise StartError(
                f"The data folder {self.path} cannot be used: {error.strerror}. "
                "Make it a folder that is writable for you, or choose another with --data."
            ) from error

    def _check_length(self) -> None:
        size, most = len(os.fsencode(self.path)), SOCKET_PATH_LIMIT - len(LONGEST_SOCKET)
        if size > most:
            raise StartError(
                f"The path of the data folder {self.path} is too long for the sockets in it: it "
                f"has {size} bytes, {most} at most would do. Choose a shorter one with --data."
            )

    def _check_content(self) -> None:
        """Before anything is made there: a folder that holds what is not ours is left alone."""
        if not self.path.is_dir() or (self.path / "version").exists():
            return
        if others := sorted({path.name for path in self.path.iterdir()} - NOTHING_ELSE):
            named = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            raise StartError(
                f"{self.path} holds other things ({named}) and is no data folder of Granary. "
                "Choose an empty folder, or one that is not there yet, with --data."
            )

    def _check_space(self, minimum_mb: int) -> None:
        if shutil.disk_usage(self.path).free < minimum_mb * 2**20:
            raise self._no_space(minimum_mb)

    def _no_space(self, minimum_mb: int) -> StartError:
        return StartError(
            f"Less than {minimum_mb} MB are free where the data folder {self.path} lies. Make room "
            "there, choose another folder with --data, or ask for less in GRNRY_MIN_FREE_MB."
        )

    def _take_lock(self) -> None:
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            running = self.running()
            where = f" at {running.api} (process {running.pid})" if running else ""
            raise StartError(
                f"Granary runs on the data folder {self.path} already{where}. "
                "Stop it with `grnry stop`, or choose another folder with --data."
            ) from None
        self._lock = lock

    def _check_version(self) -> None:
        file = self.path / "version"
        found = file.read_text(errors="replace").strip() if file.exists() else ""
        if not found:  # a new folder, or one whose first start was killed just here
            file.write_text(f"{LAYOUT}\n")
        elif not found.isdecimal():
            raise StartError(
                f"{file} does not hold the number of a layout, so {self.path} may not be a data "
                "folder of Granary. Choose another with --data."
            )
        elif int(found) > LAYOUT:
            raise StartError(
                f"The data folder {self.path} is of a newer version of Granary (layout {found}, "
                f"this one knows {LAYOUT}). Start that version, or choose another with --data."
            )

    def close(self) -> None:
        if self._lock is not None:
            (self.path / "running.json").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def secrets(self) -> Secrets:
        found = self.known_secrets()
        if found is None:
            found = Secrets.make()
            self._write("secrets.json", found)
        return found

    def ports(self, *, kafka: int = 9092, database: int = 15432) -> Ports:
        """The ports of the last start where they are still free, else others that are."""
        last = self.last_ports()
        wanted = last or Ports(kafka, database)
        with (
            _free_port(wanted.kafka) as log,
            _free_port(wanted.database) as postgres,
            _free_port(wanted.metrics) as metrics,
        ):
            ports = Ports(*(taken.getsockname()[1] for taken in (log, postgres, metrics)))
        if ports != last:
            self._write("ports.json", ports)
        return ports

    def last_ports(self) -> Ports | None:
        found: Ports | None = self._read_note("ports.json", Ports)
        return found

    def known_secrets(self) -> Secrets | None:
        """Those of an earlier start; none are made."""
        found: Secrets | None = self._read("secrets.json", Secrets)
        return found

    def running(self) -> Running | None:
        """What runs on the folder, as far as its own note tells."""
        found = self._read_note("running.json", Running)
        return found if found and start_of(found.pid) == found.started else None

    def leftovers(self) -> list[Process]:
        """Processes of an earlier `grnry up` that was killed and that still run."""
        found = self._read_note("running.json", Running)
        return [p for p in found.processes if start_of(p.pid) == p.started] if found else []

    def note_running(self, running: Running) -> None:
        self._write("running.json", running)

    def _read_note(self, name: str, kind: type[Any]) -> Any:
        """What may be lost without harm: where it is damaged, there is none."""
        try:
            return self._read(name, kind)
        except _DamagedError:
            return None

    def _read(self, name: str, kind: type[Any]) -> Any:
        file = self.path / name
        try:
            return msgspec.json.decode(file.read_bytes(), type=kind)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StartError(f"{file} cannot be read: {error.strerror}.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _DamagedError(
                f"{file} is damaged ({error}). Put a copy of it back from a backup, or choose "
                "another data folder with --data."
            ) from error

    def _write(self, name: str, value: Any) -> None:
        """Write whole or not at all, readable by the owner only."""
        new = self.path / f"{name}.new"
        text = msgspec.json.format(msgspec.json.encode(value), indent=2)
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.rename(self.path / name)
        except OSError as error:
            raise StartError(f"{self.path / name} cannot be written: {error.strerror}.") from error


class _DamagedError(StartError):
    """A file of the data folder is not what was written there."""


def _digest(database: str) -> str:
    return hashlib.sha256(database.encode()).hexdigest()[:16]


def start_of(pid: int) -> int | None:
    """When a process started, in the kernel's ticks; none where it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def _free_port(preferred: int) -> socket.socket:
    """A socket bound to the port, or to another that is free."""
    for port in (preferred, 0):
        probe = socket.socket()
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            probe.close()
        else:
            return probe
    raise StartError("No port is free on 127.0.0.1.")
