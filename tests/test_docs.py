import re

import msgspec

from grnry.settings import PREFIX, Settings
from tests.running import ROOT


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
