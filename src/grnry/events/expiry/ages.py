"""How old is too old: ISO 8601 durations counted back from now, by the calendar. Pure."""

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def cutoff(now: datetime, duration: str) -> int | None:
    """The milliseconds since 1970 before which an event is too old; none where none ever is.

    Months and years are those of the calendar: a month before the 31st of March is the last day of
    February.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        return None
    part = {name: value or "0" for name, value in match.groupdict().items()}
    try:
        moment = _months_before(now, int(part["years"]) * 12 + int(part["months"]))
        moment -= timedelta(
            weeks=int(part["weeks"]),
            days=int(part["days"]),
            hours=int(part["hours"]),
            minutes=int(part["minutes"]),
            seconds=float(part["seconds"]),
        )
    except (OverflowError, ValueError):  # before the calendar begins
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _months_before(now: datetime, months: int) -> datetime:
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    length = _LENGTHS[month]
    if month == 1 and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
        length = 28
    return now.replace(year=year, month=month + 1, day=min(now.day, length))
