"""How far back a duration reaches, by the calendar."""

from datetime import UTC, datetime

import pytest

from grnry.events.expiry.ages import cutoff

NOW = datetime(2024, 3, 31, 12, 0, 0, 500_000, UTC)


def moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("P1D", moment(2024, 3, 30, 12) + 500),
        ("P2W", moment(2024, 3, 17, 12) + 500),
        ("P1M", moment(2024, 2, 29, 12) + 500),
        ("P13M", moment(2023, 2, 28, 12) + 500),
        ("P1Y1M", moment(2023, 2, 28, 12) + 500),
        ("P4M", moment(2023, 11, 30, 12) + 500),
        ("P100Y", moment(1924, 3, 31, 12) + 500),
        ("PT5M", moment(2024, 3, 31, 11, 55) + 500),
        ("PT0.5S", moment(2024, 3, 31, 12)),
        ("PT36H", moment(2024, 3, 30, 0) + 500),
        ("P0D", moment(2024, 3, 31, 12) + 500),
        ("P2024Y", None),
        ("P9999999999Y", None),
        ("P99999999999999D", None),
        ("PT99999999999999999999S", None),
        ("", None),
        ("a while", None),
    ],
)
def test_cutoff(duration: str, expected: int | None) -> None:
    assert cutoff(NOW, duration) == expected
