"""Where a database is, out of its address, for people who are to connect to it."""

from dataclasses import dataclass
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

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


def address_of(
    *, host: str, port: int, database: str, sslmode: str, username: str, password: str
) -> str:
    """An address out of parts that others have given, and of nothing else.

    Names and passwords of this machine's own files and environment are not for them.
    """
    is_verified = sslmode.startswith("verify")
    return make_conninfo(
        host=host,
        port=port,
        dbname=database,
        user=username,
        password=password,
        # The machine's authorities are the only ones we know, and with them names are compared.
        sslmode="verify-full" if is_verified else sslmode,
        **({"sslrootcert": "system"} if is_verified else {}),
        gssencmode="disable",
        passfile="/dev/null",
    )
