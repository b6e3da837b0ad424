"""`grnry persister …`."""

import sys
import time
from typing import Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, EventTypeName, Project, command
from grnry.cli.output import print_fields, print_json

app = typer.Typer(no_args_is_help=True, help="Write streams into PostgreSQL: start and stop.")

Wait = Annotated[bool, typer.Option(help="Wait until it is so.")]
WAIT_SECONDS = 60.0


def path(project: str, name: str) -> str:
    from grnry.cli.event_types import path as event_type_path

    return f"{event_type_path(project, name)}/eventstores/pg/persister"


@app.command()
@command
def start(
    name: EventTypeName,
    project: Project = "global",
    wait: Wait = True,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Start an event type's persister."""
    _act("START", "RUNNING", name, project, wait, data, as_json)


@app.command()
@command
def stop(
    name: EventTypeName,
    project: Project = "global",
    wait: Wait = True,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Stop an event type's persister; the batch in hand is finished."""
    _act("STOP", "STOPPED", name, project, wait, data, as_json)


@app.command()
@command
def state(
    name: EventTypeName, project: Project = "global", data: Data = None, as_json: AsJson = False
) -> None:
    """Show what is observed of an event type's persister."""
    from grnry.cli.client import Api, Place

    _print(name, Api(Place.of(data)).get(f"{path(project, name)}/state"), as_json)


@app.command()
@command
def show(
    name: EventTypeName, project: Project = "global", data: Data = None, as_json: AsJson = False
) -> None:
    """Show an event type's persister and its configuration."""
    from grnry.cli.client import Api, Place

    found = Api(Place.of(data)).get(path(project, name), {"expand": "state"})
    if as_json:
        print_json(found)
    else:
        shown = {key: value for key, value in found.items() if key not in ("_links", "state")}
        print_fields({**shown, "state": found["state"]["status"]})


def _act(
    action: str,
    goal: str,
    name: str,
    project: str,
    wait: bool,
    data: Any,
    as_json: bool,
) -> None:
    from grnry.cli.client import Api, CallFailed, Place

    api = Api(Place.of(data))
    found = api.post(f"{path(project, name)}/state", {"action": action})
    deadline = time.monotonic() + WAIT_SECONDS
    while wait and found["status"] != goal and time.monotonic() < deadline:
        if found["status"] == "FAILED" and goal == "RUNNING" and "message" in found:
            print(f"{found['status']}: {found['message']}", file=sys.stderr)
        time.sleep(0.05)
        found = api.get(f"{path(project, name)}/state")
    _print(name, found, as_json)
    if wait and found["status"] != goal:
        raise CallFailed(f"It is still not {goal} after a minute.")


def _print(name: str, found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    why = f": {found['message']}" if "message" in found else ""
    print(f"The persister of '{name}' is {found['status']}{why}")
