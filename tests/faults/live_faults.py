"""What is done to a live segment at work: its schema grows, users alter its table and replay."""

import contextlib
import random
from collections.abc import Sequence

import psycopg

from tests.faults.faults import ERRORS, TABLE, Fault
from tests.faults.live_segment import LiveSegmentCase
from tests.faults.stage import NotNowError, Stage
from tests.faults.stops import UNSURE, NoneLeftOut

_TABLE = LiveSegmentCase.table
_COLUMN_IS_RENAMED = (
    f"select from pg_attribute where attrelid = '{_TABLE}'::regclass"
    " and attname = 'own_name' and not attisdropped"
)
NONE_LEFT_OUT = "no record may be left out"
_RAISE = """
create or replace function public.own_function() returns trigger language plpgsql as $$
begin
  if new.strict then
    raise exception 'own_trigger wants none that is strict';
  end if;
  return new;
end $$
"""


def _case(stage: Stage) -> LiveSegmentCase:
    assert isinstance(stage.case, LiveSegmentCase)
    return stage.case


def evolve_schema(stage: Stage) -> str:
    return f"to version {_case(stage).evolve(stage.house)}"


def replay_letters(stage: Stage) -> str:
    path = f"/dead-letters/{stage.case.deployment}:replay"
    return f"{stage.house.caller.post(path, {})['queued']} queued"


def leave_none_out(stage: Stage) -> str:
    """Long enough to stop and to be mended some times, among whatever else is done."""
    case = _case(stage)
    if case.none_left_out is not None and case.none_left_out.lasts:
        raise NotNowError("the last time is not over")
    case.none_left_out = now = NoneLeftOut(stage.house, case, random.Random(stage.chance.random()))
    return stage.lasting(NONE_LEFT_OUT, ERRORS, max(15, stage.some_seconds(40)), now.end)


def _altered(
    name: str, statements: Sequence[str], back: Sequence[str], *, is_restarted: bool = False
) -> Fault:
    """Lasts a while; a table that takes nothing is looked at again each minute, or at a restart."""

    def do(stage: Stage) -> str:
        case, house = _case(stage), stage.house
        case.alter(house, statements, back)

        def take_back() -> None:
            with contextlib.suppress(psycopg.Error):  # it is done when all is mended
                case.take_back(house)
            if is_restarted and (stage.longest < 10 or stage.chance.random() < 0.5):
                with contextlib.suppress(*UNSURE):
                    case.act(house, "RESTART")

        return stage.lasting(name, TABLE, stage.some_seconds(20), take_back)

    return Fault(name, do, holds=TABLE)


LIVE_FAULTS = (
    Fault(NONE_LEFT_OUT, leave_none_out, holds=ERRORS),
    Fault("evolve schema", evolve_schema),
    Fault("evolve schema once more", evolve_schema),
    Fault("replay dead letters", replay_letters),
    _altered(
        "user's column, index and view",
        [
            f"alter table {_TABLE} add column own_note text default 'mine'",
            f"create index own_index on {_TABLE} (number)",
            f"create or replace view public.own_view as select id, number from {_TABLE}",
        ],
        [
            "drop view if exists public.own_view",
            "drop index if exists global.own_index",
            f"alter table {_TABLE} drop column if exists own_note",
        ],
    ),
    _altered(
        "user's constraint",
        [f"alter table {_TABLE} add constraint own_check check (not strict) not valid"],
        [f"alter table {_TABLE} drop constraint if exists own_check"],
    ),
    _altered(
        "user's constraint that empty values fail",
        [
            (
                f"alter table {_TABLE} add constraint own_check"
                " check (number > 0 and not strict) not valid"
            )
        ],
        [f"alter table {_TABLE} drop constraint if exists own_check"],
    ),
    _altered(
        "user's trigger",
        [
            _RAISE,
            (
                f"create trigger own_trigger before insert or update on {_TABLE}"
                " for each row execute function public.own_function()"
            ),
        ],
        [f"drop trigger if exists own_trigger on {_TABLE}"],
    ),
    _altered(
        "column that no row has",
        [
            f"alter table {_TABLE} add column own_need integer not null default 1",
            f"alter table {_TABLE} alter column own_need drop default",
        ],
        [f"alter table {_TABLE} drop column if exists own_need"],
        is_restarted=True,
    ),
    _altered(
        "column renamed",
        [f"alter table {_TABLE} rename column name to own_name"],
        [
            (
                f"do $$ begin if exists ({_COLUMN_IS_RENAMED}) then"
                f" alter table {_TABLE} rename column own_name to name; end if; end $$"
            )
        ],
        is_restarted=True,
    ),
    _altered(
        "right to write taken",
        [f"revoke insert, update, delete on {_TABLE} from grnry_worker"],
        [f"grant insert, update, delete on {_TABLE} to grnry_worker"],
        is_restarted=True,
    ),
)
