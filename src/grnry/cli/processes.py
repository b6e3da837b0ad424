"""`grnry up`, `stop`, `status`, and the processes one by one."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_json, print_table

STOP_SECONDS = 60.0


@command
def up(
    data: Data = None,
    port: Annotated[int, typer.Option(help="Port of the API; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address that the API listens on.")] = "127.0.0.1",
    detach: Annotated[bool, typer.Option(help="Go to the background when all is ready.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start Granary on this machine: database, log, API and workers."""
    from grnry.cli.client import Place
    from grnry.household.up import Options
    from grnry.household.up import up as run
    from grnry.settings import Settings

    options = Options(Place.of(data).data.absolute(), host, port, as_json, detach)
    if detach:
        _detach()
    run(options, Settings.from_environment())


def _detach() -> None:
    """Go on in a child; this process ends when the child says that all is ready, or why not."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        os.close(reading)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(writing, 1)
        os.close(writing)
        return
    os.close(writing)
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGINT))
    with os.fdopen(reading, "rb") as said:
        text = said.read()
    if not text:  # it ends without having been ready, and has said why
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or 1)
    os.write(1, text)
    os._exit(0)


@command
def stop(data: Data = None) -> None:
    """Stop the Granary that runs on a data folder."""
    from grnry.cli.client import CallFailed, Place
    from grnry.household.folder import start_of

    running = Place.of(data).running()
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise CallFailed(
            f"Process {running.pid} is another user's: stop it as that one."
        ) from error
    deadline = time.monotonic() + STOP_SECONDS
    while start_of(running.pid) == running.started:
        if time.monotonic() > deadline:
            raise CallFailed(f"Process {running.pid} has not ended after a minute.")
        time.sleep(0.02)
    print("Stopped.")


@command
def status(data: Data = None, as_json: AsJson = False) -> None:
    """Show what runs on a data folder, and where."""
    import msgspec

    from grnry.cli.client import Place

    running = Place.of(data).running()
    if as_json:
        print_json(msgspec.to_builtins(running))
        return
    print(f"API {running.api}   Kafka {running.kafka}   SQL {running.database}\n")
    print_table(
        ("process", "pid", "state", "restarts"),
        [
            (p.name, p.pid, "ready" if p.ready else "starting", p.restarts)
            for p in running.processes
        ],
    )


@command
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
) -> None:
    """Serve the API alone; GRNRY_DATABASE_URL and GRNRY_KAFKA_BOOTSTRAP say on what."""
    _alone("api", "--host", host, "--port", str(port))


@command
def reconciler(
    health: Annotated[Path | None, typer.Option(help="Unix socket to answer probes on.")] = None,
) -> None:
    """Keep deployments as they are wanted, alone."""
    _alone("reconciler", *(["--health", str(health)] if health else []))


@command
def run(
    words: Annotated[list[str], typer.Argument(help="Such as `persister EVENT_TYPE`.")],
) -> None:
    """Run one worker alone."""
    _alone("run", *words)


def _alone(*words: str) -> None:
    from grnry.processes import main

    raise typer.Exit(main(words))
