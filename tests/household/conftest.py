import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Granary, every_process


@pytest.fixture
def stopped() -> Iterator[Granary]:
    """One that a test starts; its path has what paths may have."""
    folder = Path(tempfile.mkdtemp(prefix="grnry-household-"))
    granary = Granary(folder / "Wörter, 'two' %41")
    yield granary
    if hasattr(granary, "process") and granary.process.poll() is None:
        granary.stop()
    assert every_process(granary.data) == {}
    shutil.rmtree(folder)
