"""ISO dates, and Java's date patterns as far as a date in UTC can fill them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import lru_cache

from grnry.expressions.errors import Fault

Writer = Callable[[datetime], str]

# The day before the first of Java's modified Julian days, 1858-11-17.
MODIFIED_JULIAN_EPOCH = 678_576
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")


def now_millis() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def now_date_time() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_date() -> str:
    return datetime.now(UTC).date().isoformat()


def parse_iso(text: str) -> datetime:
    """The moment of an ISO date or date and time; without a zone it is in UTC."""
    trimmed = text.strip()
    try:
        moment = _from_iso(trimmed)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Fault(f"'{trimmed[:40]}' is no ISO date") from None


def _from_iso(text: str) -> datetime:
    # Python reads dates without dashes and weeks, too, which are more likely an accident.
    if not (text[:4].isdigit() and text[4:5] in {"", "-"} and len(text) <= 40) or "W" in text:
        raise ValueError(text)
    if len(text) in {4, 7} or "T" not in text.upper():
        whole = {4: f"{text}-01-01", 7: f"{text}-01"}.get(len(text), text)
        return datetime.combine(date.fromisoformat(whole), time())
    head, _, clock = text.upper().partition("T")
    return datetime.fromisoformat(f"{head}T{_nanoseconds_cut(clock)}")


def _nanoseconds_cut(clock: str) -> str:
    """The time without the digits below a microsecond, which Python does not read."""
    whole, dot, rest = clock.replace(",", ".").partition(".")
    if not dot:
        return clock
    digits = len(rest) - len(rest.lstrip("0123456789"))
    if not digits:
        raise ValueError(clock)
    return f"{whole}.{rest[:digits][:6]}{rest[digits:]}"


@lru_cache(maxsize=100)
def formatter(pattern: str) -> Writer:
    """The function that writes a moment in a Java date pattern."""
    writers = tuple(_writers(pattern))
    return lambda moment: "".join(writer(moment) for writer in writers)


def _writers(pattern: str) -> list[Writer]:
    writers: list[Writer] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "'":
            literal, at = _quoted(pattern, at)
            writers.append(_constant(literal))
        elif character.isascii() and character.isalpha():
            end = at
            while pattern[end : end + 1] == character:
                end += 1
            writers.append(_field(pattern, character, end - at))
            at = end
        elif character in "{}#":
            raise Fault(f"'{character}' is reserved in the date pattern '{pattern}'")
        else:
            if character not in "[]":
                writers.append(_constant(character))
            at += 1
    _check_brackets(pattern)
    return writers


def _check_brackets(pattern: str) -> None:
    depth, quoted = 0, False
    for character in pattern:
        quoted ^= character == "'"
        if not quoted:
            depth += (character == "[") - (character == "]")
        if depth < 0:
            raise Fault(f"the date pattern '{pattern}' closes a ']' that it does not open")


def _quoted(pattern: str, at: int) -> tuple[str, int]:
    pieces = []
    end = at + 1
    while True:
        close = pattern.find("'", end)
        if close < 0:
            raise Fault(f"the date pattern '{pattern}' has a quote without an end")
        pieces.append(pattern[end:close])
        end = close + 1
        if not pattern.startswith("'", end):
            break
        end += 1
    return "'".join(pieces) or "'", end


def _constant(text: str) -> Writer:
    return lambda moment: text


def _number(value: Callable[[datetime], int], width: int) -> Writer:
    return lambda moment: f"{value(moment):0{width}d}"


def _name(names: tuple[str, ...], index: Callable[[datetime], int], width: int) -> Writer:
    cut = {5: 1, 4: None}.get(width, 3)
    return lambda moment: names[index(moment)][:cut]


def _quarter(moment: datetime) -> int:
    return (moment.month - 1) // 3


def _year(value: Callable[[datetime], int], width: int) -> Writer:
    if width == 2:
        return lambda moment: f"{value(moment) % 100:02d}"
    return _number(value, width)


def _fraction(width: int) -> Writer:
    return lambda moment: f"{moment.microsecond:06d}000"[:width]


def _nanoseconds(moment: datetime) -> int:
    return moment.microsecond * 1000


def _millis_of_day(moment: datetime) -> int:
    return _second_of_day(moment) * 1000 + moment.microsecond // 1000


def _second_of_day(moment: datetime) -> int:
    return (moment.hour * 60 + moment.minute) * 60 + moment.second


def _nanos_of_day(moment: datetime) -> int:
    return _second_of_day(moment) * 10**9 + _nanoseconds(moment)


def _week(first_of_period: date, day: date) -> int:
    """The week of a day: weeks start on Sunday, the first day lies in week one."""
    offset = first_of_period.isoweekday() % 7
    return ((day - first_of_period).days + offset) // 7 + 1


def _week_year(moment: datetime) -> int:
    saturday = moment.date().toordinal() + 6 - moment.isoweekday() % 7
    return date.fromordinal(saturday).year if saturday <= date.max.toordinal() else 10_000


def _week_of_year(moment: datetime) -> int:
    if _week_year(moment) > moment.year:
        return 1
    return _week(date(moment.year, 1, 1), moment.date())


def _week_of_month(moment: datetime) -> int:
    return _week(moment.date().replace(day=1), moment.date())


def _day_of_week(moment: datetime) -> int:
    return moment.isoweekday() % 7 + 1


NUMBERS: dict[str, tuple[Callable[[datetime], int], int]] = {
    # letter: value, widest
    "D": (lambda moment: moment.timetuple().tm_yday, 3),
    "d": (lambda moment: moment.day, 2),
    "h": (lambda moment: moment.hour % 12 or 12, 2),
    "K": (lambda moment: moment.hour % 12, 2),
    "k": (lambda moment: moment.hour or 24, 2),
    "H": (lambda moment: moment.hour, 2),
    "m": (lambda moment: moment.minute, 2),
    "s": (lambda moment: moment.second, 2),
    "A": (_millis_of_day, 19),
    "n": (_nanoseconds, 19),
    "N": (_nanos_of_day, 19),
    "g": (lambda moment: moment.toordinal() - MODIFIED_JULIAN_EPOCH, 19),
    "w": (_week_of_year, 2),
    "W": (_week_of_month, 1),
    "e": (_day_of_week, 2),
    "c": (_day_of_week, 1),
    "F": (lambda moment: (moment.day - 1) % 7 + 1, 1),
}
NAMES: dict[str, tuple[tuple[str, ...], Callable[[datetime], int]]] = {
    "M": (MONTHS, lambda moment: moment.month - 1),
    "L": (MONTHS, lambda moment: moment.month - 1),
    "E": (DAYS, lambda moment: moment.weekday()),
    "e": (DAYS, lambda moment: moment.weekday()),
    "c": (DAYS, lambda moment: moment.weekday()),
}
ZONES: dict[str, dict[int, str]] = {
    # What UTC is called, by the letter and how often it stands.
    "X": dict.fromkeys(range(1, 6), "Z"),
    "x": {1: "+00", 2: "+0000", 3: "+00:00", 4: "+0000", 5: "+00:00"},
    "Z": {1: "+0000", 2: "+0000", 3: "+0000", 4: "GMT", 5: "Z"},
    "z": {**dict.fromkeys(range(1, 4), "UTC"), 4: "Coordinated Universal Time"},
    "V": {2: "UTC"},
    "O": {1: "GMT", 4: "GMT"},
}


def _field(pattern: str, letter: str, width: int) -> Writer:
    writer = _field_or_none(letter, width)
    if writer is None:
        raise Fault(f"'{letter * width}' is not supported in the date pattern '{pattern}'")
    return writer


def _field_or_none(letter: str, width: int) -> Writer | None:
    if letter in "yuY" and width < 20:
        return _year(_week_year if letter == "Y" else lambda moment: moment.year, width)
    if letter == "S" and width <= 9:
        return _fraction(width)
    if letter in NUMBERS and width <= NUMBERS[letter][1]:
        return _number(NUMBERS[letter][0], width)
    if letter in "MLqQ" and width <= 2:
        quarter = letter in "qQ"
        return _number(lambda moment: _quarter(moment) + 1 if quarter else moment.month, width)
    if letter in NAMES and width + (letter == "E") * 2 >= 3 and width <= 5:
        return _name(*NAMES[letter], width)
    if letter in "qQ" and width <= 5:
        return _quarter_name(width)
    if letter == "G" and width <= 5:
        return _constant({4: "Anno Domini", 5: "A"}.get(width, "AD"))
    if letter == "a" and width == 1:
        return lambda moment: "AM" if moment.hour < 12 else "PM"
    return _constant(ZONES[letter][width]) if width in ZONES.get(letter, {}) else None


def _quarter_name(width: int) -> Writer:
    if width == 4:
        return lambda moment: QUARTERS[_quarter(moment)]
    prefix = "Q" if width == 3 else ""
    return lambda moment: f"{prefix}{_quarter(moment) + 1}"
