"""A PostgreSQL that is not Granary's, and what a persister keeps in it."""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.conftest import PASSWORD
from tests.event_types.calling import Caller
from tests.servers import OutsideServer

NAME = "spring.datasource."


def path(name: str, rest: str = "") -> str:
    return f"/event-types/{name}/eventstores/pg/persister{rest}"


class Warehouse:
    """A database of somebody's, and the role that may make things in it."""

    def __init__(self, server: OutsideServer, name: str) -> None:
        self.server = server
        self.name = name
        server.run("create role {} login password 'for-tests'", name)
        server.run("create database {} template template0 encoding 'UTF8'", name)
        server.run("alter database {} owner to " + name, name)

    @property
    def url(self) -> str:
        return self.server.url(self.name, self.name)

    def connect(self) -> "psycopg.Connection[dict[str, Any]]":
        return psycopg.connect(self.url, autocommit=True, row_factory=dict_row)

    def run(self, statement: str) -> None:
        """As who rules the server."""
        with self.server.superuser(self.name) as connection:
            connection.execute(sql.SQL(statement).format(role=sql.Identifier(self.name)))

    def do(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return connection.execute(statement.encode()).fetchall()

    def count(self, table: str = "public.eventstore") -> int:
        found = self.rows(f"select to_regclass('{table}') is not null as there")
        if not found[0]["there"]:
            return 0
        return int(self.rows(f"select count(*) as rows from {table}")[0]["rows"])

    def config(self, **others: str) -> dict[str, str]:
        """What a persister's appConfig says of it."""
        port = self.server.port
        return {
            NAME + "url": f"jdbc:postgresql://127.0.0.1:{port}/{self.name}?currentSchema=public",
            NAME + "username": self.name,
            NAME + "password": PASSWORD,
            **{NAME + key: value for key, value in others.items()},
        }

    def drop(self) -> None:
        self.server.run("drop database {} with (force)", self.name)
        self.server.run("drop role {}", self.name)


def configure(caller: Caller, name: str, app: dict[str, str], status: int = 200) -> Any:
    body = {"appConfig": app, "deployerConfig": {}}
    return caller.expect(caller.http.put(path(name, "?imported=true"), json=body), status)
