"""A log that loses its end and is longer again before a persister looks: all of it is stored."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from grnry.log.records import Outgoing, Record
from grnry.persisters.engine import Assignment
from tests.conftest import wait_for
from tests.log.losing import PARTITIONS, LosingEmbedded, LosingKafka, LosingLog
from tests.persisters.lone_worker import LoneWorker

TOPIC = "numbered"
KEPT, LOST, NEW = range(100), range(100, 140), range(120, 520)
"""Numbers of records; some of the lost ones come again, with another text."""

MAKE_LIVE = """
create table global.numbers (id bigint primary key, text text);
grant select, insert, update, delete on global.numbers to grnry_worker;
grant usage on schema global to grnry_worker;
insert into grnry.event_types (name, project, type, display_name, replication, partition_count,
  retention_ms, created_by, modified_by, phase)
values ('numbers', 'global', 'live_segment', 'numbers', 1, 2, 1, '{}', '{}', 'ready');
insert into grnry.event_type_versions (name, version, eventstore_ttl, schema_document)
values ('numbers', 1, 'P1D', '{"type": "object", "properties":
  {"id": {"type": "integer"}, "text": {"type": "string"}}}');
"""

Texts = dict[int, str]


class Events:
    """The event store, which keeps the first of an id."""

    table = None

    def prepare(self, database: psycopg.Connection[DictRow]) -> None:
        """The table is there."""

    def wanted(self, written: Sequence[Record], before: Texts) -> Texts:
        return dict(reversed(texts(written))) | before

    def stored(self, database: psycopg.Connection[DictRow]) -> Texts:
        found = database.execute(
            "select (message->>'id')::int as id, message->>'text' as text from public.eventstore"
        ).fetchall()
        assert len({row["id"] for row in found}) == len(found)
        return {row["id"]: row["text"] for row in found}


class Live:
    """A live segment, which has the last of an id."""

    table = ("global", "numbers")

    def prepare(self, database: psycopg.Connection[DictRow]) -> None:
        database.execute(MAKE_LIVE.encode())

    def wanted(self, written: Sequence[Record], before: Texts) -> Texts:
        return before | dict(texts(written))

    def stored(self, database: psycopg.Connection[DictRow]) -> Texts:
        found = database.execute("select id, text from global.numbers").fetchall()
        return {row["id"]: row["text"] for row in found}


Case = Events | Live


def texts(written: Sequence[Record]) -> list[tuple[int, str]]:
    values = [json.loads(record.value() or b"") for record in written]
    return [(value["id"], value["text"]) for value in values]


def records(numbers: Sequence[int], text: str) -> list[Outgoing]:
    return [
        Outgoing(
            b"%d" % number,
            json.dumps({"id": number, "text": text}).encode(),
            [("grnry-correlation-id", b"u"), ("grnry-event-id", b"%d" % number)],
            partition=number % PARTITIONS,
        )
        for number in numbers
    ]


@pytest.fixture(params=[Events, Live])
def case(request: pytest.FixtureRequest) -> Case:
    made: Case = request.param()
    return made


@pytest.fixture(name="database")
def a_database(database_url: str) -> Iterator[psycopg.Connection[DictRow]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[LosingEmbedded]:
    made = LosingEmbedded(tmp_path, TOPIC)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LosingKafka]:
    if not all(map(shutil.which, ("java", "mvn"))) and "CI" not in os.environ:
        pytest.skip("Java or Maven is not installed")
    made = LosingKafka(tmp_path_factory.mktemp("kafka"), TOPIC)
    yield made
    made.stop()


class Scene:
    """A persister of a log, and the database that it writes."""

    def __init__(
        self,
        folder: Path,
        log: LosingLog,
        case: Case,
        database: psycopg.Connection[DictRow],
        worker_url: str,
    ) -> None:
        self.log = log
        self.case = case
        self._database = database
        case.prepare(database)
        assignment = Assignment("numbers", log.topic, "group", "numbers", table=case.table)
        self.worker = LoneWorker(
            folder,
            assignment,
            GRNRY_WORKER_DATABASE_URL=worker_url,
            GRNRY_KAFKA_BOOTSTRAP=log.cluster.bootstrap,
        )

    def stored(self) -> Texts:
        return self.case.stored(self._database)

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        found = self._database.execute("select * from grnry.leases").fetchall()
        return {(row["topic"], row["partition"]): row["next_offset"] for row in found}

    @property
    def epochs(self) -> set[Any]:
        found = self._database.execute("select leader_epoch from grnry.leases").fetchall()
        return {row["leader_epoch"] for row in found}

    def is_at_the_end(self) -> bool:
        return self.offsets == self.log.ends

    def wait_until_all_is_read(self) -> None:
        wait_for(self.is_at_the_end, 120, "all is read")


MakeScene = Callable[[LosingLog], Scene]


@pytest.fixture
def scene(
    tmp_path: Path,
    case: Case,
    database: psycopg.Connection[DictRow],
    worker_database_url: str,
) -> Iterator[MakeScene]:
    made: list[Scene] = []

    def make(log: LosingLog) -> Scene:
        made.append(Scene(tmp_path, log, case, database, worker_database_url))
        return made[-1]

    yield make
    for each in made:
        each.worker.end()


def cut_and_grow(log: LosingLog, sizes: dict[Path, int]) -> None:
    """It loses its end, and is longer than before again."""
    log.stop()
    log.cut(sizes)
    log.start()
    log.write(records(NEW, "new"))


def expect_all_of_the_log(scene: Scene, before: Texts) -> None:
    """It is stored, and what the log has lost stays where it was not written again."""
    assert scene.stored() == scene.case.wanted(scene.log.read(), before)


def test_a_log_that_was_cut_while_the_persister_was_away(
    embedded: LosingEmbedded, scene: MakeScene
) -> None:
    its = scene(embedded)
    embedded.write(records(KEPT, "kept"))
    sizes = embedded.sizes()
    embedded.write(records(LOST, "lost"))
    its.worker.start()
    its.wait_until_all_is_read()
    before = its.stored()
    its.worker.stop()
    cut_and_grow(embedded, sizes)
    its.worker.start()
    its.wait_until_all_is_read()
    expect_all_of_the_log(its, before)
    assert "numbered/0: the log has lost its end" in its.worker.said
    assert "It is read again from offset 50" in its.worker.said
    assert "numbered/1: the log has lost" not in its.worker.said


def test_a_log_that_was_put_back_from_an_older_copy(
    embedded: LosingEmbedded, scene: MakeScene
) -> None:
    """After two lives more, of which the copy knows nothing."""
    its = scene(embedded)
    embedded.write(records(KEPT, "kept"))
    copy = embedded.copy()
    its.worker.start()
    for some in (LOST[:20], LOST[20:]):
        embedded.stop()
        embedded.start()
        embedded.write(records(some, "lost"))
        its.wait_until_all_is_read()
    before = its.stored()
    its.worker.stop()
    embedded.stop()
    embedded.put_back(copy)
    embedded.start()
    embedded.write(records(NEW, "new"))
    its.worker.start()
    its.wait_until_all_is_read()
    expect_all_of_the_log(its, before)
    for partition in range(PARTITIONS):
        assert f"numbered/{partition}: the log has lost its end" in its.worker.said
    assert its.worker.said.count("It is read again from offset 50") == 2


def test_a_log_that_is_cut_under_a_persister_that_runs(
    embedded: LosingEmbedded, scene: MakeScene
) -> None:
    its = scene(embedded)
    embedded.write(records(KEPT, "kept"))
    sizes = embedded.sizes()
    its.worker.start()
    embedded.write(records(LOST, "lost"))
    its.wait_until_all_is_read()
    before = its.stored()
    cut_and_grow(embedded, sizes)
    wait_for(lambda: "the log has lost its end" in its.worker.said, 120, "it is noticed")
    its.wait_until_all_is_read()
    expect_all_of_the_log(its, before)
    assert "It is read again from offset 50" in its.worker.said


def test_where_no_epoch_is_known_it_is_read_as_before(
    embedded: LosingEmbedded, scene: MakeScene, database: psycopg.Connection[DictRow]
) -> None:
    its = scene(embedded)
    embedded.write(records(KEPT, "kept"))
    its.worker.start()
    its.wait_until_all_is_read()
    its.worker.stop()
    database.execute("update grnry.leases set leader_epoch = null")
    embedded.write(records(NEW, "new"))
    its.worker.start()
    its.wait_until_all_is_read()
    assert its.stored() == its.case.wanted(embedded.read(), {})
    assert None not in its.epochs
    assert "ERROR" not in its.worker.said


def test_a_kafka_that_was_cut_while_the_persister_was_away(
    kafka: LosingKafka, scene: MakeScene
) -> None:
    its = scene(kafka)
    its.worker.start()
    kafka.write(records(KEPT, "kept"))
    sizes = kafka.sizes()
    cut_at = kafka.ends[kafka.topic, 0]
    kafka.write(records(LOST, "lost"))
    its.wait_until_all_is_read()
    before = its.stored()
    its.worker.stop()
    cut_and_grow(kafka, sizes)
    its.worker.start()
    its.wait_until_all_is_read()
    expect_all_of_the_log(its, before)
    assert f"It is read again from offset {cut_at}" in its.worker.said
