"""What can be done with persisters."""

import contextlib
from collections.abc import Callable, Mapping
from enum import StrEnum

from grnry import __version__
from grnry.database import sql
from grnry.database.address import Place
from grnry.database.pool import Database
from grnry.database.queries import Queries, load
from grnry.database.roles import WORKER_ROLE
from grnry.database.transaction import Json, Reading, Row, Transaction
from grnry.deployments import service as deployments
from grnry.deployments.log_files import Logs
from grnry.deployments.service import Condition
from grnry.errors import BadInput, NotFound, Problem
from grnry.log.admin import Admin
from grnry.log.model import Lag
from grnry.persisters import configuration, tables
from grnry.persisters.configuration import DEFAULT_APP_CONFIG, DEFAULT_DEPLOYER_CONFIG, TABLE
from grnry.persisters.datasource import missing_login
from grnry.persisters.engine import url_of
from grnry.persisters.homes import expect_table_of
from grnry.persisters.kinds import stream_name
from grnry.persisters.model import (
    LATEST,
    Change,
    Persister,
    Progress,
    Store,
    assignment,
    store_of,
)
from grnry.persisters.tables import Unfit
from grnry.projects.credentials import role_of
from grnry.sinks import places


class Action(StrEnum):
    """What may be asked of a persister."""

    START = "START"
    STOP = "STOP"


class Persisters:
    """The persisters of data-in event types."""

    def __init__(self, database: Database, logs: Logs, admin: Admin, own: Place) -> None:
        self._database = database
        self._logs = logs
        self._admin = admin
        self._own = own

    def find(self, project: str, event_type: str) -> tuple[Persister, Condition]:
        """A persister and its state."""
        with self._database.reading() as reading:
            persister = _find(reading, project, event_type)
            return persister, _condition(reading, event_type)

    def act(self, project: str, event_type: str, action: Action) -> Condition:
        """Start or stop it; what is so already changes nothing."""
        name = stream_name(event_type)
        with self._database.transaction() as transaction:
            found = _find(transaction, project, event_type)
            match action:
                case Action.START:
                    self._make_ready(transaction, found)
                    deployments.start(transaction, name)
                case Action.STOP:
                    deployments.stop(transaction, name)
            return _condition(transaction, event_type)

    def change(
        self,
        project: str,
        event_type: str,
        change: Change,
        expect: Callable[[Persister], None] | None = None,
    ) -> Persister:
        """Replace its configuration, as of its next start.

        `expect` may refuse the stored one, which nobody changes meanwhile.
        """
        with self._database.transaction() as transaction:
            transaction.rows(_queries().lock, event_type=event_type)
            stored = _find(transaction, project, event_type)
            if expect is not None:
                expect(stored)
            self._change(transaction, stored, change)
            return _find(transaction, project, event_type)

    def _change(self, transaction: Transaction, stored: Persister, change: Change) -> None:
        app, deployer, version = _configured(stored, change)
        store = self.store(stored, app)
        try:
            _let_workers_in(transaction, stored.project, store)
        except Unfit as unfit:
            raise BadInput.of(f"appConfig.{TABLE}", f"cannot be used: {unfit.message}") from unfit
        transaction.run(
            _queries().change,
            event_type=stored.event_type,
            app_version=version,
            app_config=Json(app),
            deployer_config=Json(deployer),
        )
        _deploy(transaction, stored.event_type, stored.topic, app, deployer, store)

    def _make_ready(self, transaction: Transaction, found: Persister) -> None:
        """What a start needs; where its table is not fit, the worker says so."""
        store = self.store(found, found.app_config)
        with contextlib.suppress(Unfit):
            _let_workers_in(transaction, found.project, store)
        _deploy(
            transaction,
            found.event_type,
            found.topic,
            found.app_config,
            found.deployer_config,
            store,
        )

    def store(self, persister: Persister, app: Mapping[str, str] | None = None) -> Store:
        """Where its events are kept, by the configuration that it has."""
        app = persister.app_config if app is None else app
        owner = role_of(persister.project)
        return store_of(persister.event_type, persister.id, app, self._own, owner)

    def logs(self, project: str, event_type: str, lines: int) -> list[str]:
        """The last lines that its workers wrote."""
        with self._database.reading() as reading:
            _find(reading, project, event_type)
        return self._logs.last(stream_name(event_type), lines)

    def progress(self, project: str, event_type: str) -> Progress | None:
        """How far it is in its topic, by what its database has taken; none while that is away."""
        with self._database.reading() as reading:
            topic = _find(reading, project, event_type).topic
        return progress_of(self._database, self._admin, stream_name(event_type), topic)


