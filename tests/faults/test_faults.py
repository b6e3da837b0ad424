"""A short run over each log; `python -m tests.faults` is the same for as long as one likes."""

import os

import pytest

from tests.faults import topic_again
from tests.faults.event_store import NAME
from tests.faults.history import History
from tests.faults.judging import DOUBLE, FOREIGN, LOST, Verdict
from tests.faults.run import Plan, settled, verdict_of
from tests.faults.stage import Stage
from tests.log.java import needs_java

SECONDS = float(os.environ.get("GRNRY_FAULT_SECONDS", "40"))
SEED = int(os.environ.get("GRNRY_FAULT_SEED", "1"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("log", ["embedded", "alone", pytest.param("kafka", marks=needs_java)])
def test_each_acknowledged_event_is_one_row_or_one_dead_letter(log: str) -> None:
    # The embedded log by itself has had the same faults but for those of the link before it.
    seconds = SECONDS / 2 if log == "alone" else SECONDS
    plan = Plan("pg", log, SEED, seconds, per_second=500, pause=2.0)
    with settled(plan, History()) as stage:
        verdict = verdict_of(stage)
        assert verdict.is_good, "\n".join([str(verdict), *verdict.details(), *stage.history.lines])
        assert sum(stage.history.counts.values()) > 5, "hardly a fault has taken"
        if log == "embedded":
            the_judge_can_fail(stage, verdict)


@pytest.mark.parametrize(
    ("engine", "log"),
    [
        ("pg", "embedded"),
        pytest.param("pg", "kafka", marks=needs_java),
        pytest.param("live-segment", "kafka", marks=needs_java),
    ],
)
def test_a_topic_that_is_made_again_loses_nothing(engine: str, log: str) -> None:
    verdict = topic_again.run(Plan(engine, log, SEED, seconds=0), History())
    assert verdict.is_good, "\n".join([str(verdict), *verdict.details()])


def the_judge_can_fail(stage: Stage, good: Verdict) -> None:
    """What is done to the table behind the product's back is said."""
    assert good.rows > 1000
    assert good.letters
    with stage.house.connect() as platform:
        platform.execute(
            "create table gone as select * from public.eventstore"
            " where event_type = %s order by partition_offset limit 1",
            [NAME],
        )
        platform.execute(
            "delete from public.eventstore as event using gone where"
            " (event.event_type, event.correlation_id, event.event_id)"
            " = (gone.event_type, gone.correlation_id, gone.event_id)"
        )
        assert counts(stage) == {LOST: 1}
        platform.execute("alter table public.eventstore drop constraint eventstore_pkey")
        platform.execute(
            "insert into public.eventstore select gone.* from gone, generate_series(1, 2)"
        )
        assert counts(stage)[DOUBLE] == 1
        platform.execute("update gone set event_id = 'never-sent'")
        platform.execute("insert into public.eventstore select * from gone")
        assert counts(stage)[FOREIGN] == 1
        platform.execute("delete from grnry.dead_letters where id = (select min(id) from"
                         " grnry.dead_letters)")  # fmt: skip
        assert counts(stage)[LOST] == 1


def counts(stage: Stage) -> dict[str, int]:
    return {kind: len(found) for kind, found in verdict_of(stage).found.items() if found}
