"""The reaper in tables that are not the platform's: what goes wrong there stays there."""

import logging
from collections.abc import Callable, Iterator

import pytest

from grnry.database.pool import Database
from grnry.events.expiry import reaper as reaping
from grnry.log.producer import Producer
from tests.conftest import free_port
from tests.event_types.calling import Caller
from tests.events.expiry.field import DAY, MS, NOW, Field
from tests.persisters.elsewhere import NAME, Warehouse, configure

Make = Callable[[Warehouse | None], Field]
TRIGGERED = """
create function global.seize() returns trigger language plpgsql as $$
begin
  delete from public.eventstore;
  return old;
end $$
"""


@pytest.fixture
def make(caller: Caller, database: Database, producer: Producer) -> Iterator[Make]:
    made: list[Field] = []

    def one(warehouse: Warehouse | None) -> Field:
        made.append(Field(caller, database, producer, warehouse))
        return made[-1]

    yield one
    for field in made:
        field.clear()


@pytest.fixture
def own(make: Make) -> Field:
    """In a table of the project's."""
    field = make(None)
    field.move_into_the_project()
    return field


def add_two(field: Field) -> None:
    """One to be told of, one to be deleted."""
    field.add("old", 2 * DAY)
    field.add("ended", DAY // 2)
    field.end("ended", MS - 1)


def is_reaped(field: Field) -> bool:
    return field.told_ids() == ["old"] and field.ids() == ["old"]


def test_a_database_that_is_away_keeps_no_other_waiting(
    make: Make, warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    gone, fine = make(None), make(warehouse)
    nowhere = {NAME + "url": f"jdbc:postgresql://127.0.0.1:{free_port()}/warehouse"}
    configure(gone.caller, gone.name, {**warehouse.config(), **nowhere})
    add_two(fine)
    with caplog.at_level(logging.WARNING):
        gone.reaper().reap(NOW)
    assert is_reaped(fine)
    (said,) = [line for line in caplog.messages if gone.name in line]
    assert said.endswith(
        "/warehouse public.eventstore stays: The database that"
        f" 'grnry-p-pg-{gone.name}' writes does not answer at the moment."
    )


def test_a_table_that_is_locked_keeps_no_other_waiting(
    own: Field, make: Make, warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere, here = make(warehouse), make(None)
    for field in (own, elsewhere, here):
        add_two(field)
    with own.connect() as connection, connection.transaction():
        connection.execute(f"lock table {own.table}".encode())
        with caplog.at_level(logging.WARNING):
            own.reaper().reap(NOW)
        assert is_reaped(elsewhere)
        assert is_reaped(here)
        assert own.told_ids() == []
    assert any(
        f"'grnry-p-pg-{own.name}' writes refuses us: canceling statement due to lock timeout"
        in line
        for line in caplog.messages
    )
    own.reaper().reap(NOW)
    assert is_reaped(own)


@pytest.mark.parametrize("when", ["before", "after"])
def test_no_code_of_a_project_runs_as_the_platform(
    own: Field, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_two(own)
    own.as_project(TRIGGERED)
    own.as_project(
        f"create trigger seize {when} delete on {own.table}"
        " for each row execute function global.seize()"
    )
    try:
        with caplog.at_level(logging.WARNING):
            own.reaper().reap(NOW)
        assert own.told_ids() == []
        assert own.ids() == ["ended", "old"]
        assert any(f"The table {own.table} has triggers" in line for line in caplog.messages)
    finally:
        own.as_project("drop function global.seize cascade")
    own.reaper().reap(NOW)
    assert is_reaped(own)


def test_a_table_that_is_missing_is_said(
    own: Field, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    here = make(None)
    add_two(here)
    own.as_project(f"alter table {own.table} rename to away")
    with caplog.at_level(logging.WARNING):
        own.reaper().reap(NOW)
    own.as_project(f"alter table global.away rename to {own.table.split('.')[1]}")
    assert is_reaped(here)
    assert any(f"There is no table {own.table}." in line for line in caplog.messages)


def test_rows_that_no_deletion_event_can_name_are_left(make: Make, warehouse: Warehouse) -> None:
    """An empty event id would mean all events of the entity."""
    field = make(warehouse)
    add_two(field)
    field.add("", 3 * DAY)
    field.add("nobody's", 3 * DAY, entity="")
    field.add("a" * 20_000, 3 * DAY)
    field.reaper().reap(NOW)
    assert field.told_ids() == ["old"]


def test_each_table_has_its_time(
    make: Make, warehouse: Warehouse, own: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, here = make(warehouse), make(None)
    for field in (own, elsewhere, here):
        add_two(field)
    monkeypatch.setattr(reaping, "SECONDS_APART", 0.0)
    own.reaper().reap(NOW)
    assert is_reaped(here)
    assert (own.told_ids(), elsewhere.told_ids()) == ([], [])
    monkeypatch.undo()
    own.reaper().reap(NOW)
    assert is_reaped(own)
    assert is_reaped(elsewhere)


def test_what_was_stored_here_before_gets_its_end_by_the_reaper(
    make: Make, warehouse: Warehouse
) -> None:
    """As the persister, which writes elsewhere now, does not see it any more."""
    field = make(None)
    field.add("left", 2 * DAY)
    field.add("young", DAY // 2)
    configure(field.caller, field.name, {**warehouse.config(), "eventstore.ttlGracePeriod": "PT2H"})
    field.reaper().reap(NOW)
    assert field.told_ids() == ["left"]
    (row,) = field.run(
        "select *, extract(epoch from now()) * 1000 as now from {table}"
        " where event_type = %s and expires is not null",
        field.name,
    )
    assert row["event_id"] == "left"
    assert 0 <= row["now"] + 2 * 3_600_000 - row["expires"] < 600_000
    assert row["ttl"] == f"PT{(row['expires'] - row['created']) / 1000:.3f}S"
    field.end("left", MS - 1)
    field.reaper().reap(NOW)
    assert field.ids() == ["young"]
    assert field.told_ids() == ["left"]
