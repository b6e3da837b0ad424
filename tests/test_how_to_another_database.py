"""What docs/how-to/another-database.md tells is run as it stands, on a second PostgreSQL."""

import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import wait_for
from tests.how_to import blocks, run, statements
from tests.running import Granary
from tests.servers import OutsideServer, outside_server, programs_found

PAGE = "another-database.md"


@pytest.fixture
def second_server() -> Iterator[OutsideServer]:
    programs = programs_found()[1]
    assert programs
    with outside_server(programs) as made:
        yield made


@pytest.mark.skipif(not shutil.which("psql"), reason="needs psql")
def test_the_walk(granary: Granary, second_server: OutsideServer) -> None:
    make, grant = statements(PAGE)
    with second_server.superuser() as dba:
        for statement in make.strip().split(";\n"):
            dba.execute(statement.encode())
    with second_server.superuser("warehouse") as dba:
        dba.execute(grant.encode())
    address = f"127.0.0.1:{second_server.port}"
    walk, question = (block.replace("db.example.org:5432", address) for block in blocks(PAGE))
    assert "The persister of 'orders' is RUNNING" in run(walk, granary)
    wait_for(lambda: '{"id": "1"' in run(question, granary), what="the event is there")
    granary.do("event-type", "delete", "orders")
