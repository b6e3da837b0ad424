"""The platform's database, for commands of whoever operates it.

Clients and signing keys are not changed through the API, so that no token, however it was come by,
makes another that lasts. It takes what an operator has: the data folder or the database's address.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grnry.database.pool import Database


@contextmanager
def platform_database(data: Path | None) -> Iterator["Database"]:
    """The one of GRNRY_DATABASE_URL, as `grnry up` would use it, else that of the data folder."""
    from grnry.database.pool import Database

    url = os.environ.get("GRNRY_DATABASE_URL") or _address(data)
    database = Database(url, size=1, application="grnry-cli").open()
    try:
        yield database
    finally:
        database.close()


def _address(data: Path | None) -> str:
    from grnry.cli.client import Place
    from grnry.database.embedded import PLATFORM_ROLE

    place = Place.of(data)
    host = place.running().database.removeprefix("postgresql://")
    return f"postgresql://{PLATFORM_ROLE}:{place.folder().secrets().platform_password}@{host}"
