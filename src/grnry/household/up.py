"""`grnry up`: takes the folder and the port, starts the household, and says what is there."""

import asyncio
import logging
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from grnry.errors import StartError
from grnry.household.announcement import Announcement, for_people, for_programs
from grnry.household.folder import DataFolder, Running
from grnry.household.journal import Journal
from grnry.household.members import Addresses, Members
from grnry.household.outside import Answered, Outside, without_login
from grnry.household.supervisor import Supervisor
from grnry.http.listening import listen
from grnry.settings import Settings

logger = logging.getLogger(__name__)

PORT_TRIES = 3
"""How often ports are chosen anew that another process took before ours could."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `grnry up` is asked for."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    as_json: bool = False
    detached: bool = False


def up(options: Options, settings: Settings) -> None:
    """Start everything, and keep it until a signal says otherwise."""
    outside = Outside.of(settings)
    folder = DataFolder(options.data)
    folder.open(settings.min_free_mb)
    try:
        # It outlives the API's process, so that a restart of that refuses nobody.
        with listen(options.host, options.port) as listener:
            start = Start(folder, options, settings, outside, outside.ask())
            start.run(listener)
    finally:
        folder.close()


class Start:
    """One start of the household, and what it says."""

    def __init__(
        self,
        folder: DataFolder,
        options: Options,
        settings: Settings,
        outside: Outside,
        answered: Answered,
    ) -> None:
        self._folder = folder
        self._options = options
        self._settings = settings
        self._outside = outside
        self._claim = without_login(outside.database_url) if outside.database_url else ""
        is_claimed = folder.is_claimed(self._claim) or answered.admin_is_claimed
        self._is_ready = False
        self._password = None if is_claimed else self._first_password()
        self._journal = Journal(
            folder.logs, as_json=settings.log_json, to_terminal=not options.as_json
        )

    def _first_password(self) -> str:
        return self._settings.admin_password or secrets.token_urlsafe(12)

    def run(self, listener: socket.socket) -> None:
        try:
            for tries_left in reversed(range(PORT_TRIES)):
                members = Members(self._folder, self._outside, listener, self._password or "")
                try:
                    return self._start(members)
                except StartError:
                    # What is ours has ended by now, so who has a port of it is somebody else.
                    is_taken = self._folder.ports() != members.ports
                    if self._is_ready or not is_taken or not tries_left:
                        raise
                    logger.warning("Another process took a port of ours. Trying others.")
        finally:
            self._journal.close()

    def _start(self, members: Members) -> None:
        where = members.addresses
        running = Running(
            0,
            0,
            where.api,
            where.database,
            where.kafka,
            outside=self._outside.names,
            metrics=where.metrics,
            secrets=str(members.project_secrets),
        )
        log_bytes = self._settings.log_files_mb * 2**20
        supervisor = Supervisor(self._folder, members.specs(), running, log_bytes)
        asyncio.run(supervisor.run(lambda: self._announce(where)))

    def _announce(self, where: Addresses) -> None:
        """Say that all is ready; the password is shown once, on the first start."""
        self._is_ready = True
        said = Announcement(
            where.api,
            str(self._folder.path),
            where.database,
            where.kafka,
            outside=self._outside.names,
        )
        if self._settings.oidc_issuer:  # `admin` may not log in, so there is no password to show
            said.issuer = self._settings.oidc_issuer
        else:
            said.user = "admin"
            said.password = None if self._settings.admin_password else self._password
        options = self._options
        text = (
            for_programs(said) if options.as_json else for_people(said, detached=options.detached)
        )
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        if not self._settings.oidc_issuer:
            self._folder.claim(self._claim)
        if options.detached:
            self._let_go()

    def _let_go(self) -> None:
        """Whoever waits for what is said is told that nothing more will be."""
        self._journal.leave_terminal()
        with self._journal.path.open("ab") as log:
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
