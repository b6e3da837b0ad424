"""A short run of live segments over both logs; `python -m tests.faults` runs it for longer."""

import os
from collections.abc import Sequence

import pytest

from tests.faults.history import History
from tests.faults.judging import ALTERED, FOREIGN, LOST, STALE, STATE, Verdict
from tests.faults.live_records import NEXT_GRADE, OWN
from tests.faults.live_segment import ALL, LiveSegmentCase
from tests.faults.run import Plan, settled, verdict_of
from tests.faults.stage import Stage
from tests.log.java import needs_java

SECONDS = float(os.environ.get("GRNRY_FAULT_SECONDS", "40"))
SEED = int(os.environ.get("GRNRY_FAULT_SEED", "1"))
TABLE = LiveSegmentCase.table
ONE = f"(select id from {TABLE} order by number limit 1)"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("log", ["embedded", pytest.param("kafka", marks=needs_java)])
def test_the_last_record_of_each_id_is_its_row(log: str) -> None:
    # Ids are of another type for each seed.
    seed = SEED + (log == "kafka")
    plan = Plan("live-segment", log, seed, SECONDS, per_second=400, pause=1.5)
    with settled(plan, History()) as stage:
        verdict = verdict_of(stage)
        assert verdict.is_good, "\n".join([str(verdict), *verdict.details(), *stage.history.lines])
        assert sum(stage.history.counts.values()) > 5, "hardly a fault has taken"
        assert isinstance(stage.case, LiveSegmentCase)
        assert stage.case.stops, "it has left out what it may not leave out"
        if log == "embedded":
            the_judge_can_fail(stage, verdict)


def the_judge_can_fail(stage: Stage, good: Verdict) -> None:
    """What is done to the table behind the product's back is said."""
    assert min(good.rows, good.copies) > 10
    assert good.letters
    changed = f"update {TABLE} set orders = orders # 1 where id = {ONE}"
    assert found(stage, changed) == {ALTERED: 1}
    older = f"update {TABLE} set number = number - 1 where id = {ONE}"
    assert found(stage, older) == {STALE: 1}
    assert found(stage, f"delete from {TABLE} where id = {ONE}") == {LOST: 1}
    assert isinstance(stage.case, LiveSegmentCase)
    never_sent = f"insert into {TABLE} (id, number) values (%s, 1)"
    assert found(stage, never_sent, [str(stage.case.ids.of(ALL))]) == {LOST: 1, FOREIGN: 1}
    wrong = "update grnry.dead_letters set state = 'replayed' where id = %s"
    letter = stage.house.rows(_LETTER)[0]["id"]
    assert found(stage, wrong, [letter]) == {LOST: 1, FOREIGN: 1, STATE: 1}
    gone = "delete from grnry.dead_letters where id = %s"
    assert found(stage, gone, [letter]) == {LOST: 2, FOREIGN: 1}


# Of what can never be stored: neither users nor a version of the schema have refused it.
_LETTER = (
    "select min(id) as id from grnry.dead_letters"
    f" where position('{OWN}' in reason) = 0 and position('{NEXT_GRADE}' in reason) = 0"
)


def found(stage: Stage, statement: str, values: Sequence[object] = ()) -> dict[str, int]:
    """What the judge finds after a statement of the table's owner."""
    with stage.house.connect() as platform:
        platform.execute(statement.encode(), values or None)
    return {kind: len(said) for kind, said in verdict_of(stage).found.items() if said}
