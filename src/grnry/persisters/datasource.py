"""Another database than the platform's, as `spring.datasource.*` names it. Pure.

Of the address only what is known here is heeded. What else a driver would take from it, such as
files to read, never reaches one.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

PREFIX = "jdbc:"
SHAPE = "must be an address such as jdbc:postgresql://host:5432/database"
HAS_LOGIN = "must not hold a login: spring.datasource.username and -.password do,"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
PLACEHOLDER = re.compile(r"\$\{[^{}]+\}")

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_LOGIN = ("user", "password")
_NAME = re.compile(r'([A-Za-z_][A-Za-z0-9_$]*)|"((?:[^"\0]|"")+)"')
_LONGEST_NAME = 63


class Datasource(msgspec.Struct, frozen=True):
    """Where it is, and as whom to log in."""

    host: str
    port: int
    database: str
    sslmode: str = "prefer"
    schema: str = "public"
    """Of tables that are named without theirs."""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"the database {self.database} on {self.host}:{self.port}"


def problem_of(value: str) -> str:
    """Why this is no address; empty where it is one, or a placeholder."""
    if PLACEHOLDER.fullmatch(value):
        return ""
    if not value.startswith(PREFIX + "postgresql://"):
        return SHAPE
    try:
        parts = urlsplit(value.removeprefix(PREFIX))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return SHAPE
    options = _options(parts.query)
    if "@" in parts.netloc or any(name in options for name in _LOGIN):
        return HAS_LOGIN
    if not _HOST.fullmatch(host) or port == 0 or "\0" in unquote(parts.path):
        return SHAPE
    if (mode := options.get("sslmode", "prefer")) not in SSL_MODES:
        return f"must have one of {', '.join(SSL_MODES)} for its sslmode, not '{mode[:20]}',"
    return ""


def read(url: str, username: str, password: str) -> Datasource | None:
    """The database that is named; none where no address is, or a placeholder stands for it."""
    if not url or PLACEHOLDER.fullmatch(url):
        return None
    parts = urlsplit(url.removeprefix(PREFIX))
    options = _options(parts.query)
    encrypted = "verify-full" if options.get("ssl", "false") in ("", "true") else "prefer"
    return Datasource(
        host=parts.hostname or "",
        port=parts.port or 5432,
        database=unquote(parts.path.strip("/")) or username,
        sslmode=options.get("sslmode", encrypted),
        schema=options.get("currentschema", "").split(",")[0] or "public",
        username=username,
        password=password,
    )


def missing_login(found: Datasource) -> str:
    """Why nobody can log in with what is given; empty where somebody may."""
    for key, value in (("username", found.username), ("password", found.password)):
        name = f"spring.datasource.{key}"
        if not value:
            return f"{name} is not given, and {found!r} needs a login"
        if PLACEHOLDER.fullmatch(value):
            return f"{name} is a placeholder, which stands for nothing in {found!r}"
    return ""


def _options(query: str) -> Mapping[str, str]:
    return {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}


def table_name(text: str, schema: str = "public") -> tuple[str, str] | None:
    """Schema and name of a table, written as in SQL; none where it is no name."""
    names: list[str] = []
    at = 0
    while found := _NAME.match(text, at):
        names.append(found[1].lower() if found[1] else found[2].replace('""', '"'))
        at = found.end()
        if at == len(text):
            break
        if text[at] != ".":
            return None
        at += 1
    is_one = at == len(text) and not text.endswith(".") and 1 <= len(names) <= 2
    if not is_one or any(len(name.encode()) > _LONGEST_NAME for name in names):
        return None
    return (names[0], names[1]) if names[1:] else (schema, names[0])
