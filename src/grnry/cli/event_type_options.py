"""Options of the commands of event types."""

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        help="Its fields as YAML or JSON; `-` is the standard input. Options go before it.",
        metavar="FILE",
        readable=False,
    ),
]
DisplayName = Annotated[str | None, typer.Option(help="What people call it; else the name.")]
Description = Annotated[str | None, typer.Option(help="What the stream is.")]
CorrelationId = Annotated[
    str | None, typer.Option(help="Expression that gives whom or what an event is about.")
]
EventId = Annotated[str | None, typer.Option(help="Expression that gives an event's own id.")]
Timestamp = Annotated[
    str | None, typer.Option(help="Expression that gives milliseconds since 1970.")
]
Deletion = Annotated[
    str | None, typer.Option(help="Expression that says whether an event is a deletion.")
]
Schema = Annotated[
    Path | None,
    typer.Option(
        help="File with the JSON Schema of a live segment.", metavar="FILE", readable=False
    ),
]
Ttl = Annotated[str | None, typer.Option(help="How long events live, ISO 8601.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
