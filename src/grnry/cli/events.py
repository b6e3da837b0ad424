"""`grnry send` and `grnry sql`: events in, rows out."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EISDIR
from io import BytesIO
from pathlib import Path
from typing import Annotated, BinaryIO

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
        Path | None,
        typer.Option(
            "-f", "--file", help="Read them from a file, NDJSON or JSON; - is standard input."
        ),
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="So many events a second, of lines.", min=1, metavar="N")
    ] = None,
    project: Project = "global",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Send events; they are in the log when this says so."""
    from grnry.cli.client import Api, CallFailed, Place
    from grnry.cli.event_types import path
    from grnry.cli.sending import Sum, paced, pieces, watched

    api, found = Api(Place.of(data)), Sum()
    target = f"{path(project, event_type)}/events"
    with _opened(event, file) as (source, size):
        for piece in watched(paced(pieces(source, rate), rate), size, lambda: found.sent):
            try:
                found.add(api.post_bytes(target, piece.body, piece.content_type))
            except CallFailed as error:
                sent = f"After {found.sent} events: " if found.sent else ""
                raise CallFailed(f"{sent}{error}") from error
    if as_json:
        print_json(found.answer())
    else:
        print(f"Sent {found.accepted} {'event' if found.accepted == 1 else 'events'}.")
    if complaint := found.complaint():
        raise CallFailed(complaint)


@contextmanager
def _opened(event: str, file: Path | None) -> Iterator[tuple[BinaryIO, int | None]]:
    """What to read, and how long it is where that is known."""
    from grnry.cli.client import CallFailed

    if (file is None and event == "-") or file == Path("-"):
        yield sys.stdin.buffer, None
    elif file is None:
        body = event.encode("utf-8", "surrogateescape")
        yield BytesIO(body), len(body)
    else:
        try:
            with file.open("rb") as opened:
                yield opened, file.stat().st_size or None
        except OSError as error:
            if error.filename != str(file) and error.errno != EISDIR:
                raise
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
