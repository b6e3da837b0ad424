"""What docs/how-to/dead-letters.md tells is run as it stands."""

from tests.how_to import blocks, run, shown
from tests.running import Granary

PAGE = "dead-letters.md"


def test_the_walk(granary: Granary) -> None:
    make, look, edit, replay, drop = blocks(PAGE)
    (rows,) = shown(PAGE)
    run(make, granary)
    said = run(look, granary)
    assert "invalid input syntax for type json" in said
    assert '"sum": 12,75' in said
    said = run(edit, granary)
    assert "1 to be replayed.\n0 failed, 0 queued, 1 replayed, 0 superseded.\n" in said
    assert said.endswith(rows)
    assert "0 to be replayed." in run(replay, granary)
    assert "Dropped 1." in run(drop, granary)
