import pytest

from grnry.sinks import status
from grnry.sinks.status import Report, Status


def running() -> Status:
    made = Status()
    made.consuming(yes=True)
    return made


def test_it_deploys_until_it_consumes() -> None:
    made = Status()
    assert made.report() == Report("DEPLOYING")
    made.consuming(yes=True)
    assert made.report() == Report("RUNNING")
    made.consuming(yes=False)
    assert made.report() == Report("DEPLOYING")


def test_trouble_is_said_at_once_before_it_runs_and_late_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Status()
    made.trouble("log", "no broker")
    assert made.report() == Report("DEPLOYING", "log: no broker", retrying=True)
    made.consuming(yes=True)
    assert made.report() == Report("RUNNING")
    monkeypatch.setattr(status, "PATIENCE_SECONDS", -1.0)
    assert made.report() == Report("FAILED", "log: no broker", retrying=True)
    made.clear("log")
    assert made.report() == Report("RUNNING")


def test_trouble_counts_from_its_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("grnry.sinks.status.time.monotonic", lambda: now)
    made = running()
    made.trouble("database", "first")
    now += 9.9
    made.trouble("database", "second")
    assert made.report() == Report("RUNNING")
    now += 0.2
    assert made.report() == Report("FAILED", "database: second", retrying=True)


def test_a_failure_stays_until_its_own_place_is_clear() -> None:
    made = running()
    made.fail("database", "the table is gone", retrying=True)
    made.clear("log")
    assert made.report() == Report("FAILED", "the table is gone", retrying=True)
    made.clear("database")
    assert made.report() == Report("RUNNING")


def test_what_changes_is_told() -> None:
    made = running()
    made.changed.clear()
    made.clear("database")
    assert not made.changed.is_set()
    made.fail("database", "gone", retrying=False)
    assert made.changed.is_set()
    made.changed.clear()
    made.clear("database")
    assert made.changed.is_set()


def test_a_step_that_takes_too_long_is_stuck_and_waiting_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("grnry.sinks.status.time.monotonic", lambda: now)
    made = running()
    assert made.is_stuck() == ""
    made.at_work(yes=True)
    now += status.STUCK_SECONDS
    assert made.is_stuck() == ""
    now += 1
    assert made.is_stuck() == "the database has neither answered nor refused for 120 s"
    made.at_work(yes=True)  # the next one has begun
    assert made.is_stuck() == ""
    made.at_work(yes=False)
    now += 1000
    assert made.is_stuck() == ""
