"""`grnry persister …`."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, EventTypeName, Project, command
from grnry.cli.output import print_fields, print_json, print_table
from grnry.event_types import kinds
from grnry.persisters.kinds import LIVE_SEGMENT, PG

if TYPE_CHECKING:
    from grnry.cli.client import Api

app = typer.Typer(no_args_is_help=True, help="Write streams into PostgreSQL: start and stop.")

Wait = Annotated[bool, typer.Option(help="Wait until it is so.")]
Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Go on, with lag and rows a second, until Ctrl-C.")
]
Set = Annotated[list[str], typer.Argument(help="Such as eventstore.batchSize=1000.", metavar="…")]
WAIT_SECONDS = 60.0
BODY = (
    *("appConfig", "deployerConfig", "appVersion"),
    *("tasks.max", "batchSize", "maxRetries", "retryBackoffMs", "errorsTolerance"),
)
"""The fields of both kinds that can be set."""


KINDS = {kind.name: kind.persister for kind in kinds.KINDS.values() if kind.persister}
"""The kinds of persisters, by the type of the event type that each belongs to."""


def path(project: str, name: str, kind: str = PG) -> str:
    from grnry.cli.event_types import path as event_type_path

    return f"{event_type_path(project, name)}/eventstores/{kind}/persister"


def path_of(api: "Api", project: str, name: str) -> str:
    """The path of the persister that an event type has, whichever kind it is."""
    from grnry.cli.event_types import path as event_type_path

    found = api.get(f"{event_type_path(project, name)}/latest")
    return path(project, name, KINDS.get(found["type"], PG))


@app.command("list")
@command
def list_(
    project: Project = "global", watch: Watch = False, data: Data = None, as_json: AsJson = False
) -> None:
    """List a project's persisters and what is observed of them."""
    from grnry.cli.client import Api, Place
    from grnry.cli.persister_states import COLUMNS, States

    states = States(Api(Place.of(data)), project)
    if watch:
        states.watch(states.names, as_json=as_json)
    elif as_json:
        print_json([states.state(name) for name in states.names()])
    else:
        rows = [states.row(name) for name in states.names()]
        print_table(COLUMNS, [row[: len(COLUMNS)] for row in rows])


@app.command()
@command
def show(
    name: EventTypeName, project: Project = "global", data: Data = None, as_json: AsJson = False
) -> None:
    """Show an event type's persister and its configuration."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    found = api.get(path_of(api, project, name), {"expand": "state"})
    if as_json:
        print_json(found)
        return
    maps = ("appConfig", "deployerConfig")
    plain = {k: v for k, v in found.items() if k not in ("_links", "state", *maps)}
    print_fields({**plain, "state": _said(found["state"])})
    for each in (each for each in maps if each in found):
        print(f"\n{each}")
        print_fields({f"  {key}": value for key, value in found[each].items()} or {"  none": ""})


@app.command("set")
@command
def set_(
    name: EventTypeName,
    values: Set = [],  # noqa: B006 - typer reads it and never keeps it
    unset: Annotated[
        list[str], typer.Option("--unset", help="A key to take out; its default holds then.")
    ] = [],  # noqa: B006
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="An export, YAML or JSON: all of it is set.")
    ] = None,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Change an event type's persister; in effect at its next start.

    Keys that begin with `kubernetes.` are of deployerConfig, all others of appConfig. A live
    segment's persister has tasks.max, batchSize, maxRetries, retryBackoffMs and errorsTolerance.
    """
    from grnry.cli.client import Api, Place
    from grnry.cli.documents import read_document

    api = Api(Place.of(data))
    place = path_of(api, project, name)
    found = read_document(file) if file is not None else api.get(place)
    body = {key: found[key] for key in found if key in BODY or file is not None}
    if place == path(project, name):
        body = {"appConfig": {}, "deployerConfig": {}, **body}
        _apply(body, values, unset)
    else:
        _apply_plain(body, values, unset)
    changed = api.put(f"{place}?imported=true", body)
    if as_json:
        print_json(changed)
        return
    is_running = api.get(f"{place}/state")["status"] != "STOPPED"
    option = "" if project == "global" else f" --project {project}"
    then = f" In effect after: grnry persister restart {name}{option}" if is_running else ""
    print(f"The persister of '{name}' is changed.{then}")


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
    from grnry.cli.client import Api, Place

    _act(Api(Place.of(data)), "START", (project, name), wait=wait, as_json=as_json)


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
    from grnry.cli.client import Api, Place

    _act(Api(Place.of(data)), "STOP", (project, name), wait=wait, as_json=as_json)


