"""The command line's commands. What a command needs is imported when it runs."""

from typing import Annotated

import typer

from grnry import __version__
from grnry.cli import (
    broker,
    event_types,
    events,
    groups,
    identity,
    persisters,
    processes,
    topics,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Granary: a self-hosted platform for event data.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

START, DATA, ALONE = "Start and stop", "Streams and events", "Processes alone, for containers"


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


app.command(rich_help_panel=START)(processes.up)
app.command(rich_help_panel=START)(processes.status)
app.command(rich_help_panel=START)(processes.stop)
app.add_typer(event_types.app, name="event-type", rich_help_panel=DATA)
app.add_typer(persisters.app, name="persister", rich_help_panel=DATA)
app.command(rich_help_panel=DATA)(events.send)
app.command(rich_help_panel=DATA)(events.sql)
app.add_typer(topics.app, name="topic", rich_help_panel=DATA)
app.add_typer(groups.app, name="group", rich_help_panel=DATA)
app.command(rich_help_panel=DATA)(identity.token)
app.command(rich_help_panel=ALONE)(processes.api)
app.add_typer(broker.app, name="broker", rich_help_panel=ALONE)
app.command(rich_help_panel=ALONE)(processes.reconciler)
app.command(rich_help_panel=ALONE)(processes.run)
