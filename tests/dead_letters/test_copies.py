"""Copies of dead letters: from the running keeper, and by one whose log is away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer as Client

from grnry.database import sql
from grnry.database.pool import Database
from grnry.dead_letters.copies import Copier
from grnry.log.admin import Admin
from grnry.log.producer import Producer
from grnry.log.records import LogAway, Record
from grnry.log.tail import tail
from tests.conftest import free_port, wait_for
from tests.dead_letters.test_api import Poisoned
from tests.event_types.bodies import body
from tests.event_types.calling import Caller


@pytest.fixture
def poisoned(caller: Caller) -> Iterator[Poisoned]:
    made = Poisoned(caller)
    yield made
    caller.delete(f"/event-types/{made.name}?purge=true")


def copies(caller: Caller, topic: str) -> list[Record]:
    admin = Admin(caller.granary.said["kafka"])
    if topic not in admin.topics():
        return []
    spans = admin.spans(admin.partitions(topic))
    starts = {one: span.start for one, span in spans.items()}
    ends = {one: span.end for one, span in spans.items()}
    return list(tail(caller.granary.said["kafka"], starts, ends))


def test_of_a_data_in_persister(poisoned: Poisoned) -> None:
    poisoned.produce(b"{", b"{}", b"[")
    topic = f"grnry_persister_dlq_{poisoned.name}"
    wait_for(lambda: len(copies(poisoned.caller, topic)) == 2, 60, what="both are copied")
    first, second = copies(poisoned.caller, topic)
    assert (first.key(), first.value(), second.value()) == (b"u1", b"{", b"[")
    headers = dict(second.headers() or ())
    reason = poisoned.caller.get(poisoned.path)["letters"][1]["reason"]
    assert headers == {
        "grnry-correlation-id": b"u1",
        "grnry-event-id": b"e2",
        "grnry-exception-message": reason.encode(),
        "grnry-exception-stacktrace": (
            f"SQLSTATE 22P02: {reason}\n\tat topic {poisoned.topic}, partition 0, offset 2"
        ).encode(),
        "grnry-source-topic": poisoned.topic.encode(),
        "grnry-source-partition": b"0",
        "grnry-source-offset": b"2",
    }


def test_of_a_live_segment(caller: Caller) -> None:
    topic = "grnry_live_segment_dlqcopied"
    caller.post("/event-types/dlqcopied", body("live_segment", "dlqcopied"))
    producer = Client({"bootstrap.servers": caller.granary.said["kafka"]})
    producer.produce(topic, json.dumps({"id": "a", "age": "old"}), "a")
    assert producer.flush(20) == 0
    wait_for(lambda: copies(caller, f"{topic}_dlq"), 60, what="it is copied")
    (found,) = copies(caller, f"{topic}_dlq")
    headers = dict(found.headers() or ())
    assert b"age" in (headers["grnry-exception-message"] or b"")
    assert headers["grnry-source-topic"] == topic.encode()
    caller.delete("/event-types/dlqcopied?purge=true")


class Few:
    """Dead letters in a database of their own, for a copier of the test's own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.run(
            "insert into grnry.event_types (name, project, type, display_name, replication,"
            " partition_count, retention_ms, created_by, modified_by, phase)"
            " values ('few', 'global', 'data_in', 'few', 1, 1, 1, '{}', '{}', 'ready')"
        )
        self.run(
            "insert into grnry.persisters (event_type, kind, app_config, deployer_config)"
            " values ('few', 'pg', '{}', '{}')"
        )

    def run(self, statement: str) -> int:
        with self.database.transaction() as transaction:
            return transaction.run(sql.SQL(statement))

    def add(self, at: int, deployment: str = "grnry-p-pg-few", size: int = 1) -> None:
        self.run(
            "insert into grnry.dead_letters (deployment, topic, partition, record_offset, payload,"
            f" reason) values ('{deployment}', 't', 0, {at},"
            f" convert_to(repeat('x', {size}), 'utf8'), 'bad')"
        )

    def waiting(self) -> list[int]:
        with self.database.transaction() as transaction:
            rows = transaction.rows(
                sql.SQL(
                    "select record_offset as at from grnry.dead_letters where copied_at is null"
                )
            )
        return sorted(row["at"] for row in rows)


@pytest.fixture
def few(database: Database) -> Few:
    return Few(database)


@pytest.fixture
def copier(few: Few, caller: Caller) -> Iterator[Copier]:
    kafka = caller.granary.said["kafka"]
    producer = Producer(kafka)
    yield Copier(few.database, Admin(kafka), producer, 1000)
    producer.close()
    Admin(kafka).delete_topic("grnry_persister_dlq_few")


def test_a_log_that_is_away_is_tried_again(few: Few, copier: Copier) -> None:
    few.add(1)
    away = f"127.0.0.1:{free_port()}"
    producer = Producer(away, delivery_ms=500)
    with pytest.raises(LogAway):
        Copier(few.database, Admin(away), producer, 1000).copy()
    producer.close()
    assert few.waiting() == [1]
    copier.copy()
    assert (few.waiting(), copier.copied) == ([], 1)
    copier.copy()
    assert copier.copied == 1


def test_what_is_too_large_keeps_no_other_waiting(
    few: Few, copier: Copier, caplog: pytest.LogCaptureFixture
) -> None:
    few.add(1, size=17 * 2**20)
    few.add(2)
    few.add(3, deployment="grnry-p-pg-gone")
    copier.copy()
    assert few.waiting() == [1]
    copier._patience = 0.0
    copier.copy()
    assert few.waiting() == []
    assert copier.copied == 1
    assert any("has no copy in grnry_persister_dlq_few" in said for said in caplog.messages)


def test_a_topic_that_somebody_deletes_is_made_again(
    few: Few, copier: Copier, caller: Caller
) -> None:
    few.add(1)
    copier.copy()
    admin = Admin(caller.granary.said["kafka"])
    admin.delete_topic("grnry_persister_dlq_few")
    few.add(2)

    def copied() -> Any:
        copier.copy()
        return not few.waiting()

    wait_for(copied, 60, what="it is copied again")
    assert [one.value() for one in copies(caller, "grnry_persister_dlq_few")] == [b"x"]
