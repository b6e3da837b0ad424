"""A database of somebody else's: what the guide tells a DBA is enough, and what lacks is said."""

from tests.conftest import Postgres
from tests.servers import OutsideServer

Server = Postgres | OutsideServer


def test_try(server: Server) -> None:
    name = server.make_database()
    server.drop_database(name)
