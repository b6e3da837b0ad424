"""Where a database is, out of its address, for people who are to connect to it."""

from dataclasses import dataclass
from typing import Any

from psycopg.conninfo import conninfo_to_dict

SSL_MODES = ("require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Place:
    """Host, port and name, without credentials."""

    host: str
    port: int
    database: str
    ssl: bool
    """Whether the address insists on it."""


def place_of(url: str) -> Place:
    """Of several hosts the first; a Unix socket is on this machine."""
    parts: dict[str, Any] = conninfo_to_dict(url)
    host = str(parts.get("host") or "localhost").split(",")[0]
    port = str(parts.get("port") or "5432").split(",")[0]
    return Place(
        host="localhost" if host.startswith(("/", "@")) else host,
        port=int(port),
        database=str(parts.get("dbname") or parts.get("user") or "postgres"),
        ssl=str(parts.get("sslmode") or "") in SSL_MODES,
    )
