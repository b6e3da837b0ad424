"""The judge says what is wrong, and only that."""

from dataclasses import replace
from zlib import crc32

import pytest

from tests.faults.event_store import PARTITIONS, EventStoreCase
from tests.faults.judging import (
    ALTERED,
    DISORDER,
    DOUBLE,
    ENDED,
    ENDLESS,
    FAILED,
    FOREIGN,
    FORGOTTEN,
    KINDS,
    LOST,
    OLD,
    REFUSED,
    STALE,
    STATE,
    SUPERSEDED,
    Expected,
    Letter,
    Row,
    Verdict,
    judge,
)
from tests.faults.load import Written

RECORDS = 5000


class Run:
    """A run that went well, for tests to spoil."""

    def __init__(self, seed: int) -> None:
        case = EventStoreCase(seed)
        ends = [0] * PARTITIONS
        self.written: list[Written] = []
        for number in range(RECORDS):
            partition = crc32(case.sent(number).key or b"") % PARTITIONS
            self.written.append(Written(number, partition, ends[partition]))
            ends[partition] += 1
        self.acknowledged = {one.number: (one.partition, one.offset) for one in self.written}
        self.expected: Expected = case.expected(self.written)
        self.rows = [self._row(name, one) for name, one in self.expected.rows.items()]
        self.letters = [
            Letter(place, one.number, "bad", one.offset // 100, self.expected.states[place])
            for place, one in self.expected.letters.items()
        ]

    def _row(self, name: str, one: Written) -> Row:
        """As its last writer leaves it: who stored it, or who ended it."""
        end = self.expected.ends.get(name)
        written = (end or one).offset // 100
        return Row(name, (one.partition, one.offset), one.number, written, True, end is not None)

    def ended(self, *, yes: bool) -> int:
        """Where there is a row that is, or is not."""
        return next(at for at, row in enumerate(self.rows) if row.is_ended is yes)

    def verdict(self) -> Verdict:
        return judge(self.acknowledged, self.written, self.expected, self.rows, self.letters)

    def wrong(self) -> dict[str, int]:
        return {kind: len(found) for kind, found in self.verdict().found.items() if found}


@pytest.fixture(params=[4, 5], ids=["random ids", "ids of their own"])
def run(request: pytest.FixtureRequest) -> Run:
    return Run(request.param)


def test_what_went_well_is_good(run: Run) -> None:
    verdict = run.verdict()
    assert verdict.is_good
    assert verdict.rows + verdict.letters + verdict.copies == RECORDS
    assert verdict.copies > 10
    assert verdict.letters > 2
    assert len(run.expected.ends) > 50
    assert len(run.expected.named_before) > 5
    assert set(run.expected.states.values()) == {FAILED, SUPERSEDED}
    assert str(verdict).startswith("lost 0, double 0, never sent 0")
    assert verdict.details() == []


def test_a_row_that_is_missing_is_lost_and_its_place_is_said(run: Run) -> None:
    gone = run.rows.pop(1234)
    assert run.wrong() == {LOST: 1}
    assert f"number={gone.number}" in run.verdict().details()[0]
    assert str(run.verdict()).startswith("lost 1,")


def test_a_dead_letter_that_is_missing_is_lost(run: Run) -> None:
    run.letters.pop()
    assert run.wrong() == {LOST: 1}


def test_a_row_twice_is_double(run: Run) -> None:
    run.rows.append(run.rows[7])
    assert run.wrong() == {DOUBLE: 1}


def test_a_dead_letter_twice_is_double(run: Run) -> None:
    run.letters.append(run.letters[0])
    assert run.wrong() == {DOUBLE: 1}


def test_a_row_that_is_a_dead_letter_as_well_is_double(run: Run) -> None:
    row = run.rows[-1]
    assert row.place
    run.letters.append(Letter(row.place, row.number, "bad", 1000))
    assert run.wrong() == {DOUBLE: 1}


def test_a_good_record_among_the_dead_letters_is_wrong(run: Run) -> None:
    row = run.rows.pop()
    assert row.place
    run.letters.append(Letter(row.place, row.number, "the database was away", 1000))
    assert run.wrong() == {REFUSED: 1}


def test_a_row_that_nobody_sent_is_said(run: Run) -> None:
    run.rows.append(Row("entity-1/0", (0, RECORDS), RECORDS, 1000))
    assert run.wrong() == {FOREIGN: 1}


def test_a_dead_letter_that_nothing_supersedes_is_failed(run: Run) -> None:
    at = next(at for at, letter in enumerate(run.letters) if letter.state == FAILED)
    run.letters[at] = replace(run.letters[at], state=SUPERSEDED)
    assert run.wrong() == {STATE: 1}


def test_a_dead_letter_that_nobody_sent_is_said(run: Run) -> None:
    run.letters.append(Letter((0, RECORDS), None, "bad", 1000))
    assert run.wrong() == {FOREIGN: 1}


def test_the_second_of_two_copies_in_place_of_the_first_is_wrong(run: Run) -> None:
    at, row = next((at, row) for at, row in enumerate(run.rows) if row.is_ended is False)
    assert row.place
    run.rows[at] = replace(row, number=RECORDS, place=(row.place[0], row.place[1] + 1))
    assert run.wrong() == {OLD: 1}


def test_a_row_that_is_written_before_what_comes_before_it_is_out_of_order(run: Run) -> None:
    at = next(at for at, row in enumerate(run.rows) if row.written == 5)
    run.rows[at] = replace(run.rows[at], written=3)
    assert run.wrong() == {DISORDER: 1}


def test_what_the_log_acknowledged_and_does_not_have_is_said(run: Run) -> None:
    run.acknowledged[RECORDS] = (0, RECORDS)
    assert run.wrong() == {FORGOTTEN: 1}


def test_what_the_log_has_twice_is_double(run: Run) -> None:
    run.written.append(Written(5, 5, RECORDS))
    assert run.wrong() == {DOUBLE: 1}


def test_a_row_of_a_deletion_is_said(run: Run) -> None:
    """In place of the event that comes after it, or of none."""
    name = next(iter(run.expected.named_before))
    at = next(at for at, row in enumerate(run.rows) if row.name == name)
    run.rows[at] = replace(run.rows[at], number=-1)
    assert run.wrong() == {STALE: 1}
    run.rows.append(Row("entity-0/", (0, RECORDS), -1, RECORDS, True, False))
    assert run.wrong() == {STALE: 1, FOREIGN: 1}


def test_a_deleted_event_without_an_end_is_said(run: Run) -> None:
    at = run.ended(yes=True)
    row = run.rows[at]
    assert row.place
    run.rows[at] = replace(row, is_ended=False, written=row.place[1] // 100)
    assert run.wrong() == {ENDLESS: 1}


def test_an_end_that_nobody_gave_is_said(run: Run) -> None:
    at = run.ended(yes=False)
    run.rows[at] = replace(run.rows[at], is_ended=True)
    assert run.wrong() == {ENDED: 1}


def test_an_end_that_is_put_off_by_a_further_deletion_is_out_of_order(run: Run) -> None:
    at = min(
        (at for at, row in enumerate(run.rows) if row.is_ended),
        key=lambda at: run.expected.ends[run.rows[at].name].offset,
    )
    run.rows[at] = replace(run.rows[at], written=RECORDS)
    assert run.wrong() == {DISORDER: run.wrong()[DISORDER]}


def test_an_end_that_its_text_does_not_tell_is_said(run: Run) -> None:
    at = run.ended(yes=True)
    run.rows[at] = replace(run.rows[at], content=False)
    assert run.wrong() == {ALTERED: 1}


def test_a_dead_letter_that_a_deletion_does_not_supersede_is_said(run: Run) -> None:
    at = next(at for at, one in enumerate(run.letters) if one.state == SUPERSEDED)
    run.letters[at] = replace(run.letters[at], state=FAILED)
    assert run.wrong() == {STATE: 1}


def test_the_end_of_what_a_deletion_named_before_may_be_left_open(run: Run) -> None:
    name = next(iter(run.expected.named_before - run.expected.ends.keys()))
    at = next(at for at, row in enumerate(run.rows) if row.name == name)
    run.rows[at] = replace(run.rows[at], is_ended=True)
    assert run.wrong() == {ENDED: 1}
    run.expected.may_end.add(name)
    assert run.wrong() == {}


def test_every_kind_is_in_the_sentence(run: Run) -> None:
    assert all(f"{kind} 0" in str(run.verdict()) for kind in KINDS)
