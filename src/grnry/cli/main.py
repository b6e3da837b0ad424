"""The command line's commands. What a command needs is imported when it runs."""

from typing import Annotated

import typer

from grnry import __version__
from grnry.cli import (
    broker,
    clients,
    dead_letters,
    doctor,
    event_types,
    events,
    groups,
    household,
    identity,
    keys,
    login,
    logs,
    persisters,
    processes,
    projects,
    topics,
    trace,
    users,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Granary: a self-hosted platform for event data.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

START, DATA, PEOPLE = "Start and stop", "Streams and events", "Projects and users"
ALONE = "Processes alone, for containers"
WHO = "Who calls"


def _version(wanted: bool) -> None:
    if wanted:
        print(f"grnry {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command(rich_help_panel=START)(household.up)
app.command(rich_help_panel=START)(household.status)
app.command(rich_help_panel=START)(logs.logs)
app.command(rich_help_panel=START)(doctor.doctor)
app.command(rich_help_panel=START)(household.stop)
app.add_typer(event_types.app, name="event-type", rich_help_panel=DATA)
app.add_typer(persisters.app, name="persister", rich_help_panel=DATA)
app.command(rich_help_panel=DATA)(events.send)
app.command(rich_help_panel=DATA)(events.sql)
app.command(rich_help_panel=DATA)(trace.trace)
app.add_typer(dead_letters.app, name="dlq", rich_help_panel=DATA)
app.command(rich_help_panel=WHO)(login.login)
app.command(rich_help_panel=WHO)(login.logout)
app.command(rich_help_panel=WHO)(login.whoami)
app.command(rich_help_panel=WHO)(identity.token)
app.add_typer(clients.app, name="client", rich_help_panel=WHO)
app.add_typer(keys.app, name="keys", rich_help_panel=WHO)
app.add_typer(projects.app, name="project", rich_help_panel=PEOPLE)
app.add_typer(users.app, name="user", rich_help_panel=PEOPLE)
app.add_typer(topics.app, name="topic", rich_help_panel=DATA)
app.add_typer(groups.app, name="group", rich_help_panel=DATA)
app.command(rich_help_panel=ALONE)(processes.api)
app.add_typer(broker.app, name="broker", rich_help_panel=ALONE)
app.command(rich_help_panel=ALONE)(processes.reconciler)
app.command(rich_help_panel=ALONE)(processes.run)
