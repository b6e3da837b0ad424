"""Where a persister's events are kept: the platform's table, a project's, or one elsewhere."""

from typing import Protocol

from grnry.database import sql
from grnry.database.connection import connect
from grnry.database.migrate import be_alone
from grnry.database.queries import Queries, load
from grnry.database.sink_schema import prepare_sink
from grnry.errors import StartError
from grnry.persisters import tables
from grnry.persisters.configuration import EVENT_STORE
from grnry.persisters.tables import Name, Unfit, queries
from grnry.sinks.target import Connection
from grnry.sinks.verdict import NoRowFits

APPLICATION = "grnry-persister"


class Home(Protocol):
    """A table of events."""

    name: Name

    @property
    def rows(self) -> sql.Composable:
        """What is named where rows of it are looked for."""
        ...

    def check(self, connection: Connection) -> None:
        """Once, before the first write: raises where the table is not one that we write."""
        ...

    def enter(self, connection: Connection) -> None:
        """Within a transaction, before the table is touched: raises where it is not the one."""
        ...

    def hold(self, connection: Connection) -> None:
        """Within a transaction: nobody changes what the table is until it ends."""
        ...

    def has_random_ids(self, connection: Connection, event_type: str) -> bool:
        """Whether the event type's ids are made at random, as its latest version says."""
        ...


class PlatformTable:
    """The event store of all projects."""

    name: Name = EVENT_STORE

    @property
    def rows(self) -> sql.Composable:
        return sql.Identifier(*self.name)

    def check(self, connection: Connection) -> None:
        row = connection.execute(_events().can_write).fetchone()
        if row is None or not row["can_write"]:
            raise StartError("The table public.eventstore is not there, or not ours to write.")

    def enter(self, connection: Connection) -> None:
        """Nobody but the platform can change it."""

    def hold(self, connection: Connection) -> None:
        """As `enter` does."""
        self.enter(connection)

    def has_random_ids(self, connection: Connection, event_type: str) -> bool:
        row = connection.execute(_events().knows_types).fetchone()
        if row is None or not row["knows_types"]:
            return False
        row = connection.execute(_events().has_random_ids, {"event_type": event_type}).fetchone()
        return row is not None and bool(row["has_random_ids"])


class ProjectTable(PlatformTable):
    """A table in the platform's database that a project has made.

    Its owner may change it at any time, so it is looked at in each transaction, under a lock that
    keeps changes off until the transaction ends.
    """

    def __init__(self, name: Name, owner: str) -> None:
        self.name = name
        self._owner = owner

    @property
    def rows(self) -> sql.Composable:
        """Not of what inherits from it, which nobody has looked at."""
        return sql.SQL("only {}").format(sql.Identifier(*self.name))

    def check(self, connection: Connection) -> None:
        with connection.transaction():
            self.enter(connection)

    def enter(self, connection: Connection) -> None:
        try:
            expect_table_of(connection, self.name, self._owner)
        except Unfit as unfit:
            raise NoRowFits(unfit.message) from unfit


class TableElsewhere:
    """A table of a database that is not the platform's; made there where it is missing."""

    def __init__(self, name: Name, platform_url: str) -> None:
        self.name = name
        self._platform_url = platform_url

    @property
    def rows(self) -> sql.Composable:
        return sql.Identifier(*self.name)

    def check(self, connection: Connection) -> None:
        try:
            prepare_sink(connection)
            self._make(connection)
            tables.expect_fit(tables.look(connection, self.name), self.name)
        except (StartError, Unfit) as error:
            # Somebody may put it right at any time, so we look again.
            raise NoRowFits(error.message) from error

    def _make(self, connection: Connection) -> None:
        table = sql.Identifier(*self.name)
        with connection.transaction():
            be_alone(connection)
            try:
                tables.look(connection, self.name)
            except Unfit:
                for step in ("make", "index_newest", "index_expiry"):
                    connection.execute(queries().composed(step, table=table))

    def enter(self, connection: Connection) -> None:
        """Who owns that database may do there as they like: we have no rights but theirs."""

    def hold(self, connection: Connection) -> None:
        connection.execute(queries().composed("lock", table=self.rows))

    def has_random_ids(self, connection: Connection, event_type: str) -> bool:
        with connect(self._platform_url, APPLICATION) as platform:
            return PlatformTable().has_random_ids(platform, event_type)


def expect_table_of(connection: Connection, name: Name, owner: str) -> None:
    """Within a transaction: lock a project's table, and raise Unfit unless it is fit and plain."""
    found = tables.look(connection, name)
    if found["owner"] == owner and found["kind"] == "r":
        connection.execute(queries().composed("lock", table=sql.Identifier(*name)))
        # What counts is how it is now that nobody can change it.
        found = tables.look(connection, name)
    tables.expect_plain(found, name, owner)
    tables.expect_fit(found, name)


def _events() -> Queries:
    return load("grnry.persisters", "event_store.sql")
