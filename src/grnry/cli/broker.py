"""`grnry broker …`: run the embedded log alone, and look at the files of a stopped one."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from grnry.cli.options import AsJson, command
from grnry.cli.output import print_json
from grnry.errors import StartError

app = typer.Typer(help="Run the embedded log alone; check and list the files of a stopped one.")

DEFAULT = Path(".grnry/log")

LogFolder = Annotated[
    Path, typer.Option("--data", help="Folder of the log.", metavar="DIR", readable=False)
]


@app.callback(invoke_without_command=True)
@command
def run(
    context: typer.Context,
    data: LogFolder = DEFAULT,
    listen: Annotated[str, typer.Option(help="Host and port.")] = "127.0.0.1:9092",
    fsync: Annotated[
        str, typer.Option(help="`always`: before each acknowledgement; `interval`: every second.")
    ] = "always",
    advertise: Annotated[
        str, typer.Option(help="Host and port that clients are told to connect to.")
    ] = "",
    metrics: Annotated[
        str, typer.Option(help="Host and port of /metrics and /health/…; else there are none.")
    ] = "",
) -> None:
    """Run the embedded log alone; or check and list the files of a stopped one.

    It needs no settings but its options. GRNRY_LOG_LEVEL and GRNRY_LOG_JSON are for its log lines.
    """
    if context.invoked_subcommand is None:
        from grnry.processes import main

        words = ["broker", "--data", str(data), "--listen", listen, "--fsync", fsync]
        words += ["--advertise", advertise, "--metrics", metrics]
        raise typer.Exit(main(words))


@app.command()
@command
def check(data: LogFolder = DEFAULT, as_json: AsJson = False) -> None:
    """Verify the files of a stopped log; exit code 1 where something is damaged."""
    from grnry.log import broker

    with _refusals():
        report = broker.check(data)
    if as_json:
        print_json({**_plain(report), "is_sound": report.is_sound})
    else:
        print(report)
    raise typer.Exit(0 if report.is_sound else 1)


@app.command()
@command
def dump(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    partition: Annotated[int, typer.Argument(help="The partition's number.")] = 0,
    from_offset: Annotated[int, typer.Option("--from", help="The first offset wanted.")] = 0,
    limit: Annotated[int | None, typer.Option("-n", help="How many batches at most.")] = None,
    data: LogFolder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the batches of a stopped log's partition, a line each."""
    import json

    from grnry.log import broker

    with _refusals():
        for batch in broker.dump(data, topic, partition, from_offset=from_offset, limit=limit):
            print(json.dumps(_plain(batch)) if as_json else batch)


@contextmanager
def _refusals() -> Iterator[None]:
    from grnry.log.broker import BrokerError

    try:
        yield
    except BrokerError as error:
        raise StartError(str(error)) from error


def _plain(value: Any) -> dict[str, Any]:
    """A frozen value as JSON knows it."""
    return _json_able(dataclasses.asdict(value))  # type: ignore[no-any-return]


def _json_able(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_able(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json_able(part) for part in value]
    return str(value) if isinstance(value, Path) else value
