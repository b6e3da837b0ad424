"""What the reaper works on: the database and the log of a whole running Granary, and others."""

from collections.abc import Iterator

import pytest

from grnry.database.connection import connect
from grnry.database.pool import Database
from grnry.deployments import service as deployments
from grnry.log.producer import Producer
from grnry.persisters.configuration import EVENT_STORE
from grnry.persisters.homes import TableElsewhere
from grnry.sinks import upkeep
from grnry.sinks.upkeep import DEPLOYMENT
from tests.conftest import wait_for
from tests.event_types.calling import Caller
from tests.events.expiry.field import Field
from tests.persisters.elsewhere import Warehouse
from tests.servers import outside_server, programs_found


@pytest.fixture(scope="module")
def database(caller: Caller) -> Iterator[Database]:
    made = Database(caller.granary.platform_url).open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def producer(caller: Caller) -> Iterator[Producer]:
    made = Producer(caller.granary.said["kafka"], "test-reaper")
    yield made
    made.close()


def state(database: Database) -> str:
    with database.transaction() as transaction:
        found = deployments.condition(transaction, DEPLOYMENT)
    return found.state if found else "none"


@pytest.fixture(scope="module", autouse=True)
def alone(database: Database) -> Iterator[None]:
    """The shared Granary's own reaper would be in the way; it has to run again afterwards."""
    wait_for(lambda: state(database) == "RUNNING", 60, what="the reaper runs")
    with database.transaction() as transaction:
        deployments.stop(transaction, DEPLOYMENT)
    wait_for(lambda: state(database) == "STOPPED", 60, what="it is stopped")
    yield
    upkeep.ensure(database)
    wait_for(lambda: state(database) == "RUNNING", 60, what="it runs again")


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    programs = programs_found()[1]
    assert programs
    with outside_server(programs) as server:
        made = Warehouse(server, "warehouse")
        with connect(made.url, "tests") as connection:
            TableElsewhere(EVENT_STORE, "").check(connection)
        yield made


@pytest.fixture(params=["platform", "project", "elsewhere"])
def field(
    request: pytest.FixtureRequest, caller: Caller, database: Database, producer: Producer
) -> Iterator[Field]:
    """In the platform's table, in one of the project's, and in another database."""
    is_elsewhere = request.param == "elsewhere"
    warehouse = request.getfixturevalue("warehouse") if is_elsewhere else None
    made = Field(caller, database, producer, warehouse)
    if request.param == "project":
        made.move_into_the_project()
    yield made
    made.clear()
