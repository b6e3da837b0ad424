"""`grnry up`: which processes make one machine's Granary, and what is said to its user."""

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from grnry.database.embedded import PLATFORM_ROLE, WORKER_ROLE, EmbeddedPostgres
from grnry.errors import StartError
from grnry.household.child import ChildSpec
from grnry.household.folder import DataFolder, Ports, Running, Secrets
from grnry.household.probes import accepts_connections, answers_ready
from grnry.household.supervisor import Supervisor
from grnry.settings import Settings

_HOW_TO_REACH_OTHERS = (
    "GRNRY_KAFKA_SECURITY_PROTOCOL",
    "GRNRY_KAFKA_USERNAME",
    "GRNRY_KAFKA_PASSWORD",
    "GRNRY_KAFKA_CA",
    "GRNRY_KAFKA_CERTIFICATE",
    "GRNRY_KAFKA_KEY",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What `grnry up` is asked for."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    as_json: bool = False
    detached: bool = False


class Announcement(msgspec.Struct, omit_defaults=True):
    """What a program is told when all is ready, as one line."""

    api: str
    data: str
    database: str
    kafka: str
    user: str = ""
    password: str | None = None
    issuer: str = ""


def up(options: Options, settings: Settings) -> None:
    """Start everything, and keep it until a signal says otherwise."""
    folder = DataFolder(options.data)
    folder.open()
    try:
        with listen(options.host, options.port) as listener:
            household = Household(folder, options, settings, listener)
            asyncio.run(household.supervisor().run(household.announce))
    finally:
        folder.close()


def listen(host: str, port: int) -> socket.socket:
    """The API's socket. It outlives the API's process, so that a restart refuses nobody."""
    if not 0 <= port <= 65535:
        raise StartError(f"There is no port {port}. Choose one up to 65535, or 0 for a free one.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "that is no name of a host"
        raise StartError(
            f"Cannot listen on {host}:{port}: {why}. "
            "Choose another with --port (0 takes a free one) or --host."
        ) from error
    listener.listen(1024)
    return listener


class Household:
    """The processes of one machine and their addresses."""

    def __init__(
        self, folder: DataFolder, options: Options, settings: Settings, listener: socket.socket
    ) -> None:
        self._folder = folder
        self._options = options
        self._settings = settings
        self._listener = listener
        self._secrets: Secrets = folder.secrets()
        self._ports: Ports = folder.ports()
        self._postgres = EmbeddedPostgres(
            folder.postgres,
            folder.run,
            self._ports.database,
            self._secrets.platform_password,
            self._secrets.worker_password,
        )
        self._password = None if folder.is_claimed else self._first_password()

    def _first_password(self) -> str:
        return self._settings.admin_password or secrets.token_urlsafe(12)

    @property
    def _api(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()[:2]
        return ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)

    @property
    def _api_url(self) -> str:
        host, port = self._api
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def _kafka(self) -> str:
        """The brokers that the environment names, else our own."""
        return self._settings.kafka_bootstrap or self._own_log

    @property
    def _own_log(self) -> str:
        return f"127.0.0.1:{self._ports.kafka}"

    @property
    def _database(self) -> str:
        return f"postgresql://127.0.0.1:{self._ports.database}/grnry"

    def supervisor(self) -> Supervisor:
        running = Running(0, 0, self._api_url, self._database, self._kafka)
        return Supervisor(self._folder, self.children(), running)

    def children(self) -> list[ChildSpec]:
        """In the order of dependence."""
        log = ["broker", "--data", str(self._folder.log), "--listen", self._own_log]
        fd = self._listener.fileno()
        health = self._folder.run / "reconciler.sock"
        children = [
            ChildSpec(
                name="postgres",
                command=self._postgres.command,
                is_ready=partial(_is_ready, self._postgres.is_ready),
                prepare=self._postgres.make,
                stop_signal=signal.SIGINT,
                hurry_signal=signal.SIGQUIT,
                clear=self._postgres.clear,
            ),
            self._process("broker", log, partial(accepts_connections, *self._kafka_address())),
            self._process(
                "api", ["api", "--fd", str(fd)], partial(answers_ready, self._api), (fd,)
            ),
            self._process(
                "reconciler",
                ["reconciler", "--health", str(health)],
                partial(answers_ready, health),
            ),
        ]
        has_own_log = not self._settings.kafka_bootstrap
        return [one for one in children if has_own_log or one.name != "broker"]

    def _kafka_address(self) -> tuple[str, int]:
        return ("127.0.0.1", self._ports.kafka)

    def _process(
        self,
        name: str,
        arguments: list[str],
        is_ready: Callable[[], Awaitable[bool]],
        inherit: tuple[int, ...] = (),
    ) -> ChildSpec:
        # -P: what lies in the folder that the user stands in is not imported.
        command = [sys.executable, "-P", "-m", "grnry.processes", *arguments]
        return ChildSpec(
            name=name,
            command=lambda: command,
            is_ready=is_ready,
            environment={} if name == "broker" else self._environment(name),
            inherit=inherit,
        )

    def _environment(self, name: str) -> dict[str, str]:
        secret, postgres = self._secrets, self._postgres
        environment = {
            "GRNRY_WORKER_DATABASE_URL": postgres.url(
                # By TCP: its buffers grow, so a batch is on its way while the server still reads.
                WORKER_ROLE,
                secret.worker_password,
                socket=False,
            ),
            "GRNRY_DATABASE_URL": postgres.url(
                PLATFORM_ROLE, secret.platform_password, socket=True
            ),
            "GRNRY_KAFKA_BOOTSTRAP": self._kafka,
            "GRNRY_DATA": str(self._folder.path),
        }
        if not self._settings.kafka_bootstrap:  # what holds for other brokers is not for ours
            environment |= dict.fromkeys(_HOW_TO_REACH_OTHERS, "")
        if name == "api":
            environment |= {
                "GRNRY_SECRETS_FOLDER": str(self._folder.project_secrets),
                "GRNRY_CLI_SECRET": secret.cli_secret,
                "GRNRY_ADMIN_PASSWORD": self._password or "",
            }
        return environment

    def announce(self) -> None:
        """Say that all is ready; the password is shown once, on the first start."""
        said = Announcement(self._api_url, str(self._folder.path), self._database, self._kafka)
        if self._settings.oidc_issuer:  # `admin` may not log in, so there is no password to show
            said.issuer = self._settings.oidc_issuer
        else:
            said.user = "admin"
            said.password = None if self._settings.admin_password else self._password
        text = msgspec.json.encode(said).decode() if self._options.as_json else _for_people(said)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        if not self._settings.oidc_issuer:
            self._folder.claim()
        if self._options.detached:
            self._let_go()

    def _let_go(self) -> None:
        """Whoever waits for what is said is told that nothing more will be."""
        log = (self._folder.logs / "supervisor.log").open("ab")
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        log.close()


async def _is_ready(check: Callable[[], bool]) -> bool:
    return check()


def _for_people(said: Announcement) -> str:
    login = f"with a token of {said.issuer}" if said.issuer else f"user {said.user}"
    if said.password:
        login += f", password {said.password}   (shown this once: keep it)"
    return f"""
Granary is ready.

  API        {said.api}   (page over it: {said.api}/docs)
  Kafka      {said.kafka}
  SQL        {said.database}   (credentials: grnry sql --url)
  Data       {said.data}
  Login      {login}
             On this machine the command line logs in by itself.

Next, in a second terminal:
  ./grnry event-type create calls --correlation-id 'payload.user' --event-id 'payload.id'
  ./grnry persister start calls
  ./grnry send calls '{{"user": "u1", "id": "1", "text": "hello"}}'
  ./grnry sql "select correlation_id, message from global.eventstore_calls"

Ctrl-C stops everything."""
