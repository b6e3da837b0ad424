"""One connection of the platform's: how it is made, and how long an answer may take.

A server that is frozen, or a host that is gone without a word, never answers and never refuses.
So every answer has a deadline here, and every statement a slightly shorter one in the server, which
is the one that is met as long as the server lives.
"""

import socket
import time
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg.waiting import Ready

CONNECT_SECONDS = 3
ANSWER_SECONDS = 5.0
"""How long one statement of a request may take."""
GRACE_SECONDS = 1.0
# How long a host may take to answer a TCP connection; a host that is off answers nothing.
REACH_SECONDS = 0.5

SESSION = "-c search_path=pg_catalog,pg_temp"
"""Of every session of ours: a name is looked up in the catalogue and nowhere else, so that nothing
that somebody else has made can stand in for what is meant."""

# What a client asks before it says anything else; a live server answers with one letter.
_ASK_FOR_TLS = bytes.fromhex("0000000804d2162f")

RV = TypeVar("RV")


class Silent(psycopg.OperationalError):
    """The server has not said a word in time."""


class Connection(psycopg.Connection[DictRow]):
    """A connection that is given up when the server falls silent."""

    silence: float = ANSWER_SECONDS + GRACE_SECONDS
    is_stale: bool = False
    """Whether it leads to a server that is not the one to ask any more."""

    def wait(self, gen: PQGen[RV], *arguments: Any, **options: Any) -> RV:
        try:
            return super().wait(_while_it_speaks(gen, self.silence), *arguments, **options)
        except Silent:
            self.close()
            raise


def _while_it_speaks(gen: PQGen[RV], seconds: float) -> PQGen[RV]:
    """The driver's steps, broken off when nothing has arrived for so long."""
    heard = time.monotonic()
    try:
        state = next(gen)
        while True:
            ready = yield state
            now = time.monotonic()
            if ready != Ready.NONE:
                heard = now
            elif now - heard > seconds:
                raise Silent("The database has fallen silent.")
            state = gen.send(ready) or state
    except StopIteration as end:
        result: RV = end.value
        return result
    finally:
        gen.close()


def connect(url: str, application: str, answer_seconds: float = ANSWER_SECONDS) -> Connection:
    """A connection whose answers have deadlines."""
    milliseconds = int(answer_seconds * 1000)
    settings = {
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds * 4 // 5,
        # Of a process that is frozen in its transaction, the locks are not kept for ever.
        "idle_in_transaction_session_timeout": 60_000,
    }
    given = str(conninfo_to_dict(url).get("options") or "")
    deadlines = [f"-c {name}={value}" for name, value in settings.items()]
    connection = Connection.connect(
        url,
        autocommit=True,
        row_factory=dict_row,
        application_name=application,
        options=" ".join([given, SESSION, *deadlines]).strip(),
        connect_timeout=CONNECT_SECONDS,
        keepalives_idle=15,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )
    connection.silence = answer_seconds + GRACE_SECONDS
    return connection


class Address:
    """Where a server listens, to knock at before connecting: a host that is off never refuses."""

    def __init__(self, url: str) -> None:
        parts = conninfo_to_dict(url)
        host, port = str(parts.get("host") or ""), str(parts.get("port") or "5432")
        # Nowhere to knock at where it is up to the driver, or one host of a list.
        is_known = bool(host) and "," not in host and port.isdecimal()
        self._socket = f"{host}/.s.PGSQL.{port}" if is_known and host.startswith("/") else ""
        self._host = (host, int(port)) if is_known and not host.startswith(("/", "@")) else None

    def reach(self, *, is_alive: bool = True) -> None:
        """Raise `OSError` where nobody opens; where it may be frozen, where nobody answers."""
        if not self._host and (is_alive or not self._socket):
            return
        with self._open() as door:
            if not is_alive:
                door.sendall(_ASK_FOR_TLS)
                if not door.recv(1):
                    raise ConnectionResetError("The server has hung up.")

    def _open(self) -> socket.socket:
        if self._host:
            return socket.create_connection(self._host, REACH_SECONDS)
        door = socket.socket(socket.AF_UNIX)
        try:
            door.settimeout(REACH_SECONDS)
            door.connect(self._socket)
        except OSError:
            with suppress(OSError):
                door.close()
            raise
        return door
