"""Where in a topic: `beginning`, `end`, an offset, a time, or how long ago."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from grnry.errors import BadInput

BEGINNING, END = "beginning", "end"
_AGO = re.compile(r"(\d+)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class At:
    """A place in every partition: an offset, or the first record since a time."""

    name: str = ""
    offset: int | None = None
    time_ms: int | None = None


def parse(option: str, text: str, now: datetime) -> At:
    """`beginning`, `end`, `1200` (an offset), `2026-11-21T12:30`, `15m` (ago)."""
    if text in (BEGINNING, END):
        return At(name=text)
    if text.isascii() and text.isdigit():
        return At(offset=int(text))
    if ago := _AGO.fullmatch(text):
        try:
            since = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return At(time_ms=int(since.timestamp() * 1000))
        except (OverflowError, ValueError):
            return At(name=BEGINNING)
    try:
        return At(time_ms=int(datetime.fromisoformat(text).timestamp() * 1000))
    except (ValueError, OverflowError) as error:
        raise BadInput.of(
            option,
            "is 'beginning', 'end', an offset (1200), a time (2026-11-21T12:30:00Z; local without "
            f"a zone) or how long ago (15m, 2h, 7d), but is '{text}'",
            "Option",
        ) from error
