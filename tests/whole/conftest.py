"""A Granary of its own for tests that kill it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Granary


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="grnry-whole-"))
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def own_granary(data: Path) -> Iterator[Granary]:
    """One that a test may kill."""
    granary = Granary(data).start()
    yield granary
    if granary.process.poll() is None:
        granary.stop()
