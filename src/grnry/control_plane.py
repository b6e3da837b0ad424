"""The control plane: the composition root of `grnry api`.

Everything the API's process consists of is made here, in the order in which it depends on each
other; nothing is found through globals.
"""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from fastapi import FastAPI

from grnry.database.migrate import migrate
from grnry.database.pool import Database
from grnry.errors import GranaryError, StartError
from grnry.event_types import api as event_types_api
from grnry.event_types.service import EventTypes
from grnry.events.collector import Collector
from grnry.http.app import create_app
from grnry.http.links import Links
from grnry.identity import api as identity_api
from grnry.identity.bootstrap import bootstrap
from grnry.identity.issuer import Issuer, issuer_url
from grnry.identity.keys import SigningKeys
from grnry.identity.tokens import Expected, TokenVerifier
from grnry.log.admin import Admin
from grnry.log.cluster import Cluster
from grnry.log.producer import Producer
from grnry.persisters import api as persisters_api
from grnry.persisters.service import Persisters
from grnry.projects.credentials import ensure_role
from grnry.settings import Settings

logger = logging.getLogger(__name__)

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.05
CHECK_SECONDS = 1.0
PROJECTS = ("global",)


class ControlPlane:
    """The parts of the API's process."""

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self.address = settings.public_url or address
        self.database = Database(settings.database_url, application="grnry-api")
        cluster = Cluster.of(settings)
        self.admin = Admin(cluster)
        self.producer = Producer(cluster, "grnry-api")
        self.keys = SigningKeys(self.database)
        self.issuer = Issuer(self.database, self.keys, url=issuer_url(self.address))
        self.verifier = TokenVerifier(self.keys, Expected(self.issuer.url))
        self.event_types = EventTypes(self.database, self.admin)
        self.persisters = Persisters(self.database)
        self.collector = Collector(self.event_types, self.producer, settings.max_body_bytes)

    def prepare(self) -> None:
        """Bring database and log to where the first request finds all it needs."""
        prepare_database(self._settings.database_url)
        self.database.open()
        with self.database.transaction() as transaction:
            for project in PROJECTS:
                ensure_role(transaction, Path(self._settings.secrets_folder), project)
        bootstrap(self.database, self._settings.admin_password, self._settings.cli_secret)
        self.keys.signing_key()
        wait_for_log(self.admin)
        self.event_types.heal()

    def app(self) -> FastAPI:
        links = Links(self._settings.public_url)
        return create_app(
            settings=self._settings,
            authenticator=self.verifier,
            routers=[
                event_types_api.router(self.event_types, links),
                persisters_api.router(self.persisters, links),
            ],
            raw_routes=[*self.collector.routes(), *identity_api.routes(self.issuer, links)],
            checks={"database": self.check_database, "log": self.check_log},
            open_paths=identity_api.OPEN_PATHS,
            lifespan=self._lifespan,
        )

    def check_database(self) -> None:
        with self.database.transaction():
            pass

    def check_log(self) -> None:
        self.admin.brokers(CHECK_SECONDS)

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        yield
        self.producer.close()
        self.database.close()


def prepare_database(url: str) -> None:
    """Wait for the database and bring its schema to this version."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
                for migration in migrate(connection):
                    logger.info("Applied migration %d, %s.", migration.number, migration.name)
                return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                said = str(error).strip().splitlines()[0]
                raise StartError(f"The database does not answer: {said}") from error
            time.sleep(LOOK_SECONDS)


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
