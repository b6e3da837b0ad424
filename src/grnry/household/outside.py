"""What `grnry up` is given from outside: a database, a log. It uses them and does not start them.

Whether they answer is asked in a process that ends at once, so that the supervisor does not carry
the weight of their clients for as long as it lives.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from grnry.errors import CANNOT_START, StartError
from grnry.settings import Settings

DATABASE, LOG = "database", "kafka"
ASK_SECONDS = 20.0


class Answered(msgspec.Struct, frozen=True):
    """What those outside said."""

    admin_is_claimed: bool = False
    """Somebody has logged in as `admin` with the password that the database keeps."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The addresses that were given; empty where the household starts its own."""

    database_url: str = ""
    worker_database_url: str = ""
    kafka_bootstrap: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "Outside":
        if settings.worker_database_url and not settings.database_url:
            raise StartError(
                "GRNRY_WORKER_DATABASE_URL is given without GRNRY_DATABASE_URL. Give both for a "
                "database from outside, or neither for the embedded one."
            )
        if settings.database_url:
            check_form("GRNRY_DATABASE_URL", settings.database_url)
        if settings.worker_database_url:
            check_form("GRNRY_WORKER_DATABASE_URL", settings.worker_database_url)
        return cls(settings.database_url, settings.worker_database_url, settings.kafka_bootstrap)

    @property
    def names(self) -> tuple[str, ...]:
        given = {DATABASE: self.database_url, LOG: self.kafka_bootstrap}
        return tuple(name for name, address in given.items() if address)

    def ask(self) -> Answered:
        """Raise one sentence where one of them does not answer."""
        if not self.names:
            return Answered()
        environment = {
            **os.environ,
            "GRNRY_DATABASE_URL": self.database_url,
            "GRNRY_WORKER_DATABASE_URL": self.worker_database_url,
            "GRNRY_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
        }
        command = [sys.executable, "-P", "-m", "grnry.household.reach"]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=ASK_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise StartError(
                f"What was given from outside does not answer within {ASK_SECONDS:.0f} s "
                f"({', '.join(self.names)}). Look whether its host is reachable from here."
            ) from error
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=Answered)
        said = done.stderr.decode(errors="replace").strip()
        if done.returncode != CANNOT_START:
            said = f"What was given from outside cannot be asked: {said.splitlines()[-1:]}"
        raise StartError(said)


def check_form(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"postgresql", "postgres"} and len(parts.path) > 1
    except ValueError:
        is_url = False
    if not is_url:
        raise StartError(
            f"{name} is not the address of a database. Write it as "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        )


def as_role(url: str, role: str, password: str) -> str:
    """The same database for another role."""
    login = f"{quote(role, safe='')}:{quote(password, safe='')}@"
    return without_login(url).replace("postgresql://", f"postgresql://{login}", 1)


def without_login(url: str) -> str:
    """The address as it may be shown: no user, no password, wherever they stand."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    kept = [
        (key, value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
        if key not in {"user", "password", "passfile"}
    ]
    query = f"?{urlencode(kept, quote_via=quote)}" if kept else ""
    return f"postgresql://{place}{parts.path}{query}"
