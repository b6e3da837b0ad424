"""`grnry send` and `grnry sql`: events in, rows out."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from grnry.cli.options import AsJson, Data, EventTypeName, Project, command
from grnry.cli.output import print_json, print_json_rows, print_table


@command
def send(
    event_type: EventTypeName,
    event: Annotated[
        str, typer.Argument(help="JSON: an object, or an array of them; `-` reads them from stdin.")
    ] = "-",
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="Read them from a file, NDJSON or JSON.")
    ] = None,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Send events; they are in the log when this says so."""
    from grnry.cli.client import Api, CallFailed, Place
    from grnry.cli.event_types import path

    body = _body(event, file)
    answer = Api(Place.of(data)).post_bytes(
        f"{path(project, event_type)}/events", body, "application/json"
    )
    if as_json:
        print_json(answer)
    else:
        print(f"Sent {answer['accepted']} {'event' if answer['accepted'] == 1 else 'events'}.")
    if rejected := answer["rejected"]:
        reasons = "\n".join(f"  event {r['position']}: {r['reason']}" for r in rejected)
        raise CallFailed(f"{len(rejected)} were not taken:\n{reasons}")


def _body(event: str, file: Path | None) -> bytes:
    from grnry.cli.client import CallFailed

    if file is None:
        return sys.stdin.buffer.read() if event == "-" else event.encode("utf-8", "surrogateescape")
    try:
        return file.read_bytes()
    except OSError as error:
        raise CallFailed(f"{file} cannot be read: {error.strerror}.") from error


@command
def sql(
    statement: Annotated[str, typer.Argument(help="One SQL statement.")] = "",
    url: Annotated[
        bool, typer.Option("--url", help="Print the address for psql instead, with the password.")
    ] = False,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Run SQL as the project's role: its views, and what it made in its schema."""
    from grnry.cli.client import CallFailed
    from grnry.database.console import NotUnderstood, query

    address = _address(project, data)
    if url:
        print(address)
        return
    if not statement.strip():
        raise CallFailed('Give a statement, such as: grnry sql "select 1". Or --url for psql.')
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # they say how to connect to another database, such as PGSSLMODE
    try:
        answer = query(address, statement)
    except NotUnderstood as error:
        raise CallFailed(str(error)) from error
    if as_json:
        print_json_rows(answer.columns, answer.rows)
    elif answer.columns:
        print_table(answer.columns, answer.rows)
        print(f"({len(answer.rows)} {'row' if len(answer.rows) == 1 else 'rows'})")
    else:
        print(answer.status)


def _address(project: str, data: Path | None) -> str:
    from grnry.cli.client import CallFailed, Place
    from grnry.projects import credentials

    place = Place.of(data)
    running = place.running()
    folder = Path(os.environ.get("GRNRY_SECRETS_FOLDER", running.secrets))
    known = credentials.read(folder, project)
    if known is None:
        raise CallFailed(f"There are no credentials of a project '{project}' in {folder}.")
    host = running.database.removeprefix("postgresql://")
    return f"postgresql://{known.username}:{known.password}@{host}"
