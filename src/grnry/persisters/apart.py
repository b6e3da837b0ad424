"""Event types whose events are kept apart: in a table of a project's, or in another database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from grnry.database import sql
from grnry.database.address import Place
from grnry.database.pool import Database
from grnry.database.queries import load
from grnry.database.transaction import Reading, Transaction
from grnry.persisters import configuration
from grnry.persisters.datasource import missing_login
from grnry.persisters.engine import url_of
from grnry.persisters.homes import expect_table_of
from grnry.persisters.kinds import stream_name
from grnry.persisters.model import Persister, Store, store_of
from grnry.persisters.tables import Unfit, shown
from grnry.projects.credentials import role_of
from grnry.sinks import places
from grnry.sinks.places import NotThere, Open


@dataclass(frozen=True, slots=True)
class Apart:
    """Where the events of one type are kept, which is not the platform's table."""

    event_type: str
    store: Store
    grace: str
    """How long an event stays whose deletion was asked for."""

    @property
    def name(self) -> str:
        """Which table it is. Another login does not make it another one."""
        found = self.store.elsewhere
        where = "" if found is None else f"{found.host}:{found.port}/{found.database} "
        return where + shown(self.store.table)

    @property
    def rows(self) -> sql.Composable:
        """What is named where rows of it are looked for: of a project's table only its own."""
        table = sql.Identifier(*self.store.table)
        return sql.SQL("only {}").format(table) if self.store.owner else table

    @property
    def can_be_visited(self) -> bool:
        return self.store.elsewhere is None or not missing_login(self.store.elsewhere)

    @property
    def address(self) -> str:
        """Of its database, with the login; empty where it is the platform's."""
        return "" if self.store.elsewhere is None else url_of(self.store.elsewhere)

    @contextmanager
    def visited(self, database: Database) -> Iterator[Open]:
        """To read and to change it, transaction by transaction. `database` is the platform's.

        Raises NotThere where that cannot be done at the moment.
        """
        deployment = stream_name(self.event_type)
        if self.store.elsewhere is None:
            yield lambda: self._among_others(database, deployment)
            return
        place = places.Place(deployment, self.store.kept_as, self.address)
        with places.visited(place) as begin:
            yield begin

    @contextmanager
    def _among_others(self, database: Database, deployment: str) -> Iterator[Transaction | None]:
        """A project's table is touched only where no code of anybody's runs by it."""
        with places.among_others(database, deployment) as transaction:
            try:
                expect_table_of(transaction.connection, self.store.table, self.store.owner)
            except Unfit as unfit:
                raise NotThere(f"{unfit.message}.") from unfit
            yield transaction


def all_apart(reading: Reading, own: Place) -> list[Apart]:
    """All of them, by the configurations that persisters have; `own` is the platform's database."""
    rows = reading.rows(load("grnry.persisters").all)
    found = [_apart(Persister.from_row(row), own) for row in rows]
    return [one for one in found if one.store != Store()]


def _apart(persister: Persister, own: Place) -> Apart:
    config, owner = persister.app_config, role_of(persister.project)
    store = store_of(persister.event_type, persister.id, config, own, owner)
    return Apart(persister.event_type, store, configuration.grace_of(config))
