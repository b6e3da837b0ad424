"""Options that several commands share, and how commands end."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from grnry.cli.output import end_without_output, is_about_output
from grnry.errors import GranaryError

P = ParamSpec("P")

Data = Annotated[
    Path | None,
    typer.Option(
        help="The data folder of `grnry up` (GRNRY_DATA, else ./.grnry).",
        metavar="DIR",
        readable=False,  # what is wrong with a folder is said in one place
    ),
]
Project = Annotated[str, typer.Option(help="The project.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
EventTypeName = Annotated[str, typer.Argument(help="The event type's name.", metavar="EVENT_TYPE")]


def command(run: Callable[P, None]) -> Callable[P, None]:
    """A command whose errors are one sentence and exit code 1."""

    @wraps(run)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        from grnry.cli.client import CallFailed

        try:
            run(*args, **kwargs)
            if sys.stdout:
                sys.stdout.flush()
        except (CallFailed, GranaryError) as error:
            said = error.message if isinstance(error, GranaryError) else str(error)
            print(said, file=sys.stderr)
            raise typer.Exit(1) from error
        except OSError as error:
            if not is_about_output(error):
                raise
            end_without_output(error)
            raise typer.Exit(1) from error

    return guarded
