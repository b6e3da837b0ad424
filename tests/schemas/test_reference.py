"""The reference page says what is so, and its examples do what it says."""

import json
import re
from typing import Any

import pytest

from grnry.schemas import bounds, breaks, columns_of, live_segment_schema
from grnry.schemas.drafts import DRAFTS
from grnry.schemas.live_segments import SYSTEM_COLUMNS
from tests.running import ROOT
from tests.schemas.test_documents import live

PAGE = (ROOT / "docs/reference/schemas.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str, count: int) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| ") and "{" in line]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return [row for row in cells if len(row) == count]


def code(cell: str) -> Any:
    return json.loads(cell.strip("`"))


CHANGES = rows("Changes", 4)
COLUMNS = rows("Columns", 2)


def test_the_page_has_its_examples() -> None:
    assert len(CHANGES) >= 20
    assert len(COLUMNS) >= 10


@pytest.mark.parametrize("row", CHANGES, ids=lambda row: row[0])
def test_changes(row: list[str]) -> None:
    old, new = (live_segment_schema(live({"x": code(cell)})) for cell in row[1:3])
    assert row[3] in ("compatible", "break")
    assert (not breaks(new, [old])) is (row[3] == "compatible")


@pytest.mark.parametrize("row", COLUMNS, ids=lambda row: row[0])
def test_columns(row: list[str]) -> None:
    [_, column] = columns_of(live_segment_schema(live({"x": code(row[0])})))
    assert f"`{column.type}`" == row[1]


def test_the_first_example() -> None:
    [example] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    columns = columns_of(live_segment_schema(example))
    assert {column.name for column in columns if column.nullable} == {
        "email",
        "lastSeen",
        "address",
    }


def test_bounds_names_and_drafts() -> None:
    text = section("What a schema may be")
    numbers = (
        bounds.MAX_BYTES,
        bounds.MAX_DEPTH,
        bounds.MAX_NODES,
        bounds.MAX_EXPANSIONS,
        bounds.MAX_PATTERN_LENGTH,
        bounds.MAX_COLUMNS,
    )
    assert all(f"| {number:,} |" in text for number in numbers)
    assert all(f"`{name}`" in text for name in SYSTEM_COLUMNS)
    assert all(draft.name.removeprefix("draft ") in text for draft in DRAFTS)
