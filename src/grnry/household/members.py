"""The processes that make one machine's Granary: their commands, addresses and environments.

What was given from outside is not among them; the others are told its address.
"""

import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grnry.database.embedded import PLATFORM_ROLE, WORKER_ROLE, EmbeddedPostgres
from grnry.household.child import ChildSpec
from grnry.household.folder import DataFolder
from grnry.household.outside import Outside, as_role, without_login
from grnry.household.probes import accepts_connections, answers_ready

LOOPBACK = "127.0.0.1"
API_STOP_SECONDS = 6.0
RECONCILER_STOP_SECONDS = 8.0
_HOW_TO_REACH_OTHERS = (
    "GRNRY_KAFKA_SECURITY_PROTOCOL",
    "GRNRY_KAFKA_USERNAME",
    "GRNRY_KAFKA_PASSWORD",
    "GRNRY_KAFKA_CA",
    "GRNRY_KAFKA_CERTIFICATE",
    "GRNRY_KAFKA_KEY",
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is, without credentials."""

    api: str
    database: str
    kafka: str
    metrics: str


class Members:
    """The processes of one machine."""

    def __init__(
        self, folder: DataFolder, outside: Outside, listener: socket.socket, admin_password: str
    ) -> None:
        self._folder = folder
        self._outside = outside
        self._listener = listener
        self._admin_password = admin_password
        self._secrets = folder.secrets()
        self.ports = folder.ports()
        self._postgres = EmbeddedPostgres(
            folder.postgres,
            folder.run,
            self.ports.database,
            self._secrets.platform_password,
            self._secrets.worker_password,
        )

    @property
    def _api(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()[:2]
        return ({"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host), port)

    @property
    def addresses(self) -> Addresses:
        outside, (host, port) = self._outside, self._api
        return Addresses(
            api=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
            database=without_login(outside.database_url)
            if outside.database_url
            else f"postgresql://{LOOPBACK}:{self.ports.database}/grnry",
            kafka=outside.kafka_bootstrap or f"{LOOPBACK}:{self.ports.kafka}",
            metrics=""
            if outside.kafka_bootstrap
            else f"http://{LOOPBACK}:{self.ports.metrics}/metrics",
        )

    @property
    def project_secrets(self) -> Path:
        outside = self._outside.database_url
        return self._folder.project_secrets_of(without_login(outside) if outside else "")

    def specs(self) -> list[ChildSpec]:
        """In the order of dependence."""
        mine = [self._api_spec(), self._reconciler_spec()]
        if not self._outside.kafka_bootstrap:
            mine.insert(0, self._broker_spec())
        if not self._outside.database_url:
            mine.insert(0, self._postgres_spec())
        return mine

    def _postgres_spec(self) -> ChildSpec:
        return ChildSpec(
            name="postgres",
            command=self._postgres.command,
            is_ready=partial(_is_ready, self._postgres.is_ready),
            address=f"{LOOPBACK}:{self.ports.database}",
            prepare=self._postgres.make,
            stop_signal=signal.SIGINT,
            hurry_signal=signal.SIGQUIT,
            wake=self._postgres.wake,
            clear=self._postgres.clear,
        )

    def _broker_spec(self) -> ChildSpec:
        address = self.addresses.kafka
        words = ["--data", str(self._folder.log), "--listen", address]
        return ChildSpec(
            name="broker",
            command=_command("broker", *words, "--metrics", f"{LOOPBACK}:{self.ports.metrics}"),
            is_ready=partial(accepts_connections, LOOPBACK, self.ports.kafka),
            address=address,
        )

    def _api_spec(self) -> ChildSpec:
        fd = self._listener.fileno()
        return ChildSpec(
            name="api",
            command=_command("api", "--fd", str(fd)),
            is_ready=partial(answers_ready, self._api),
            address=self.addresses.api,
            environment=self._environment()
            | {
                "GRNRY_SECRETS_FOLDER": str(self.project_secrets),
                "GRNRY_CLI_SECRET": self._secrets.cli_secret,
                "GRNRY_ADMIN_PASSWORD": self._admin_password,
            },
            inherit=(fd,),
            stop_seconds=API_STOP_SECONDS,
        )

    def _reconciler_spec(self) -> ChildSpec:
        health = self._folder.run / "reconciler.sock"
        return ChildSpec(
            name="reconciler",
            command=_command("reconciler", "--health", str(health)),
            is_ready=partial(answers_ready, health),
            environment=self._environment(),
            stop_seconds=RECONCILER_STOP_SECONDS,
        )

    def _environment(self) -> dict[str, str]:
        platform, worker = self._database_urls()
        environment = {
            "GRNRY_DATABASE_URL": platform,
            "GRNRY_WORKER_DATABASE_URL": worker,
            "GRNRY_KAFKA_BOOTSTRAP": self.addresses.kafka,
            "GRNRY_DATA": str(self._folder.path),
        }
        if not self._outside.kafka_bootstrap:  # what holds for other brokers is not for ours
            environment |= dict.fromkeys(_HOW_TO_REACH_OTHERS, "")
        return environment

    def _database_urls(self) -> tuple[str, str]:
        """As the platform's role, and as the workers'."""
        outside, secrets = self._outside, self._secrets
        if outside.database_url:
            made = as_role(outside.database_url, WORKER_ROLE, secrets.worker_password)
            return outside.database_url, outside.worker_database_url or made
        return (
            self._postgres.url(PLATFORM_ROLE, secrets.platform_password, socket=True),
            # By TCP: its buffers grow, so a batch is on its way while the server still reads.
            self._postgres.url(WORKER_ROLE, secrets.worker_password, socket=False),
        )


def _command(*words: str) -> Callable[[], list[str]]:
    # -P: what lies in the folder that the user stands in is not imported.
    command = [sys.executable, "-P", "-m", "grnry.processes", *words]
    return lambda: command


async def _is_ready(check: Callable[[], bool]) -> bool:
    return check()
