"""`grnry up`: takes the folder and the port, starts the household, and says what is there."""

import asyncio
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from grnry.household.announcement import Announcement, for_people, for_programs
from grnry.household.folder import DataFolder, Running
from grnry.household.journal import Journal
from grnry.household.members import Addresses, Members
from grnry.household.outside import Answered, Outside, without_login
from grnry.household.supervisor import Supervisor
from grnry.http.listening import listen
from grnry.settings import Settings


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
        self._password = None if is_claimed else self._first_password()
        self._journal = Journal(
            folder.logs, as_json=settings.log_json, to_terminal=not options.as_json
        )

    def _first_password(self) -> str:
        return self._settings.admin_password or secrets.token_urlsafe(12)

    def run(self, listener: socket.socket) -> None:
        members = Members(self._folder, self._outside, listener, self._password or "")
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
        try:
            asyncio.run(supervisor.run(lambda: self._announce(where)))
        finally:
            self._journal.close()

    def _announce(self, where: Addresses) -> None:
        """Say that all is ready; the password is shown once, on the first start."""
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
