"""The texts that a typed column takes, as patterns: RFC 3339 with its calendar, and uuids.

They are matched by the record's validator in one go with all else, without a call into Python.
"""

import re

from grnry.schemas.columns import ColumnType

_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_FOURTH = "(?:0[48]|[2468][048]|[13579][26])"
_LEAP_YEAR = f"(?:[0-9]{{2}}{_FOURTH}|{_FOURTH}00)"
_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"(?:{_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)"
_SECOND = r"(?:[0-5][0-9](?:\.[0-9]{1,30})?|60(?:\.0{1,30})?)"
_TIME = f"(?:[01][0-9]|2[0-3]):[0-5][0-9]:{_SECOND}"
_OFFSET = "(?:[Zz]|[+-](?:0[0-9]|1[0-5]):[0-5][0-9])"
_HEX = "[0-9a-fA-F]"

PATTERNS = {
    ColumnType.DATE: f"^{_DATE}$",
    ColumnType.TIMESTAMPTZ: f"^{_DATE}[Tt ]{_TIME}{_OFFSET}$",
    ColumnType.UUID: f"^{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}$",
}
"""As PostgreSQL takes them: a leap second without a fraction, offsets below 16 hours, no year 0."""

NAMES = {
    ColumnType.DATE: "a date, such as 2021-11-21",
    ColumnType.TIMESTAMPTZ: "a moment with an offset, such as 2021-11-21T08:46:47Z",
    ColumnType.UUID: "a uuid",
}

_COMPILED = {kind: re.compile(pattern) for kind, pattern in PATTERNS.items()}


def is_of(kind: ColumnType, text: str) -> bool:
    """Whether a column of this type takes the text."""
    pattern = _COMPILED.get(kind)
    return pattern is None or pattern.fullmatch(text) is not None
