"""The control plane: the composition root of `grnry api`.

Everything the API's process consists of is made here, in the order in which it depends on each
other; nothing is found through globals.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from grnry.database.address import place_of
from grnry.database.pool import Database
from grnry.database.pool_metrics import PoolCollector
from grnry.database.prepare import prepare_database
from grnry.dead_letters import api as dead_letters_api
from grnry.dead_letters.service import DeadLetters
from grnry.deployments.log_files import LogFolder, folder_in
from grnry.errors import GranaryError, StartError
from grnry.event_types import api as event_types_api
from grnry.event_types.service import EventTypes
from grnry.events import api as events_api
from grnry.events.collector import Collector
from grnry.events.reading import api as reading_api
from grnry.events.reading.service import Events
from grnry.events.tracing import api as tracing_api
from grnry.events.tracing.service import Tracing
from grnry.http.app import create_app
from grnry.http.links import Links
from grnry.http.metrics import new_registry
from grnry.http.routing import Router
from grnry.identity import api as identity_api
from grnry.identity import users_api
from grnry.identity.trust import Trust
from grnry.identity.users import Users
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.persisters import api as persisters_api
from grnry.persisters.live_segment import api as live_persisters_api
from grnry.persisters.live_segment.service import LivePersisters
from grnry.persisters.service import Persisters
from grnry.projects import api as projects_api
from grnry.projects.members import Members
from grnry.projects.service import Projects
from grnry.projects.watchdog import Watchdog
from grnry.settings import Settings
from grnry.sinks import upkeep

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.05
CHECK_SECONDS = 1.0


class ControlPlane:
    """The parts of the API's process."""

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self.address = settings.public_url or address
        self.database = Database(
            settings.database_url,
            application="grnry-api",
            answer_seconds=settings.database_answer_seconds,
        )
        self.watchdog = Watchdog(self.database)
        cluster = Cluster.of(settings)
        self.admin = Admin(cluster)
        self.producer = Producer(cluster, "grnry-api")
        self.trust = Trust(settings, self.database, self.address)
        outside = self.trust.outside
        secrets = Path(settings.secrets_folder)
        self.projects = Projects(self.database, secrets)
        self.users = Users(self.database, outside_issuer=outside)
        self.event_types = EventTypes(self.database, self.admin)
        logs = LogFolder(folder_in(Path(settings.data)))
        own = place_of(settings.worker_database_url or settings.database_url)
        self.persisters = Persisters(self.database, logs, self.admin, own)
        self.live_persisters = LivePersisters(self.database, logs, self.admin)
        self.dead_letters = DeadLetters(self.database)
        self.tracing = Tracing(
            self.database, self.event_types, self.persisters, self.admin, cluster
        )
        self.members = Members(self.database, self.event_types.consumer_roles, outside)
        self.collector = Collector(self.event_types, self.producer, settings)

    def prepare(self) -> None:
        """Bring database and log to where the first request finds all it needs."""
        prepare_database(self._settings.database_url, self._settings.worker_database_url)
        self.database.open()
        self.projects.heal()
        self.trust.prepare()
        wait_for_log(self.admin)
        self.event_types.heal()
        upkeep.ensure(self.database)

    def app(self) -> FastAPI:
        links = Links(self._settings.public_url)
        registry = new_registry()
        registry.register(PoolCollector(self.database))
        return create_app(
            registry=registry,
            settings=self._settings,
            authenticator=self.trust.verifier,
            projects=self.projects,
            routers=[
                *self._project_routers(links),
                # Before the event types, whose versions would take its path for one of theirs.
                tracing_api.router(self.tracing, links),
                event_types_api.router(self.event_types, links),
                events_api.router(),
                persisters_api.router(self.persisters, links),
                live_persisters_api.router(self.live_persisters, links),
                persisters_api.router_of_others(),
                dead_letters_api.router(self.dead_letters, links),
                reading_api.router(Events(self.database), links),
            ],
            raw_routes=[*self.collector.routes(), *self.trust.routes(links)],
            checks={"database": self.database.check, "log": self.check_log},
            open_paths=identity_api.OPEN_PATHS,
            challenge=self.trust.challenge,
            lifespan=self._lifespan,
        )

    def _project_routers(self, links: Links) -> list[Router]:
        # As workers reach it: by an address, where the platform itself may use a socket.
        url = self._settings.worker_database_url or self._settings.database_url
        return [
            projects_api.projects_router(self.projects, place_of(url), links),
            projects_api.members_router(self.members, links),
            users_api.search_router(self.users, links),
            users_api.management_router(self.users, links),
        ]

    def check_log(self) -> None:
        self.admin.brokers(CHECK_SECONDS)

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        self.watchdog.start()
        yield
        self.watchdog.stop()
        self.producer.close()
        self.database.close()


def wait_for_log(admin: Admin) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            admin.brokers()
        except GranaryError as error:
            if time.monotonic() > deadline:
                raise StartError(f"The log does not answer: {error.message}") from error
        else:
            return
