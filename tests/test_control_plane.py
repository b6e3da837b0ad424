from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.routing import Route

from grnry.control_plane import ControlPlane
from grnry.settings import Settings
from tests.conftest import free_port

# They describe themselves, or others do: the contract and the page over it, metrics, the issuer.
UNDESCRIBED = ("/openapi.json", "/docs", "/metrics", "/auth/realms/")
# Persisters of stores that are not there, whatever they are called.
ANSWERS_NOT_FOUND = "/eventstores/{eventstore}/persister"


@pytest.fixture
def app() -> Iterator[FastAPI]:
    nowhere = f"127.0.0.1:{free_port()}"
    settings = Settings(database_url=f"postgresql://{nowhere}/none", kafka_bootstrap=nowhere)
    plane = ControlPlane(settings, "http://127.0.0.1")
    yield plane.app()
    plane.producer.close()
    plane.database.close()


def test_every_operation_is_in_the_machine_readable_contract(app: FastAPI) -> None:
    described = app.openapi()["paths"]
    for route in app.routes:
        assert isinstance(route, Route)
        if not route.path.startswith(UNDESCRIBED) and ANSWERS_NOT_FOUND not in route.path:
            for method in (route.methods or set()) - {"HEAD"}:
                assert method.lower() in described[route.path], f"{method} {route.path}"


def test_operations_of_the_contract_have_names_of_their_own(app: FastAPI) -> None:
    paths = app.openapi()["paths"].values()
    names = [operation["operationId"] for path in paths for operation in path.values()]
    assert len(names) == len(set(names))
    assert all("summary" in operation for path in paths for operation in path.values())
