"""The pages of docs/how-to, whose commands are run as they stand."""

import os
import re
import subprocess

from tests.running import ROOT, Granary


def blocks(page: str) -> list[str]:
    """The commands of a page."""
    return _fenced(page, "sh")


def shown(page: str) -> list[str]:
    """What a page says that they print."""
    return _fenced(page, "")


def statements(page: str) -> list[str]:
    """The SQL of a page, block by block."""
    return _fenced(page, "sql")


def _fenced(page: str, language: str) -> list[str]:
    text = (ROOT / "docs/how-to" / page).read_text()
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for given, block in found if given == language]


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
