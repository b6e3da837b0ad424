"""A persister as a value, and what it wants to run. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from grnry.database.address import Place
from grnry.persisters import configuration
from grnry.persisters.configuration import EVENT_STORE
from grnry.persisters.datasource import Datasource
from grnry.persisters.engine import Assignment
from grnry.persisters.kinds import stream_name

APP_NAME = "grnry-eventstore-pg"
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Persister:
    """The persister of one data-in event type."""

    event_type: str
    project: str
    topic: str
    app_version: str
    app_config: Mapping[str, str]
    deployer_config: Mapping[str, str]
    last_updated: datetime
    id: UUID

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Persister":
        return cls(
            row["event_type"],
            row["project"],
            row["topic"],
            row["app_version"],
            row["app_config"],
            row["deployer_config"],
            row["last_updated"],
            row["id"],
        )


@dataclass(frozen=True, slots=True)
class Store:
    """Where a persister's events are kept."""

    table: tuple[str, str] = EVENT_STORE
    owner: str = ""
    """The project's role, where the table is the project's."""

    elsewhere: Datasource | None = None
    kept_as: str = ""
    """What is kept of it is called in that other database."""


def store_of(
    event_type: str, id_: object, app_config: Mapping[str, str], own: Place, owner: str
) -> Store:
    """`own` is where the platform's database is; `owner` the role of the event type's project."""
    named, table = configuration.datasource_of(app_config), configuration.table_of(app_config)
    if named is None or _are_same(named, own):
        return Store(table, "" if table == EVENT_STORE else owner)
    return Store(table, elsewhere=named, kept_as=f"{stream_name(event_type)}/{id_}")


def _are_same(one: Datasource, other: Place) -> bool:
    def place(found: Datasource | Place) -> tuple[str, int, str]:
        host = "localhost" if found.host in ("127.0.0.1", "::1") else found.host.lower()
        return (host, found.port, found.database)

    return place(one) == place(other)


def assignment(
    event_type: str, topic: str, app_config: Mapping[str, str], store: Store
) -> Assignment:
    batch_size, batch_timeout_ms = configuration.batch_of(app_config)
    return Assignment(
        event_type=event_type,
        topic=topic,
        group=stream_name(event_type),
        deployment=stream_name(event_type),
        batch_size=batch_size,
        batch_timeout_ms=batch_timeout_ms,
        ttl_grace_period=configuration.grace_of(app_config),
        has_dead_letters=configuration.has_dead_letters(app_config),
        event_table=store.table,
        table_owner=store.owner,
        elsewhere=store.elsewhere,
        kept_as=store.kept_as,
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What a persister's configuration is to be."""

    app_config: Mapping[str, str]
    deployer_config: Mapping[str, str]
    app_version: str | None = None
    """Where it is to be another one."""

    with_defaults: bool = False
    """Whether what is not given is as it is by default."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a persister is."""

    records: int
    """How many records of the topic are done with: rows, or dead letters, or there already."""

    lag: int
    """How many wait in the log."""

    dead_letters: int
