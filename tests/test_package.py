import tomllib
from pathlib import Path

import grnry

ROOT = Path(__file__).parent.parent


def test_the_version_is_the_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert grnry.__version__ == project["version"]
