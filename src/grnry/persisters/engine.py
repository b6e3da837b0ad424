"""The persisters' engine: one worker, whatever it writes.

Reads: the topic of one event type.
Writes: a target, with its offsets, under its leases; what cannot be stored, to the dead letters.
"""

import os
import secrets
import threading
from collections.abc import Mapping, Sequence

import msgspec

from grnry.database.address import address_of
from grnry.database.leases import Leases
from grnry.deployments.reporting import has_others, replica_of
from grnry.deployments.worker import CannotGoOn, run_worker
from grnry.errors import StartError
from grnry.log.cluster import Cluster
from grnry.log.consumer import Consumer
from grnry.log.membership import Membership
from grnry.log.topic_ids import topic_id
from grnry.log.unassigned import unassigned
from grnry.persisters.configuration import EVENT_STORE
from grnry.persisters.datasource import Datasource, missing_login
from grnry.persisters.event_store import GRACE, EventStore
from grnry.persisters.homes import Home, PlatformTable, ProjectTable, TableElsewhere
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
    """Of versions that knew no other database than the platform's."""
    event_table: tuple[str, str] = EVENT_STORE
    """Schema and name of the table that events are written to."""
    table_owner: str = ""
    """The project's role whose table that is; none where it is the platform's."""
    elsewhere: Datasource | None = None
    """Another database than the platform's."""
    kept_as: str = ""
    """What its leases and dead letters are called there; else they have the deployment's name."""

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

    def target(self, platform_url: str) -> Target:
        if self.table is not None:
            return LiveTable(self.event_type, *self.table)
        home: Home = PlatformTable()
        if self.elsewhere is not None:
            home = TableElsewhere(self.event_table, platform_url)
        elif self.event_table != EVENT_STORE:
            home = ProjectTable(self.event_table, self.table_owner)
        return EventStore(self.event_type, self.ttl_grace_period, home)


def url_of(found: Datasource) -> str:
    return address_of(
        host=found.host,
        port=found.port,
        database=found.database,
        sslmode=found.sslmode,
        username=found.username,
        password=found.password,
    )


class PersisterWork:
    """One worker of a persister."""

    def __init__(self, assignment: Assignment, settings: Settings, membership: Membership) -> None:
        self._status = Status()
        self._assignment = assignment
        self._cluster = Cluster.of(settings)
        self._membership = membership
        owner = f"{membership.member}/{os.getpid()}/{secrets.token_hex(4)}"
        platform_url = settings.worker_database_url or settings.database_url
        target = assignment.target(platform_url)
        kept_as = assignment.kept_as or assignment.deployment
        writer = Writer(
            url_of(assignment.elsewhere) if assignment.elsewhere else platform_url,
            kept_as,
            Leases(kept_as, owner),
            target,
            has_dead_letters=assignment.has_dead_letters,
        )
        pace = Pace(
            assignment.batch_size,
            assignment.batch_timeout_ms / 1000,
            assignment.most_retries,
            assignment.retry_ms / 1000,
        )
        topic = TopicWatch(lambda: topic_id(self._cluster, assignment.topic))
        group = GroupWatch(lambda: unassigned(self._cluster, assignment.group, assignment.topic))
        self._engine = Engine(writer, target, self._status, pace, topic, group)

    @property
    def changed(self) -> threading.Event:
        return self._status.changed

    def run(self) -> None:
        self._engine.run(self._consumer)

    def _consumer(self, engine: Engine) -> Consumer:
        topic = self._assignment.topic
        return Consumer(self._cluster, topic, self._membership, engine, engine.on_gap)

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


def expect_login(assignment: Assignment) -> None:
    """Raise CannotGoOn where another database is named, and not who logs in there."""
    if assignment.datasource and assignment.elsewhere is None:
        raise CannotGoOn("An earlier version of Granary has saved this persister: start it again.")
    if assignment.elsewhere is not None and (missing := missing_login(assignment.elsewhere)):
        raise CannotGoOn(
            f"{missing}. Give one of its own, or take spring.datasource.url out. Then start it."
        )


def run_persister(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """`grnry run persister <event type>`."""
    assignment = Assignment.from_environment(environment)
    if list(words) != [assignment.event_type]:
        raise StartError(f"Asked to persist {words}, but told to persist {assignment.event_type}.")
    settings = Settings.from_environment(environment)
    expect_login(assignment)
    membership = _membership(assignment, environment)
    return run_worker(PersisterWork(assignment, settings, membership), environment)


def _membership(assignment: Assignment, environment: Mapping[str, str]) -> Membership:
    replica = replica_of(environment)
    return Membership(
        assignment.group,
        f"{assignment.deployment}-{replica}",
        # The first one is there whatever is configured next, and takes its place up at once.
        leaves=replica != "0",
        has_others=has_others(environment),
    )
