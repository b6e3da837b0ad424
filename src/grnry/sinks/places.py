"""Where deployments keep their leases and dead letters: the database that they write.

That is the platform's own, unless somebody has named another for one of them.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass

import psycopg

from grnry.database.pool import Database
from grnry.database.queries import Queries, load
from grnry.database.transaction import DatabaseAway, Reading, Transaction
from grnry.errors import ServiceAway

APPLICATION = "grnry-api"


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


class NotThere(ServiceAway):
    """Another database than the platform's, which does not answer, or not as it should."""


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
    other = Database(place.url, size=1, application=APPLICATION).open()
    try:
        with other.transaction() as transaction:
            yield transaction if transaction.value(_queries().is_made) else None
    except DatabaseAway as error:
        raise NotThere(
            f"The database that '{place.deployment}' writes does not answer at the moment."
        ) from error
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise NotThere(
            f"The database that '{place.deployment}' writes refuses us: {said}."
        ) from error
    finally:
        other.close()


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
