from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.log.broker.running import RunningBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with RunningBroker(tmp_path / "log") as running:
        yield running
