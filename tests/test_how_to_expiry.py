"""What docs/how-to/expiry.md tells is run as it stands."""

import shutil

import pytest

from tests.conftest import wait_for
from tests.how_to import blocks, run
from tests.running import Granary

PAGE = "expiry.md"


@pytest.mark.skipif(not shutil.which("kcat"), reason="needs kcat")
def test_the_walk(granary: Granary) -> None:
    make, delete, look = blocks(PAGE)
    run(make, granary)
    granary.do("persister", "start", "calls")
    granary.do("send", "calls", '[{"user": "u1", "id": "1"}, {"user": "u2", "id": "2"}]')
    run(delete.replace("127.0.0.1:9092", granary.said["kafka"]), granary)
    wait_for(lambda: "(1 row)" in run(look, granary), 60, "what is stored of one user has an end")
    assert "PT" in run(look, granary)
    granary.do("event-type", "delete", "calls", "--purge", "--yes")
