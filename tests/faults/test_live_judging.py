"""The judge of a live segment says what is wrong, and only that."""

import random
from dataclasses import replace

import pytest

from tests.faults.judging import (
    ALTERED,
    BEYOND,
    DOUBLE,
    FAILED,
    FOREIGN,
    LOST,
    NEEDLESS,
    REFUSED,
    REPLAYED,
    STALE,
    STATE,
    SUPERSEDED,
    UNDONE,
    Expected,
    Letter,
    Place,
    Row,
    Stop,
    Verdict,
    judge,
)
from tests.faults.live_model import expected_of
from tests.faults.live_records import OWN, Made, told
from tests.faults.load import Written

RECORDS = 6000
IDS = 300


class Run:
    """A run that went well, as a table that takes one record after the other leaves it."""

    def __init__(self) -> None:
        chance = random.Random(3)
        self.made = [_made(number, chance) for number in range(RECORDS)]
        self.written = [
            Written(number, hash(made.id) % 4, number) for number, made in enumerate(self.made)
        ]
        self.acknowledged = {one.number: (one.partition, one.offset) for one in self.written}
        rows: dict[str, Row] = {}
        letters: dict[Place, Letter] = {}
        for one in self.written:
            self._take(one, rows, letters)
        self.rows, self.letters = list(rows.values()), list(letters.values())
        self.stops: list[Stop] = []

    def _take(self, one: Written, rows: dict[str, Row], letters: dict[Place, Letter]) -> None:
        made, name = self.made[one.number], str(self.made[one.number].id)
        place = (one.partition, one.offset)
        if made.is_poison or made.refusal:
            reason = "own_check refuses it" if made.refusal else "bad"
            letters[place] = Letter(place, one.number, reason, one.offset, FAILED)
            return
        for at, letter in letters.items():
            if self.made[letter.number or 0].id == made.id is not None:
                letters[at] = replace(letter, state=SUPERSEDED)
        if made.content is None:
            rows.pop(name, None)
        else:
            rows[name] = Row(name, None, one.number, None, told(made.content))

    def expected(self) -> Expected:
        expected = expected_of(self.made, self.written, self.letters)
        expected.stops = self.stops
        return expected

    def stop(self) -> Stop:
        """As it should be told of a poison record in the middle."""
        one = next(one for one in self.written[RECORDS // 2 :] if self.made[one.number].is_poison)
        before = [
            other
            for other in self.written
            if other.partition != one.partition or other.offset < one.offset
        ]
        return Stop(
            (one.partition, one.offset),
            "bad",
            one.offset,
            frozenset(other.number for other in before),
            frozenset((other.partition, other.offset) for other in before),
        )

    def verdict(self) -> Verdict:
        return judge(self.acknowledged, self.written, self.expected(), self.rows, self.letters)

    def wrong(self) -> dict[str, int]:
        return {kind: len(found) for kind, found in self.verdict().found.items() if found}

    def letter(self, state: str, *, is_strict: bool = False) -> int:
        """Where there is one in this state, about a row."""
        return next(
            at
            for at, letter in enumerate(self.letters)
            if letter.state == state
            and self.made[letter.number or 0].refusal == (OWN if is_strict else "")
            and self.made[letter.number or 0].id is not None
        )


def _made(number: int, chance: random.Random) -> Made:
    id_ = chance.randrange(IDS)
    if chance.randrange(40) == 0:
        return Made(chance.choice([None, id_]), {}, is_poison=True)
    if chance.randrange(5) == 0:
        return Made(id_, None)
    content = {"number": number + 1, "name": f"name {number}", "orders": chance.randrange(3)}
    return Made(id_, content, refusal=OWN if chance.randrange(30) == 0 else "")


@pytest.fixture
def run() -> Run:
    return Run()


def test_what_went_well_is_good(run: Run) -> None:
    verdict = run.verdict()
    assert verdict.is_good, verdict.details()
    assert verdict.rows + verdict.letters + verdict.copies == RECORDS
    states = {letter.state for letter in run.letters}
    assert states == {FAILED, SUPERSEDED}
    assert min(verdict.rows, verdict.letters, len(run.expected().gone)) > 20


def test_a_row_that_is_missing_is_lost(run: Run) -> None:
    run.rows.pop()
    assert run.wrong() == {LOST: 1}


def test_a_row_of_an_earlier_record_is_stale(run: Run) -> None:
    at, row = next((at, row) for at, row in enumerate(run.rows) if row.number > RECORDS // 2)
    name = row.name
    earlier = max(n for n, made in enumerate(run.made[: row.number]) if str(made.id) == name)
    run.rows[at] = replace(row, number=earlier)
    assert run.wrong() == {STALE: 1}


def test_a_row_that_was_deleted_is_stale(run: Run) -> None:
    name, deletion = next(iter(run.expected().gone.items()))
    run.rows.append(Row(name, None, deletion.number - 1, None, {}))
    assert run.wrong() == {STALE: 1}


def test_a_row_of_an_id_that_was_never_sent_is_said(run: Run) -> None:
    run.rows.append(Row(str(IDS), None, 1, None, {}))
    assert run.wrong() == {FOREIGN: 1}


def test_a_row_twice_is_double(run: Run) -> None:
    run.rows.append(run.rows[0])
    assert run.wrong() == {DOUBLE: 1}


@pytest.mark.parametrize("wrong", [{}, {"name": "another"}, {"orders": 1, "added_2": "x"}])
def test_a_value_that_was_not_sent_is_said(run: Run, wrong: dict[str, object]) -> None:
    run.rows[0] = replace(run.rows[0], content=wrong)
    assert run.wrong() == {ALTERED: 1}


def test_a_dead_letter_that_is_missing_is_lost(run: Run) -> None:
    at = next(at for at, one in enumerate(run.letters) if run.made[one.number or 0].is_poison)
    run.letters.pop(at)
    assert run.wrong() == {LOST: 1}


def test_a_dead_letter_twice_is_double(run: Run) -> None:
    run.letters.append(run.letters[0])
    assert run.wrong() == {DOUBLE: 1}


def test_a_good_record_among_the_dead_letters_is_wrong(run: Run) -> None:
    row = run.rows.pop()
    written = run.written[row.number]
    place = (written.partition, written.offset)
    run.letters.append(Letter(place, row.number, "the database was away", RECORDS, FAILED))
    assert run.wrong() == {REFUSED: 1}


def test_one_that_is_superseded_by_nothing_is_said(run: Run) -> None:
    at = run.letter(FAILED)
    run.letters[at] = replace(run.letters[at], state=SUPERSEDED)
    assert run.wrong() == {STATE: 1}


def test_one_that_is_outdated_and_not_superseded_is_said(run: Run) -> None:
    at = run.letter(SUPERSEDED)
    run.letters[at] = replace(run.letters[at], state=FAILED)
    assert run.wrong() == {STATE: 1}


def test_one_that_can_never_be_stored_and_is_replayed_is_said(run: Run) -> None:
    at = run.letter(FAILED)
    run.letters[at] = replace(run.letters[at], state=REPLAYED)
    assert STATE in run.wrong()


def test_what_is_replayed_has_to_be_there(run: Run) -> None:
    at = run.letter(FAILED, is_strict=True)
    letter = run.letters[at] = replace(run.letters[at], state=REPLAYED)
    made = run.made[letter.number or 0]
    run.rows = [row for row in run.rows if row.name != str(made.id)]
    assert run.wrong()[LOST] == 1
    run.rows.append(Row(str(made.id), None, letter.number or 0, None, told(made.content or {})))
    assert LOST not in run.wrong()


def test_what_users_do_not_refuse_has_to_be_there(run: Run) -> None:
    """What is refused for another reason, though users might have refused it."""
    at = run.letter(FAILED, is_strict=True)
    run.letters[at] = replace(run.letters[at], reason="the database was away")
    assert sum(run.wrong().get(kind, 0) for kind in (REFUSED, STALE)) >= 1


def test_a_stop_before_which_all_and_after_which_nothing_is_stored_is_good(run: Run) -> None:
    run.stops = [run.stop()]
    assert run.wrong() == {}


def test_what_is_stored_beyond_a_stop_is_said(run: Run) -> None:
    stop = run.stop()
    partition, offset = stop.place
    later = next(
        one.number for one in run.written if one.partition == partition and one.offset > offset
    )
    for wrong in (
        replace(stop, next_offset=offset + 1),
        replace(stop, numbers=stop.numbers | {later}),
        replace(stop, letters=stop.letters | {stop.place}),
    ):
        run.stops = [wrong]
        assert run.wrong() == {BEYOND: 1}


@pytest.mark.parametrize("less", [1, None])
def test_what_is_not_stored_before_a_stop_is_said(run: Run, less: int | None) -> None:
    stop = run.stop()
    run.stops = [replace(stop, next_offset=less and stop.place[1] - less)]
    assert run.wrong() == {UNDONE: 1}


def test_a_stop_at_a_good_record_is_said(run: Run) -> None:
    good = next(one for one in run.written if run.made[one.number].refusal)
    place = (good.partition, good.offset)
    nothing: frozenset[int] = frozenset()
    run.stops = [Stop(place, "own_check refuses it", good.offset, nothing, frozenset())]
    assert run.wrong() == {}
    run.stops = [Stop(place, "the database was away", good.offset, nothing, frozenset())]
    assert run.wrong() == {NEEDLESS: 1}
