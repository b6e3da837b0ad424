import re

import msgspec

from grnry.settings import PREFIX, Settings
from tests.running import ROOT
from tools import cli_reference


def test_each_setting_has_its_heading() -> None:
    headings = re.findall(
        r"^### (\S+)$", (ROOT / "docs/reference/settings.md").read_text(), re.MULTILINE
    )
    settings = {PREFIX + field.name.upper() for field in msgspec.structs.fields(Settings)}
    assert set(headings) == settings


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_page_of_the_command_line_says_what_the_commands_say() -> None:
    made = cli_reference.page()
    found = (ROOT / "docs/reference/cli.md").read_text()
    assert found == made, "make it anew: python -m tools.cli_reference > docs/reference/cli.md"
