"""Where deployments keep their leases and dead letters: the database that they write.

That is the platform's own, unless somebody has named another for one of them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass

import psycopg

from grnry.database.pool import Database
from grnry.database.queries import Queries, load
from grnry.database.transaction import Collision, DatabaseAway, Reading, Transaction
from grnry.errors import ServiceAway

APPLICATION = "grnry-api"

Open = Callable[[], AbstractContextManager[Transaction | None]]
"""Begins a transaction; none where no worker has ever come so far as to keep rows there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment keeps its rows, and what they are called there."""

    deployment: str
    name: str
    url: str = ""
    """Of another database than the platform's."""
    table_schema: str = ""
    table_name: str = ""
    """The table that it writes there."""

    def __repr__(self) -> str:
        return f"Place of {self.deployment}"

    @property
    def is_elsewhere(self) -> bool:
        return bool(self.url)


# SQLSTATE classes of a server that is away or at its limits, and not of a table.
_SERVERS_OWN = ("08", "53", "57P")
_TAKES_LONG = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)


class NotThere(ServiceAway):
    """What is not the platform's, and does not answer, or not as it should."""


class NoAnswer(NotThere):
    """Another database than the platform's, which does not answer to anybody."""


def keep_at(transaction: Transaction, place: Place) -> None:
    """Say where a deployment keeps its rows from now on."""
    if place.is_elsewhere:
        transaction.run(_queries().keep_elsewhere, **asdict(place))
    else:
        transaction.run(_queries().keep_here, deployment=place.deployment)


def place_of(reading: Reading, deployment: str) -> Place:
    row = reading.row(_queries().find, deployment=deployment)
    return Place(deployment, deployment) if row is None else Place(deployment, **row)


def elsewhere(reading: Reading) -> list[Place]:
    """All places that are not in the platform's database."""
    return [Place(**row) for row in reading.rows(_queries().all)]


@contextmanager
def opened(database: Database, place: Place | None) -> Iterator[Transaction | None]:
    """A transaction where the rows are; none where no worker has ever come so far as to keep any.

    `database` is the platform's, and no place is in it. Raises NotThere where another does not
    answer.
    """
    if place is None or not place.is_elsewhere:
        with database.transaction() as transaction:
            yield transaction
        return
    with visited(place) as begin, begin() as transaction:
        yield transaction


@contextmanager
def read(database: Database, place: Place) -> Iterator[Reading | None]:
    """The same, for what only reads."""
    if place.is_elsewhere:
        with opened(database, place) as transaction:
            yield transaction
    else:
        with database.reading() as reading:
            yield reading


@contextmanager
def visited(place: Place) -> Iterator[Open]:
    """Another database than the platform's: its transactions are begun on one connection."""
    whose = f"The database that '{place.deployment}' writes"
    other = Database(place.url, size=1, application=APPLICATION).open()

    @contextmanager
    def begin() -> Iterator[Transaction | None]:
        with _blamed(whose), other.transaction() as transaction:
            yield transaction if transaction.value(_queries().is_made) else None

    try:
        yield begin
    finally:
        other.close()


@contextmanager
def among_others(database: Database, deployment: str) -> Iterator[Transaction]:
    """A transaction of the platform's database on what a project has made there.

    Raises NotThere where that is locked, takes long, or refuses us.
    """
    with database.transaction() as transaction:
        transaction.run(_queries().wait_briefly)
        try:
            yield transaction
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate.startswith(_SERVERS_OWN):
                raise
            said = error.diag.message_primary
            raise NotThere(f"The table that '{deployment}' writes refuses us: {said}.") from error


@contextmanager
def _blamed(whose: str) -> Iterator[None]:
    try:
        yield
    except (DatabaseAway, Collision) as error:
        if isinstance(error.__cause__, _TAKES_LONG):
            raise NotThere(f"{whose} takes too long to answer.") from error
        raise NoAnswer(f"{whose} does not answer at the moment.") from error
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise NotThere(f"{whose} refuses us: {said}.") from error


@contextmanager
def kept(
    database: Database, deployment: str, *, locking: bool = False
) -> Iterator[tuple[Reading | None, str]]:
    """To read a deployment's rows where they are: with what, and what they are called there.

    With `locking` it is a transaction, so that what is locked stays so.
    """
    session: AbstractContextManager[Reading]
    session = database.transaction() if locking else database.reading()
    with session as reading:
        place = place_of(reading, deployment)
        if not place.is_elsewhere:
            yield reading, place.name
            return
    with opened(database, place) as found:
        yield found, place.name


def _queries() -> Queries:
    return load("grnry.sinks", "places.sql")
