"""The texts that a typed column takes: RFC 3339 with its calendar, and uuids."""

import re
from collections.abc import Callable
from datetime import date, datetime

from grnry.schemas.columns import ColumnType

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(?:\.\d{1,30})?(?:[Zz]|[+-](\d\d):([0-5]\d))",
    re.ASCII,
)
_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII
)
FURTHEST_HOURS = 15
"""PostgreSQL takes offsets below 16 hours."""


def is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_date_time(text: str) -> bool:
    """Whether it is a moment: a date, a time to the second, and an offset. A leap second passes."""
    match = _TIME.fullmatch(text)
    if match is None or int(match[4] or 0) > FURTHEST_HOURS:
        return False
    seconds = "59" if match[3] == "60" else match[3]
    try:
        datetime.fromisoformat(f"{match[1]}T{match[2]}{seconds}")
    except ValueError:
        return False
    return True


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


CHECKS: dict[ColumnType, Callable[[str], bool]] = {
    ColumnType.DATE: is_date,
    ColumnType.TIMESTAMPTZ: is_date_time,
    ColumnType.UUID: is_uuid,
}
