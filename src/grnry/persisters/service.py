"""What can be done with persisters."""

from collections.abc import Mapping
from enum import StrEnum

from grnry.database.pool import Database
from grnry.database.queries import Queries, load
from grnry.database.transaction import Json, Transaction
from grnry.deployments import service as deployments
from grnry.deployments.service import Condition
from grnry.errors import NotFound
from grnry.persisters.live_segment.model import DEFAULT_CONFIG, live_assignment
from grnry.persisters.model import (
    DEFAULT_APP_CONFIG,
    DEFAULT_DEPLOYER_CONFIG,
    LIVE_SEGMENT,
    PG,
    Persister,
    assignment,
    stream_name,
)


class Action(StrEnum):
    """What may be asked of a persister."""

    START = "START"
    STOP = "STOP"


class Persisters:
    """The persisters of data-in event types."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, project: str, event_type: str) -> tuple[Persister, Condition]:
        """A persister and its state."""
        with self._database.transaction() as transaction:
            persister = _find(transaction, project, event_type)
            return persister, _condition(transaction, event_type)

    def act(self, project: str, event_type: str, action: Action) -> Condition:
        """Start or stop it; what is so already changes nothing."""
        name = stream_name(event_type)
        with self._database.transaction() as transaction:
            _find(transaction, project, event_type)
            match action:
                case Action.START:
                    deployments.start(transaction, name)
                case Action.STOP:
                    deployments.stop(transaction, name)
            return _condition(transaction, event_type)


def create(transaction: Transaction, event_type: str, topic: str) -> None:
    """Make a data-in event type's persister, stopped. Part of the event type's transaction."""
    _add(transaction, event_type, PG, DEFAULT_APP_CONFIG, DEFAULT_DEPLOYER_CONFIG)
    work = assignment(event_type, topic, DEFAULT_APP_CONFIG)
    command = ["persister", event_type]
    deployments.save(transaction, work.deployment, command, work.to_environment())


def create_live(
    transaction: Transaction, event_type: str, topic: str, table: tuple[str, str]
) -> None:
    """Make a live segment's persister, and start it."""
    _add(transaction, event_type, LIVE_SEGMENT, DEFAULT_CONFIG, {})
    work = live_assignment(event_type, topic, table, DEFAULT_CONFIG)
    command = ["persister", event_type]
    deployments.save(transaction, work.deployment, command, work.to_environment())
    deployments.start(transaction, work.deployment)


def _add(
    transaction: Transaction,
    event_type: str,
    kind: str,
    app_config: Mapping[str, str],
    deployer_config: Mapping[str, str],
) -> None:
    transaction.run(
        _queries().add,
        event_type=event_type,
        kind=kind,
        app_config=Json(dict(app_config)),
        deployer_config=Json(dict(deployer_config)),
    )


def conditions(transaction: Transaction, event_types: Mapping[str, str]) -> dict[str, Condition]:
    """The states of the persisters of event types, given with their kinds, by event type."""
    names = {stream_name(each, kind): each for each, kind in event_types.items()}
    return {
        names[name]: condition
        for name, condition in deployments.conditions(transaction, list(names)).items()
    }


def delete(transaction: Transaction, event_type: str, kind: str) -> None:
    """Take it away with its event type; what runs is stopped by the reconciler."""
    name = stream_name(event_type, kind)
    deployments.delete(transaction, name)
    transaction.run(_queries().forget, deployment=name)


def _find(transaction: Transaction, project: str, event_type: str) -> Persister:
    row = transaction.row(_queries().find, event_type=event_type, project=project)
    if row is None:
        raise NotFound(f"Persister '{event_type}' not found.")
    return Persister.from_row(row)


def _condition(transaction: Transaction, event_type: str) -> Condition:
    condition = deployments.condition(transaction, stream_name(event_type))
    if condition is None:
        raise NotFound(f"Persister '{event_type}' not found.")
    return condition


def _queries() -> Queries:
    return load("grnry.persisters")
