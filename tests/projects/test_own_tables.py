"""A project's own table of events: workers write it, and nothing in it runs with their rights."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import dict_row

from grnry.database.leases import Leases
from grnry.persisters.event_store import EventStore
from grnry.persisters.homes import ProjectTable
from grnry.persisters.model import Store
from grnry.persisters.service import _let_workers_in
from grnry.persisters.tables import Unfit
from grnry.projects.database_space import role_of
from grnry.sinks.batch import Batch
from grnry.sinks.verdict import NoRowFits, Verdict, verdict_of
from grnry.sinks.writer import Writer
from tests.how_to import statements
from tests.projects.conftest import Arena
from tests.sinks.records import TOPIC, Made, event, headers

NAME = ("north", "events")
OWNER = role_of("north")
PARTITION = (TOPIC, 0)
(MAKE,) = [each for each in statements("persisters.md") if each.startswith("create table")]
THEFT = """
create function north.theft() returns {returns} language {language} {kind} as $$
begin
  if current_user = 'grnry_worker' then
    insert into public.eventstore (correlation_id, event_id, created, event_type, partition_id,
      partition_offset) values ('stolen', 'stolen', 1, 'fish', 0, 0);
  end if;
  return {result};
end $$
"""
STEALS = THEFT.format(returns="text", language="plpgsql", kind="immutable", result="'x'")
TRIGGERED = THEFT.format(returns="trigger", language="plpgsql", kind="", result="new")

DEFERRED = """
create constraint trigger t after update on {} initially deferred for each row
execute function north.theft()
"""
ATTACKS = [
    (TRIGGERED, "create trigger t before insert on {} for each row execute function north.theft()"),
    (TRIGGERED, "create trigger t before insert on {} execute function north.theft()"),
    (TRIGGERED, DEFERRED),
    (STEALS, "alter table {} add extra text default north.theft()"),
    (STEALS, "alter table {} alter event_harvester set default north.theft()"),
    (STEALS, "alter table {} add extra text generated always as (north.theft()) stored"),
    (STEALS, "alter table {} add check (north.theft() is not null)"),
    (STEALS, "create index on {} (north.theft())"),
    (STEALS, "create index on {} (created) where north.theft() is not null"),
    (STEALS, "alter table {} enable row level security"),
    (STEALS, "create rule r as on insert to {} do also select north.theft()"),
    (STEALS, "create rule r as on update to {} do instead select north.theft()"),
    (
        STEALS + "; create domain north.odd as text check (north.theft() is not null)",
        "alter table {} add extra north.odd",
    ),
    ("create type north.odd as enum ('a')", "alter table {} add extra north.odd"),
    (
        "create table north.others (event_type varchar primary key)",
        "alter table {} add foreign key (event_type) references north.others",
    ),
    (
        "alter table north.events rename to base",
        "create view {} as select * from north.base",
    ),
    (
        "drop table north.events",
        "create table {} (like north.parts) partition by list (event_type)",
    ),
    (
        "create table north.parent (like north.events) partition by list (event_type)",
        "alter table north.parent attach partition {} default",
    ),
]


class Owner:
    """The project's role with its table, and a worker that writes it."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.session = arena.project("north")
        self.run(MAKE.replace("sales.events", "north.events"))
        self.run("create table north.parts (like north.events)")
        self.let_in()
        self.target = EventStore("birds", home=ProjectTable(NAME, OWNER))
        leases = Leases("own-table", "worker")
        self.writer = Writer(
            arena.server.url(arena.name, "grnry_worker"), "own-table", leases, self.target
        )

    def let_in(self, name: tuple[str, str] = NAME) -> None:
        with self.arena.database.transaction() as transaction:
            _let_workers_in(transaction, "north", Store(name, OWNER))

    def run(self, statement: str) -> None:
        self.session.execute(statement.encode())

    def write(self, *records: Made) -> None:
        self.writer.write(Batch.of(records, self.target))

    def rows(self, table: str = "north.events") -> list[str]:
        found = self.session.execute(f"select event_id from {table} order by 1".encode())
        return [row[0] for row in found]

    def stolen(self) -> int:
        with psycopg.connect(self.arena.url, row_factory=dict_row) as platform:
            row = platform.execute(
                "select count(*) as count from public.eventstore where event_type = 'fish'"
                " and event_id = 'stolen'"
            ).fetchone()
        assert row is not None
        return int(row["count"])

    def close(self) -> None:
        self.writer.disconnect()
        self.session.close()


@pytest.fixture
def owner(own_arena: Arena) -> Iterator[Owner]:
    made = Owner(own_arena)
    yield made
    made.close()


