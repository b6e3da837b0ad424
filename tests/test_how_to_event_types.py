"""What the how-tos about event types and live segments tell is run as it stands."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_for
from tests.how_to import blocks, run, shown
from tests.running import ROOT, Granary


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    """Commands run there; `./grnry` is found, and files are left nowhere else."""
    (tmp_path / "grnry").symlink_to(ROOT / "grnry")
    yield f"cd {tmp_path}\n"
    shutil.rmtree(tmp_path)


def test_event_types(granary: Granary, folder: str) -> None:
    page = "event-types.md"
    evaluate, make, change, elsewhere = (folder + block for block in blocks(page))
    assert run(evaluate, granary) == shown(page)[0]
    assert "Sent 1 event." in run(make, granary)
    changed = run(change, granary)
    assert "version 2" in changed
    assert "eventstoreTTL" in changed
    assert "Deleted event type 'calls-in'." in run(elsewhere, granary)


def test_live_segments(granary: Granary, folder: str) -> None:
    page = "live-segments.md"
    make, produce, question, widen, wider, delete = (folder + block for block in blocks(page))
    assert "global.grnry_live_sgmt_customers" in run(make, granary)
    run(produce, granary)
    wait_for(lambda: run(question, granary) == shown(page)[0], seconds=60, what="the newest")
    assert "version 2" in run(widen, granary)
    wait_for(lambda: run(wider, granary) == shown(page)[1], seconds=60, what="another column")
    run(delete, granary)
