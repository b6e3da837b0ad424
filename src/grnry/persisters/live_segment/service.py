"""What can be done with the persisters of live segments."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from grnry.database.pool import Database
from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Reading, Transaction
from grnry.deployments import service as deployments
from grnry.deployments.log_files import Logs
from grnry.deployments.model import State
from grnry.deployments.service import Condition
from grnry.errors import BadInput, NotFound
from grnry.log.admin import Admin
from grnry.persisters.kinds import LIVE_SEGMENT, LIVE_TABLE_PREFIX, stream_name
from grnry.persisters.live_segment.model import (
    TASKS,
    Config,
    LivePersister,
    config_problems,
    default_config,
    live_assignment,
    natural,
)
from grnry.persisters.model import Progress
from grnry.persisters.service import progress_of


class LiveAction(StrEnum):
    """What may be asked of one."""

    START = "START"
    STOP = "STOP"
    RESTART = "RESTART"


class LivePersisters:
    """The persisters of live segments."""

    def __init__(self, database: Database, logs: Logs, admin: Admin) -> None:
        self._database = database
        self._logs = logs
        self._admin = admin

    def find(self, project: str, event_type: str) -> tuple[LivePersister, Condition]:
        """A persister and its state."""
        with self._database.reading() as reading:
            found = _find(reading, project, event_type)
            return found, _condition(reading, event_type)

    def act(self, project: str, event_type: str, action: LiveAction) -> Condition:
        """Start, stop or restart it; what is so already changes nothing."""
        name = stream_name(event_type, LIVE_SEGMENT)
        with self._database.transaction() as transaction:
            _find(transaction, project, event_type)
            match action:
                case LiveAction.START:
                    deployments.start(transaction, name)
                case LiveAction.STOP:
                    deployments.stop(transaction, name)
                case LiveAction.RESTART:
                    deployments.restart(transaction, name)
            return _condition(transaction, event_type)

    def change(
        self,
        project: str,
        event_type: str,
        given: Mapping[str, Any],
        expect: Callable[[LivePersister], None],
    ) -> LivePersister:
        """Change what is given of its configuration, as of its next start."""
        with self._database.transaction() as transaction:
            transaction.rows(_queries().lock_live, event_type=event_type)
            stored = _find(transaction, project, event_type)
            expect(stored)
            if problems := list(config_problems(given, stored.partitions)):
                raise BadInput(problems)
            told = {name: str(natural(value) or value) for name, value in given.items()}
            config = {**stored.config, **told}
            if config != stored.config:
                values = {"event_type": event_type, "app_config": Json(config)}
                transaction.run(_queries().change_live, **values)
                _deploy(transaction, stored.event_type, stored.topic, stored.project, config)
            return _find(transaction, project, event_type)

    def progress(self, project: str, event_type: str) -> Progress | None:
        """How far it is in its topic, by what the database has taken."""
        with self._database.reading() as reading:
            topic = _find(reading, project, event_type).topic
        name = stream_name(event_type, LIVE_SEGMENT)
        return progress_of(self._database, self._admin, name, topic)

    def logs(self, project: str, event_type: str, lines: int) -> list[str]:
        """The last lines that its workers wrote."""
        with self._database.reading() as reading:
            _find(reading, project, event_type)
        return self._logs.last(stream_name(event_type, LIVE_SEGMENT), lines)


def create_live(
    transaction: Transaction, event_type: str, topic: str, project: str, partitions: int
) -> None:
    """Make a live segment's persister, and start it. Part of the event type's transaction."""
    config = default_config(partitions)
    transaction.run(_queries().add_live, event_type=event_type, app_config=Json(config))
    _deploy(transaction, event_type, topic, project, config)
    deployments.start(transaction, stream_name(event_type, LIVE_SEGMENT))


def _deploy(
    transaction: Transaction, event_type: str, topic: str, project: str, config: Config
) -> None:
    work = live_assignment(event_type, topic, (project, LIVE_TABLE_PREFIX + event_type), config)
    command = ["persister", event_type]
    tasks = int(config[TASKS])
    deployments.save(transaction, work.deployment, command, work.to_environment(), tasks)


def _find(reading: Reading, project: str, event_type: str) -> LivePersister:
    row = reading.row(_queries().find_live, event_type=event_type, project=project)
    if row is None:
        raise NotFound(f"Persister '{event_type}' not found.")
    return LivePersister.from_row(row)


def _condition(reading: Reading, event_type: str) -> Condition:
    """There is no state `STOPPING`: it runs until the last task has ended."""
    found = deployments.condition(reading, stream_name(event_type, LIVE_SEGMENT))
    if found is None:
        raise NotFound(f"Persister '{event_type}' not found.")
    return Condition(State.RUNNING) if found.state is State.STOPPING else found


def _queries() -> Queries:
    return load("grnry.persisters.live_segment")