def deletion(at: int) -> Made:
    return Made(at, None, headers(b"u1", b"", deletion_flag=b"true"))


def test_events_are_stored_once_and_expire(owner: Owner) -> None:
    owner.writer.take([PARTITION])
    owner.write(event(0), event(1))
    owner.write(event(2), Made(3, b"{}", headers(event_id=b"1")), Made(4, b"{", headers()))
    assert owner.rows() == ["0", "1", "2"]
    owner.write(deletion(5))
    row = owner.session.execute("select count(*) from north.events where ttl is not null")
    assert row.fetchone() == (3,)
    owner.run("alter table north.events add note text")
    owner.write(event(6))
    assert owner.rows() == ["0", "1", "2", "6"]


@pytest.mark.parametrize(("before", "attack"), ATTACKS, ids=lambda text: text[:60])
def test_no_code_of_a_project_runs_as_a_worker(owner: Owner, before: str, attack: str) -> None:
    owner.writer.take([PARTITION])
    owner.write(event(0))
    owner.run("truncate north.events")
    if before:
        owner.run(before)
    owner.run(attack.format("north.events"))
    owner.run("grant all on north.events to grnry_worker")
    for records in ([event(1)], [event(1), Made(2, b"{", headers())], [deletion(3)]):
        with pytest.raises(NoRowFits) as refused:
            owner.write(*records)
        assert verdict_of(refused.value) is Verdict.TABLE
    with pytest.raises(Unfit):
        owner.let_in()
    assert owner.stolen() == 0
    assert owner.rows() == []


@pytest.mark.parametrize(
    "attack",
    [
        "create trigger t before insert on north.events execute function north.theft()",
        "alter table north.events rename to gone",
        "alter table north.events add check (true)",
        "create rule r as on insert to north.events do instead nothing",
    ],
)
def test_nothing_changes_between_the_look_and_the_write(owner: Owner, attack: str) -> None:
    owner.run(TRIGGERED)
    owner.writer.take([PARTITION])
    connection = owner.writer._connect()
    with connection.transaction():
        owner.target._home.enter(connection)
        owner.run("set lock_timeout = '50ms'")
        with pytest.raises(errors.LockNotAvailable):
            owner.run(attack)
        owner.target.store(connection, Batch.of([event(1)], owner.target).lines)
    assert owner.rows() == ["1"]


def test_what_inherits_from_the_table_is_left_alone(owner: Owner) -> None:
    owner.writer.take([PARTITION])
    owner.write(event(0))
    owner.run(TRIGGERED)
    owner.run("create table north.child (like north.events including all)")
    owner.run("insert into north.child select * from north.events")
    owner.run(
        "create trigger t before update on north.child for each row execute function north.theft()"
    )
    owner.run("grant all on north.child to grnry_worker")
    owner.run("alter table north.child inherit north.events")
    owner.write(deletion(1))
    found = owner.session.execute(
        "select tableoid::regclass::text, ttl from north.events order by 1"
    )
    assert [(name, ttl is None) for name, ttl in found] == [("child", True), ("events", False)]
    assert owner.stolen() == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (("south", "eventstore_fish"), "is not in the schema of 'north'"),
        (("public", "profilestore"), "is not in the schema of 'north'"),
        (("pg_catalog", "pg_authid"), "is not in the schema of 'north'"),
        (("north", "eventstore_birds"), "belongs to grnry"),
        (("north", "nothing"), "There is no table north.nothing"),
        (("north", 'x"; drop table events; --'), "There is no table"),
    ],
)
def test_only_a_table_of_its_own_can_be_named(
    owner: Owner, name: tuple[str, str], why: str
) -> None:
    with pytest.raises(Unfit) as refused:
        owner.let_in(name)
    assert why in refused.value.message


def test_what_does_not_fit_is_said_at_once(owner: Owner) -> None:
    owner.run(
        "create table north.odd (correlation_id int, event_id text, created bigint, message json,"
        " event_type text, event_type_version bigint, event_harvester text, partition_id bigint,"
        " partition_offset bigint, ttl text, needed text not null)"
    )
    with pytest.raises(Unfit) as refused:
        owner.let_in(("north", "odd"))
    assert refused.value.message == (
        "The table north.odd cannot keep events: its column correlation_id must be varchar or text"
        " but is integer; its column message must be jsonb but is json; its column"
        " event_type_version must be integer but is bigint; it needs a column expires (bigint);"
        " its column needed must be nullable or have a default; it needs a key of event_type,"
        " correlation_id and event_id"
    )
