"""The persisters' engine: one worker, whatever it writes.

Reads: the topic of one event type.
Writes: a target, with its offsets, under its leases; what cannot be stored, to the dead letters.
"""

import os
import secrets
import threading
from collections.abc import Mapping, Sequence

import msgspec

from grnry.database.address import place_of
from grnry.database.leases import Leases
from grnry.deployments.reporting import replica_of
from grnry.deployments.worker import CannotGoOn, run_worker
from grnry.errors import StartError
from grnry.log.cluster import Cluster
from grnry.log.consumer import Consumer, Membership
from grnry.log.topic_ids import topic_id
from grnry.log.unassigned import unassigned
from grnry.persisters.event_store import GRACE, EventStore
from grnry.persisters.live_segment.table import LiveTable
from grnry.settings import Settings
from grnry.sinks.engine import Engine
from grnry.sinks.group_watch import GroupWatch
from grnry.sinks.pace import Pace
from grnry.sinks.status import Report, Status
from grnry.sinks.target import Target
from grnry.sinks.topic_watch import TopicWatch
from grnry.sinks.writer import Writer


class Assignment(msgspec.Struct, frozen=True):
    """What one persister is to do; travels as the variable GRNRY_PERSISTER."""

    event_type: str
    topic: str
    group: str
    deployment: str
    batch_size: int = 5000
    batch_timeout_ms: int = 200
    ttl_grace_period: str = GRACE
    table: tuple[str, str] | None = None
    """Schema and name of a live segment's table; none where the event store is written."""
    has_dead_letters: bool = True
    most_retries: int | None = None
    retry_ms: int = 0
    datasource: str = ""

    VARIABLE = "GRNRY_PERSISTER"

    def to_environment(self) -> dict[str, str]:
        return {self.VARIABLE: msgspec.json.encode(self).decode()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Assignment":
        try:
            return msgspec.json.decode(environment[cls.VARIABLE], type=cls)
        except (KeyError, msgspec.DecodeError) as error:
            raise StartError(
                f"{cls.VARIABLE} does not say what to persist: {error}. "
                "Start persisters with `grnry persister start`."
            ) from error

    def target(self) -> Target:
        if self.table is None:
            return EventStore(self.event_type, self.ttl_grace_period)
        return LiveTable(self.event_type, *self.table)


class PersisterWork:
    """One worker of a persister."""

    def __init__(self, assignment: Assignment, settings: Settings, replica: str) -> None:
        self._status = Status()
        self._assignment = assignment
        self._cluster = Cluster.of(settings)
        self._member = f"{assignment.deployment}-{replica}"
        owner = f"{self._member}/{os.getpid()}/{secrets.token_hex(4)}"
        target = assignment.target()
        url = settings.worker_database_url or settings.database_url
        writer = Writer(
            url,
            assignment.deployment,
            Leases(assignment.deployment, owner),
            target,
            has_dead_letters=assignment.has_dead_letters,
        )
        pace = Pace(
            assignment.batch_size,
            assignment.batch_timeout_ms / 1000,
            assignment.most_retries,
            assignment.retry_ms / 1000,
        )
        group = GroupWatch(lambda: unassigned(self._cluster, assignment.group, assignment.topic))
        watch = TopicWatch(lambda: topic_id(self._cluster, assignment.topic), group)
        self._engine = Engine(writer, target, self._status, pace, watch)

    @property
    def changed(self) -> threading.Event:
        return self._status.changed

    def run(self) -> None:
        self._engine.run(self._consumer)

    def _consumer(self, engine: Engine) -> Consumer:
        # The first one is there whatever is configured next, and takes its place up at once.
        leaves = not self._member.endswith("-0")
        membership = Membership(self._assignment.group, self._member, leaves=leaves)
        topic = self._assignment.topic
        return Consumer(self._cluster, topic, membership, engine, engine.on_gap)

    def stop(self) -> None:
        self._engine.stop()

    def report(self) -> Report:
        return self._status.report()

    def is_stuck(self) -> str:
        return self._status.is_stuck()

    def metrics(self) -> str:
        labels = f'{{event_type="{self._assignment.event_type}"}}'
        return (
            f"# TYPE grnry_persister_rows_total counter\n"
            f"grnry_persister_rows_total{labels} {self._status.rows}\n"
            f"# TYPE grnry_persister_dead_letters_total counter\n"
            f"grnry_persister_dead_letters_total{labels} {self._status.dead}\n"
            f"# TYPE grnry_persister_replayed_total counter\n"
            f"grnry_persister_replayed_total{labels} {self._status.replayed}\n"
        )


def expect_own_database(datasource: str, own: str) -> None:
    """Raise CannotGoOn where another database is named than the platform's own."""
    if not datasource:
        return
    wanted, ours = place_of(datasource.partition("?")[0]), place_of(own)
    if (wanted.host, wanted.port, wanted.database) != (ours.host, ours.port, ours.database):
        raise CannotGoOn(
            f"spring.datasource.url names the database {wanted.database} on {wanted.host}:"
            f"{wanted.port}, and this version writes to the platform's own only. Take the key out "
            "of appConfig, then start the persister again."
        )


def run_persister(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """`grnry run persister <event type>`."""
    assignment = Assignment.from_environment(environment)
    if list(words) != [assignment.event_type]:
        raise StartError(f"Asked to persist {words}, but told how to persist {assignment}.")
    settings = Settings.from_environment(environment)
    expect_own_database(
        assignment.datasource, settings.worker_database_url or settings.database_url
    )
    return run_worker(PersisterWork(assignment, settings, replica_of(environment)), environment)
