"""What docs/how-to/projects.md tells is run as it stands."""

import os
import re
import subprocess

from tests.conftest import wait_for
from tests.running import ROOT, Granary

PAGE = (ROOT / "docs/how-to/projects.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
EXPECTED = re.findall(r"```\n(CORRELATION_ID.*?)```", PAGE, re.DOTALL)


def run(block: str, granary: Granary) -> str:
    done = subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=ROOT,
        env={**os.environ, "GRNRY_DATA": str(granary.data)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_walk(granary: Granary) -> None:
    make, let_in, first_event, question, own_view = BLOCKS
    assert "Made project 'Web-shop': schema Web-shop" in run(make, granary)
    assert "Password (shown this once): " in run(let_in, granary)
    assert "Sent 1 event." in run(first_event, granary)
    wait_for(lambda: run(question, granary) == EXPECTED[0], seconds=60, what="the event is a row")
    assert run(own_view, granary) == "CREATE VIEW\n"