def progress_of(database: Database, admin: Admin, deployment: str, topic: str) -> Progress | None:
    """How far a deployment is in the topic that it writes into a database."""
    rows: list[Row] = []
    dead = 0
    try:
        with places.kept(database, deployment) as (reading, name):
            if reading is not None:
                rows = reading.rows(_queries().offsets, deployment=name)
                dead = int(reading.value(_queries().dead_letters, deployment=name) or 0)
    except places.NotThere:
        return None
    stored = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    spans = admin.spans(admin.partitions(topic))
    waiting = sum(Lag(stored.get(one), span).records for one, span in spans.items())
    return Progress(sum(offset or 0 for offset in stored.values()), waiting, dead)


def create(transaction: Transaction, event_type: str, topic: str) -> None:
    """Make a data-in event type's persister, stopped. Part of the event type's transaction."""
    transaction.run(
        _queries().add,
        event_type=event_type,
        app_config=Json(dict(DEFAULT_APP_CONFIG)),
        deployer_config=Json(dict(DEFAULT_DEPLOYER_CONFIG)),
    )
    _deploy(transaction, event_type, topic, DEFAULT_APP_CONFIG, DEFAULT_DEPLOYER_CONFIG, Store())


def conditions(reading: Reading, event_types: Mapping[str, str]) -> dict[str, Condition]:
    """The states of the persisters of event types, given with their kinds, by event type."""
    names = {stream_name(each, kind): each for each, kind in event_types.items()}
    return {
        names[name]: condition
        for name, condition in deployments.conditions(reading, list(names)).items()
    }


def delete(transaction: Transaction, event_type: str, kind: str) -> None:
    """Take it away with its event type; what runs is stopped by the reconciler."""
    name = stream_name(event_type, kind)
    deployments.delete(transaction, name)
    transaction.run(_queries().forget, deployment=name)
    transaction.run(_queries().forget_dead_letters, deployment=name)


def _deploy(
    transaction: Transaction,
    event_type: str,
    topic: str,
    app: configuration.Config,
    deployer: configuration.Config,
    store: Store,
) -> None:
    work = assignment(event_type, topic, app, store)
    deployments.save(
        transaction,
        work.deployment,
        ["persister", event_type],
        work.to_environment(),
        configuration.replicas_of(app),
        configuration.resources_of(deployer),
    )
    place = places.Place(work.deployment, work.deployment)
    if store.elsewhere is not None and not missing_login(store.elsewhere):
        place = places.Place(work.deployment, store.kept_as, url_of(store.elsewhere), *store.table)
    places.keep_at(transaction, place)


def _let_workers_in(transaction: Transaction, project: str, store: Store) -> None:
    """Let workers write a table of a project's own. Raises Unfit where it is none to write."""
    if not store.owner:
        return
    schema, _ = store.table
    if schema != project:
        raise Unfit(f"The table {tables.shown(store.table)} is not in the schema of '{project}'")
    expect_table_of(transaction.connection, store.table, store.owner)
    queries, worker = tables.queries(), sql.Identifier(WORKER_ROLE)
    table = sql.Identifier(*store.table)
    transaction.run(queries.composed("grant_schema", schema=sql.Identifier(schema), role=worker))
    transaction.run(queries.composed("grant_table", table=table, role=worker))


def _configured(stored: Persister, change: Change) -> tuple[dict[str, str], dict[str, str], str]:
    """Both maps and the version as they are to be. Raises BadInput with all that is wrong."""
    found = list(
        configuration.problems(change.app_config, change.deployer_config, stored.app_config)
    )
    version = change.app_version or stored.app_version
    if version not in (LATEST, __version__):
        reason = f"must be '{LATEST}' or '{__version__}' but is '{version[:100]}'"
        found.append(Problem("appVersion", reason))
    if found:
        raise BadInput(found)
    app = configuration.unmasked(change.app_config, stored.app_config)
    deployer = dict(change.deployer_config)
    if change.with_defaults:
        app = configuration.with_defaults(app, DEFAULT_APP_CONFIG)
        deployer = configuration.with_defaults(deployer, DEFAULT_DEPLOYER_CONFIG)
    return app, deployer, version


def _find(reading: Reading, project: str, event_type: str) -> Persister:
    row = reading.row(_queries().find, event_type=event_type, project=project)
    if row is None:
        raise NotFound(f"Persister '{event_type}' not found.")
    return Persister.from_row(row)


def _condition(reading: Reading, event_type: str) -> Condition:
    condition = deployments.condition(reading, stream_name(event_type))
    if condition is None:
        raise NotFound(f"Persister '{event_type}' not found.")
    return condition


def _queries() -> Queries:
    return load("grnry.persisters")
