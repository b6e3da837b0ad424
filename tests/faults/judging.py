"""What was sent against what is there: pure, so that it can be shown to fail.

An engine says what its records should have become: which row or which dead letter each is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.load import Written

LOST, DOUBLE, FOREIGN = "lost", "double", "never sent"
STALE, OLD, DISORDER, REFUSED, FORGOTTEN, ALTERED, STATE = (
    "stale",
    "not the one that counts",
    "out of order",
    "wrongly dead",
    "lost by the log",
    "not as it was sent",
    "in a wrong state",
)
ENDLESS, ENDED = "deleted and without an end", "with an end that nobody gave"
UNDONE, BEYOND = "not stored before a stop", "stored beyond a stop"
NEEDLESS = "stopped for nothing"
KINDS = (
    *(LOST, DOUBLE, FOREIGN),
    *(STALE, OLD, DISORDER, REFUSED, FORGOTTEN, ALTERED, STATE),
    *(ENDLESS, ENDED),
    *(UNDONE, BEYOND, NEEDLESS),
)
FAILED, REPLAYED, SUPERSEDED = "failed", "replayed", "superseded"

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is found."""

    name: str
    place: Place | None
    """Where it was read, if the table tells it."""
    number: int
    written: int | None = None
    """Rises with the transaction that wrote it, if the table tells it."""
    content: object = None
    """What else it says, if that is to be compared."""
    is_ended: bool | None = None
    """Whether it goes some day, if the table tells it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is found; `written` rises with the time of writing."""

    place: Place
    number: int | None
    reason: str
    written: int
    state: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an engine that may leave nothing out says that it has stopped, and what is there."""

    place: Place
    reason: str
    next_offset: int | None
    numbers: frozenset[int]
    letters: frozenset[Place]


@dataclass(slots=True)
class Expected:
    """What there should be."""

    rows: dict[str, Written] = field(default_factory=dict)
    letters: dict[Place, Written] = field(default_factory=dict)
    copies: int = 0
    """Records that leave nothing behind, as others say the same or say it later."""
    others: dict[str, list[Written]] = field(default_factory=dict)
    """Further records of a row, of which the first stays."""
    gone: dict[str, Written] = field(default_factory=dict)
    """Rows that are not there, and the records that deleted them."""
    contents: dict[str, object] = field(default_factory=dict)
    """What rows say, where that is compared."""
    states: dict[Place, str] = field(default_factory=dict)
    """What has become of dead letters, where that is compared."""
    ends: dict[str, Written] = field(default_factory=dict)
    """Rows that go some day, and the records that said so first."""
    named_before: set[str] = field(default_factory=set)
    """Rows that deletions have named before they came, and that stay for all of these."""
    may_end: set[str] = field(default_factory=set)
    """Rows whose end is not compared."""
    stops: list[Stop] = field(default_factory=list)
    """Where it has said that it stopped."""
    reasons: dict[Place, str] = field(default_factory=dict)
    """Records that may stop it, and a part of what it says then."""


@dataclass(slots=True)
class Verdict:
    """What is wrong, by its kind."""

    records: int
    rows: int
    letters: int
    copies: int
    ended: int
    """Rows that deletions have given an end."""
    stops: int
    found: dict[str, list[str]]

    @property
    def is_good(self) -> bool:
        return not any(self.found.values())

    def __str__(self) -> str:
        wrong = ", ".join(f"{kind} {len(self.found[kind])}" for kind in KINDS)
        there = f"{self.records} records: {self.rows} rows, {self.letters} dead letters"
        more = f"{self.copies} that leave nothing; {self.ended} with an end, {self.stops} stops"
        return f"{wrong} ({there}, {more})"

    def details(self, most: int = 10) -> list[str]:
        return [
            f"{kind}: {one}"
            for kind in KINDS
            for one in [*self.found[kind][:most], *(["…"] if self.found[kind][most:] else [])]
        ]


def judge(
    acknowledged: Mapping[int, Place],
    written: Sequence[Written],
    expected: Expected,
    rows: Sequence[Row],
    letters: Sequence[Letter],
) -> Verdict:
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    _judge_log(acknowledged, written, found)
    dead = {letter.place for letter in letters if letter.state != REPLAYED}
    _judge_rows(expected, rows, dead, found)
    stored = {_place(expected.rows[row.name]) for row in rows if row.name in expected.rows}
    _judge_letters(expected, letters, stored, {_place(one) for one in written}, found)
    _judge_ends(expected, rows, found)
    _judge_stops(expected, written, found)
    _judge_order([(_told_at(row, expected), row.written, row.name) for row in rows], found)
    _judge_order([(one.place, one.written, f"letter {one.number}") for one in letters], found)
    counts = (len(written), len(rows), len(letters), expected.copies, len(expected.ends))
    return Verdict(*counts, len(expected.stops), found)


def _judge_log(
    acknowledged: Mapping[int, Place], written: Sequence[Written], found: dict[str, list[str]]
) -> None:
    there = {(one.number, _place(one)) for one in written}
    found[FORGOTTEN] += [
        f"{number}, acknowledged at {place[0]}/{place[1]}"
        for number, place in acknowledged.items()
        if (number, place) not in there
    ]
    for number, count in Counter(one.number for one in written).items():
        if count > 1:
            found[DOUBLE].append(f"{number} is {count} times in the log")


def _judge_rows(
    expected: Expected, rows: Sequence[Row], dead: set[Place], found: dict[str, list[str]]
) -> None:
    counts = Counter(row.name for row in rows)
    found[DOUBLE] += [f"{name}: {count} rows" for name, count in counts.items() if count > 1]
    for row in rows:
        wanted = expected.rows.get(row.name)
        if row.name in expected.gone:
            found[STALE].append(f"{row}, which {expected.gone[row.name]} has deleted")
        elif wanted is None:
            found[FOREIGN].append(f"{row}")
        elif row.number < wanted.number:
            found[STALE].append(f"{row}, where {wanted} should be")
        elif row.number != wanted.number or row.place not in (None, _place(wanted)):
            found[OLD].append(f"{row}, where {wanted} should be")
        elif row.content != expected.contents.get(row.name, row.content):
            found[ALTERED].append(f"{row}, where {expected.contents[row.name]} should be")
    for name, wanted in expected.rows.items():
        if name not in counts and _place(wanted) not in dead:
            found[LOST].append(f"{name}, which should be the row of {wanted}")


def _judge_ends(expected: Expected, rows: Sequence[Row], found: dict[str, list[str]]) -> None:
    for row in rows:
        if row.is_ended is None or row.name not in expected.rows or row.name in expected.may_end:
            continue
        deletion = expected.ends.get(row.name)
        if row.is_ended and deletion is None:
            found[ENDED].append(f"{row}")
        elif deletion is not None and not row.is_ended:
            found[ENDLESS].append(f"{row}, which {deletion} has deleted")


def _judge_stops(
    expected: Expected, written: Sequence[Written], found: dict[str, list[str]]
) -> None:
    """All before a stop is stored, and nothing after it, nor it."""
    for stop in expected.stops:
        (partition, offset), reason = stop.place, expected.reasons.get(stop.place)
        said = f"{partition}/{offset} ({stop.reason})"
        if reason is None or reason not in stop.reason:
            found[NEEDLESS].append(said)
        if stop.next_offset != offset:
            kind = BEYOND if (stop.next_offset or 0) > offset else UNDONE
            found[kind].append(f"the next offset is {stop.next_offset} at {said}")
        end = (partition + 1, 0)
        later = {one.number for one in written if stop.place <= _place(one) < end}
        found[BEYOND] += [f"{number} is a row at {said}" for number in stop.numbers & later]
        beyond = [place for place in stop.letters if stop.place <= place < end]
        found[BEYOND] += [f"{place} is a dead letter at {said}" for place in beyond]


def _told_at(row: Row, expected: Expected) -> Place | None:
    """Where in the log stands who wrote a row last: the record itself, or what has ended it."""
    deletion = expected.ends.get(row.name)
    return _place(deletion) if row.is_ended and deletion is not None else row.place


def _judge_letters(
    expected: Expected,
    letters: Sequence[Letter],
    stored: set[Place],
    written: set[Place],
    found: dict[str, list[str]],
) -> None:
    counts = Counter(letter.place for letter in letters)
    found[DOUBLE] += [f"{place}: {count} letters" for place, count in counts.items() if count > 1]
    for letter in letters:
        wanted = expected.letters.get(letter.place)
        if wanted is None and letter.place in stored:
            found[DOUBLE].append(f"{letter}, and a row as well")
        elif wanted is None:
            found[REFUSED if letter.place in written else FOREIGN].append(f"{letter}")
        elif letter.number != wanted.number:
            found[FOREIGN].append(f"{letter}, where {wanted} should be")
        elif letter.state != expected.states.get(letter.place, letter.state):
            found[STATE].append(f"{letter}, which should be {expected.states[letter.place]}")
    found[LOST] += [
        f"the dead letter of {wanted}"
        for place, wanted in expected.letters.items()
        if place not in counts
    ]


def _judge_order(
    places: Iterable[tuple[Place | None, int | None, str]], found: dict[str, list[str]]
) -> None:
    """What comes later in its partition is not written earlier."""
    last: dict[int, tuple[int, str]] = {}
    told = [(place, time, what) for place, time, what in places if place and time is not None]
    for (partition, offset), time, what in sorted(told):
        before, earlier = last.get(partition, (time, ""))
        if time < before:
            found[DISORDER].append(f"{what} at {partition}/{offset} is written before {earlier}")
        last[partition] = (max(time, before), what)


def _place(written: Written) -> Place:
    return (written.partition, written.offset)