@app.command()
@command
def restart(
    name: EventTypeName,
    project: Project = "global",
    wait: Wait = True,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Stop an event type's persister and start it again, as it is configured now."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    place = path_of(api, project, name)
    if place == path(project, name, LIVE_SEGMENT):
        _act(api, "RESTART", (project, name), wait=wait, as_json=as_json)
    else:
        api.post(f"{place}/state", {"action": "STOP"})
        _act(api, "START", (project, name), wait=wait, as_json=as_json)


@app.command()
@command
def state(
    name: EventTypeName,
    project: Project = "global",
    watch: Watch = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what is observed of an event type's persister."""
    from grnry.cli.client import Api, Place

    api = Api(Place.of(data))
    if watch:
        from grnry.cli.persister_states import States

        States(api, project).watch(lambda: [name], as_json=as_json)
    else:
        _print(name, api.get(f"{path_of(api, project, name)}/state"), as_json)


@app.command()
@command
def logs(
    name: EventTypeName,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with what is added, until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option("-n", "--lines", help="How many of the last lines.", min=1, max=500)
    ] = 100,
    project: Project = "global",
    data: Data = None,
) -> None:
    """Show what an event type's persister has logged, over all its starts."""
    from grnry.cli.client import Api, Place
    from grnry.cli.persister_logs import show_logs

    api = Api(Place.of(data))
    show_logs(api, f"{path_of(api, project, name)}/logs", lines, follow=follow)


def _apply(body: dict[str, Any], values: list[str], unset: list[str]) -> None:
    """Set and take out keys; their case does not matter."""
    from grnry.cli.client import CallFailed

    given = [value.partition("=") for value in values]
    if bad := [key for key, is_one, _ in given if not is_one or not key]:
        raise CallFailed(f"'{bad[0]}' sets nothing. Give KEY=VALUE, or --unset KEY.")
    for key in [*unset, *(key for key, _, _ in given)]:
        config = body[_map_of(key)]
        for known in [name for name in config if name.lower() == key.lower()]:
            del config[known]
    for key, _, value in given:
        body[_map_of(key)][key] = value


def _apply_plain(body: dict[str, Any], values: list[str], unset: list[str]) -> None:
    """A live segment's: keys without maps around them, each with a value."""
    from grnry.cli.client import CallFailed

    if unset:
        raise CallFailed("Each key of a live segment's persister has a value: give KEY=VALUE.")
    for value in values:
        key, is_one, text = value.partition("=")
        if not is_one or not key:
            raise CallFailed(f"'{value}' sets nothing. Give KEY=VALUE.")
        body[key] = text


def _map_of(key: str) -> str:
    return "deployerConfig" if key.lower().startswith("kubernetes.") else "appConfig"


def _act(api: "Api", action: str, which: tuple[str, str], *, wait: bool, as_json: bool) -> None:
    from grnry.cli.client import CallFailed

    project, name = which
    goal = "STOPPED" if action == "STOP" else "RUNNING"
    place = f"{path_of(api, project, name)}/state"
    found = api.post(place, {"action": action})
    deadline = time.monotonic() + WAIT_SECONDS
    told = ""
    while wait and found["status"] != goal and time.monotonic() < deadline:
        if found["status"] == "FAILED" and goal == "RUNNING" and found.get("message", "") != told:
            told = found.get("message", "")
            print(f"{found['status']}: {told}", file=sys.stderr)
            if not found.get("retrying"):
                raise CallFailed("It does not go on by itself.")
        time.sleep(0.05)
        found = api.get(place)
    _print(name, found, as_json)
    if wait and found["status"] != goal:
        raise CallFailed(f"It is still not {goal} after a minute.")


def _said(found: dict[str, Any]) -> str:
    why = f": {found['message']}" if "message" in found else ""
    return f"{found['status']}{' (outdated)' if found.get('outdated') else ''}{why}"


def _print(name: str, found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print(f"The persister of '{name}' is {_said(found)}")
