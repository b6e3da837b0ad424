"""What docs/how-to/projects.md tells is run as it stands."""

from tests.conftest import wait_for
from tests.how_to import blocks, run, shown
from tests.running import Granary

PAGE = "projects.md"


def test_the_walk(granary: Granary) -> None:
    make, let_in, first_event, question, own_view = blocks(PAGE)
    (expected,) = [each for each in shown(PAGE) if each.startswith("CORRELATION_ID")]
    assert "Made project 'Web-shop': schema Web-shop" in run(make, granary)
    assert "Password (shown this once): " in run(let_in, granary)
    assert "Sent 1 event." in run(first_event, granary)
    wait_for(lambda: run(question, granary) == expected, seconds=60, what="the event is a row")
    assert run(own_view, granary) == "CREATE VIEW\n"
