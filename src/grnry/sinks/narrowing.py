"""Narrowing: store what can be stored of a batch, and find the records that cannot.

Runs within the batch's transaction. Where the batch fails as a whole, its target is asked first
which lines it can tell to be bad at once. A piece of the others that fails is rolled back to its
savepoint and split: before the line that the server names where it names one, in half where it does
not. Pieces grow again while they pass, so that one bad record among thousands costs a few
statements, and a batch of nothing else costs one each.
"""

import re

import psycopg

from grnry.sinks.batch import Batch, DeadLetter
from grnry.sinks.target import Connection, Target
from grnry.sinks.verdict import OF_RECORDS, NoRowFits, Verdict, verdict_of

CONSTRAINTS, NOT_NULL, RAISED = "23", "23502", "P0001"

_LINE = re.compile(r"COPY \S+, line (\d+)")


def store_narrowed(connection: Connection, target: Target, batch: Batch) -> list[DeadLetter]:
    """Store every line that can be; answers the records that cannot. Other errors pass through."""
    target.hold(connection)  # what a savepoint locks is free again when it is rolled back
    outcome = _try(connection, target, batch.lines)
    if isinstance(outcome, int):
        return []
    told = _told(connection, target, batch)
    rest = batch.leaving_out(told)
    size = len(rest.lines) if told else _good_lines(outcome, len(rest.lines))
    rows, found = _narrow(connection, target, rest, size)
    # A deletion that passes says nothing of what the table takes.
    if (told or found) and not rows:
        _expect_that_a_sample_fits(connection, target)
    places = {id(record): place for place, record in enumerate(batch.records)}
    return sorted([*told, *found], key=lambda letter: places[id(letter.record)])


def _told(connection: Connection, target: Target, batch: Batch) -> list[DeadLetter]:
    """The records that the target can tell to be bad; where it cannot, each is tried."""
    try:
        with connection.transaction():
            refused = target.refused(connection, batch.lines)
    except psycopg.Error as error:
        if verdict_of(error) in (Verdict.AWAY, Verdict.PASSING):
            raise
        return []
    return [
        DeadLetter(batch.records[at], reason, sqlstate)
        for at, (reason, sqlstate) in refused.items()
    ]


def _narrow(
    connection: Connection, target: Target, batch: Batch, size: int
) -> tuple[int, list[DeadLetter]]:
    """Answers how many rows the table took, and what cannot be stored; begins with `size` lines."""
    bad: list[DeadLetter] = []
    rows, at, total = 0, 0, len(batch.lines)
    while at < total:
        end = min(at + size, total)
        outcome = _try(connection, target, batch.lines[at:end])
        if isinstance(outcome, int):
            rows += outcome
            at, size = end, size * 2
        elif end - at == 1:
            bad.append(DeadLetter(batch.records[at], _reason(outcome), outcome.sqlstate))
            at += 1
        else:
            size = _good_lines(outcome, end - at)
    return rows, bad


def _try(connection: Connection, target: Target, lines: list[bytes]) -> int | psycopg.Error:
    """Store a piece; answers how many rows it is, or the error of its records. Raises any other."""
    try:
        with connection.transaction():
            return target.store_carefully(connection, lines)
    except psycopg.Error as error:
        # What is there already is left out, so a key that is taken is another than the row's own.
        if verdict_of(error) not in OF_RECORDS:
            raise
        # Fails where the server does.
        connection.execute("select 1")
        return error


def _expect_that_a_sample_fits(connection: Connection, target: Target) -> None:
    """A table that takes nothing at all is no reason to give records up.

    Where people may give a table constraints and triggers, those are about values: what they say of
    the sample, which has none, says nothing of the table.
    """
    try:
        with connection.transaction(force_rollback=True):
            target.store_carefully(connection, [target.sample()])
    except psycopg.Error as error:
        if not target.owns_constraints and _is_about_values(error):
            return
        if verdict_of(error) is not Verdict.RECORDS:
            raise
        raise NoRowFits(f"no row fits, nor does one of empty values: {_reason(error)}") from error


def _is_about_values(error: psycopg.Error) -> bool:
    """Not of a column that has to have a value and is none of ours: that is about the table."""
    state = error.sqlstate or ""
    return state == RAISED or (state.startswith(CONSTRAINTS) and state != NOT_NULL)


def _good_lines(error: psycopg.Error, size: int) -> int:
    """How many lines of the failed piece to try next."""
    found = _LINE.search(error.diag.context or "")
    line = int(found[1]) if found else 0
    if 1 < line <= size:
        return line - 1
    return 1 if line == 1 else max(1, size // 2)


def _reason(error: psycopg.Error) -> str:
    said = [error.diag.message_primary or str(error), error.diag.message_detail]
    return ": ".join(part for part in said if part)
