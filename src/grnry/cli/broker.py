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
    listen: Annotated[
        str, typer.Option(help="Where it listens.", metavar="HOST:PORT")
    ] = "127.0.0.1:9092",
    advertise: Annotated[
        str | None,
        typer.Option(
            help="The address that clients are told to come back to; needed where --listen is "
            "0.0.0.0, or behind a forwarded port.",
            metavar="HOST:PORT",
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(help="Encrypt, with this certificate chain (PEM).", metavar="FILE"),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(help="Its private key, where it is not in the same file.", metavar="FILE"),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(
            help="Ask for passwords (SASL/PLAIN): a file of lines NAME:PASSWORD that only its "
            "owner may read.",
            metavar="FILE",
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure", help="Listen for other machines without passwords or encryption."
        ),
    ] = False,
    metrics: Annotated[
        str | None, typer.Option(help="Answer /metrics and /health there.", metavar="HOST:PORT")
    ] = None,
    fsync: Annotated[
        str, typer.Option(help="`always`: before each acknowledgement; `interval`: every second.")
    ] = "always",
) -> None:
    """Run the embedded log alone; or check and list the files of a stopped one.

    An address that other machines reach needs --tls-certificate and --users, or --insecure.

    For this machine: grnry broker --data log

    For others: grnry broker --data log --listen 0.0.0.0:9093 --advertise log.example.org:9093
    --tls-certificate cert.pem --tls-key key.pem --users users

    It needs no settings but its options. GRNRY_LOG_LEVEL and GRNRY_LOG_JSON are for its log lines.
    """
    if context.invoked_subcommand is None:
        from grnry.processes import main

        options = {
            "--data": data,
            "--listen": listen,
            "--advertise": advertise,
            "--tls-certificate": tls_certificate,
            "--tls-key": tls_key,
            "--users": users,
            "--metrics": metrics,
            "--fsync": fsync,
        }
        words = [f"{name}={value}" for name, value in options.items() if value is not None]
        raise typer.Exit(main(["broker", *words, *(["--insecure"] if insecure else [])]))


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
