"""Every number of 64 bits has a text, and what is asked for is understood or refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnry.events.reading.times import EARLIEST, LATEST, parse_time, text_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999


@given(st.integers(FIRST, LAST))
def test_years_that_python_knows_are_written_as_python_writes_them(ms: int) -> None:
    moment = EPOCH + timedelta(milliseconds=ms)
    expected = moment.strftime("%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"
    assert text_of(ms) == f"{moment.year:04d}-{expected}"
    assert parse_time(text_of(ms)) == ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (LAST + 1, "+10000-01-01T00:00:00.000Z"),
        (FIRST - 1, "0000-12-31T23:59:59.999Z"),
        (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
        # As Java writes them, whose time has the same 64 bits.
        (LATEST, "+292278994-08-17T07:12:55.807Z"),
        (EARLIEST, "-292275055-05-16T16:47:04.192Z"),
    ],
)
def test_years_beyond(ms: int, text: str) -> None:
    assert text_of(ms) == text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2021-09-24T08:38:50.848Z", 1632472730848),
        ("2021-09-24T08:38:50.848", 1632472730848),
        ("2021-09-24T10:38:50.848+02:00", 1632472730848),
        ("2021-09-24T10:38:50.848 02:00", 1632472730848),  # a plus sign in a query is a space
        ("2021-09-24", 1632441600000),
        ("1632472730848", 1632472730848),
        ("-5", -5),
        ("9999999999999999999", LATEST),
        ("", None),
        ("yesterday", None),
        ("1.5", None),
        ("2021-13-01", None),
        ("٣", None),
        ("99999999999999999999", None),
    ],
)
def test_what_is_asked_for(text: str, ms: int | None) -> None:
    assert parse_time(text) == ms
