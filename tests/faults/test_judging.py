"""The judge says what is wrong, and only that."""

from dataclasses import replace

import pytest

from tests.faults.event_store import EventStoreCase
from tests.faults.judging import (
    DISORDER,
    DOUBLE,
    FAILED,
    FOREIGN,
    FORGOTTEN,
    KINDS,
    LOST,
    OLD,
    REFUSED,
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
    """A run that went well, for tests to spoil; partitions take turns."""

    def __init__(self) -> None:
        case = EventStoreCase(seed=5)
        for number in range(RECORDS):
            case.sent(number)
        self.written = [Written(number, number % 8, number // 8) for number in range(RECORDS)]
        self.acknowledged = {one.number: (one.partition, one.offset) for one in self.written}
        self.expected: Expected = case.expected(self.written)
        self.rows = [
            Row(name, (one.partition, one.offset), one.number, one.offset // 100)
            for name, one in self.expected.rows.items()
        ]
        self.letters = [
            Letter(place, one.number, "bad", one.offset // 100, FAILED)
            for place, one in self.expected.letters.items()
        ]

    def verdict(self) -> Verdict:
        return judge(self.acknowledged, self.written, self.expected, self.rows, self.letters)

    def wrong(self) -> dict[str, int]:
        return {kind: len(found) for kind, found in self.verdict().found.items() if found}


@pytest.fixture
def run() -> Run:
    return Run()


def test_what_went_well_is_good(run: Run) -> None:
    verdict = run.verdict()
    assert verdict.is_good
    assert verdict.rows + verdict.letters + verdict.copies == RECORDS
    assert verdict.copies > 10
    assert verdict.letters > 2
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
    run.letters[0] = replace(run.letters[0], state=SUPERSEDED)
    assert run.wrong() == {STATE: 1}


def test_a_dead_letter_that_nobody_sent_is_said(run: Run) -> None:
    run.letters.append(Letter((0, RECORDS), None, "bad", 1000))
    assert run.wrong() == {FOREIGN: 1}


def test_the_second_of_two_copies_in_place_of_the_first_is_wrong(run: Run) -> None:
    at, row = next((at, row) for at, row in enumerate(run.rows) if row.number == 1000)
    assert row.place
    run.rows[at] = replace(row, number=1008, place=(row.place[0], row.place[1] + 1))
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


def test_every_kind_is_in_the_sentence(run: Run) -> None:
    assert all(f"{kind} 0" in str(run.verdict()) for kind in KINDS)
