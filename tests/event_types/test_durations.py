import pytest

from grnry.event_types.durations import LONGEST, is_duration

GOOD = ["P100Y", "P1Y2M3W4DT5H6M7S", "P2W", "PT1M", "PT0.5S", "P0D", "P5M"]
BAD = [
    "",
    "P",
    "PT",
    "P1",
    "P1YT",
    "1Y",
    "-P1D",
    "P-1D",
    "P1.5D",
    "PT1S1H",
    "p1d",
    "P1D ",
    "P\u0663D",
]


@pytest.mark.parametrize("text", GOOD)
def test_durations(text: str) -> None:
    assert is_duration(text)


@pytest.mark.parametrize("text", [*BAD, "P" + "1" * LONGEST + "D"])
def test_what_is_none(text: str) -> None:
    assert not is_duration(text)
