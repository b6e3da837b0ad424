"""Times of events: milliseconds since 1970, as they are written and as they are asked for. Pure.

An event's time is any number of 64 bits that its sender gave, far beyond the years that the
language's own calendar knows; each of them has its text.
"""

import re
from datetime import UTC, datetime

DAY = 86_400_000
EARLIEST, LATEST = -(2**63), 2**63 - 1

_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# What is left of `+02:00` where it was put into a query string as it is.
_LOST_PLUS = re.compile(r"(T.*) (?=\d\d:?\d\d$)")


def text_of(milliseconds: int) -> str:
    """`2021-09-24T08:38:50.848Z`; years of other than four digits have a sign."""
    days, rest = divmod(milliseconds, DAY)
    year, month, day = _date_of(days)
    seconds, thousandths = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    shown = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
    return f"{shown}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{thousandths:03d}Z"


def _date_of(days: int) -> tuple[int, int, int]:
    """The date of a day counted from 1970.

    Years are taken to begin in March, with the day that some have more at their end. Eras of 400
    years, 146,097 days, are all alike.
    """
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, day


def parse_time(text: str) -> int | None:
    """ISO 8601, in UTC where it names no zone, or milliseconds; none where it is neither."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return min(max(int(text), EARLIEST), LATEST)
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+", text))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * DAY + since.seconds * 1000 + since.microseconds // 1000
