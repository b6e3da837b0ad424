"""`grnry up`, `stop`, `status`: the household of one machine."""

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grnry.cli.options import AsJson, Data, command
from grnry.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from grnry.household.folder import Running

STOP_SECONDS = 60.0
PATIENCE_SECONDS = 1.0


@command
def up(
    data: Data = None,
    port: Annotated[int, typer.Option(help="Port of the API; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address that the API listens on.")] = "127.0.0.1",
    detach: Annotated[bool, typer.Option(help="Go to the background when all is ready.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start Granary on this machine: database, log, API and workers.

    A database given by GRNRY_DATABASE_URL and a log given by GRNRY_KAFKA_BOOTSTRAP are used and not
    started.
    """
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
def stop(data: Data = None, as_json: AsJson = False) -> None:
    """Stop the Granary that runs on a data folder, in order; Ctrl-C hurries it."""
    from grnry.cli.client import CallFailed, Place
    from grnry.household.folder import start_of

    place = Place.of(data)
    running = place.running()
    began = time.monotonic()
    _ask_to_stop(running)
    told = ""
    while start_of(running.pid) == running.started:
        waited = time.monotonic() - began
        if waited > STOP_SECONDS:
            raise CallFailed(f"Process {running.pid} has not ended after a minute.")
        try:
            if waited > PATIENCE_SECONDS and (names := _left(place.folder().running())) != told:
                told = names
                print(f"Waiting for {names} to end; Ctrl-C hurries.", file=sys.stderr)
            time.sleep(0.02)
        except KeyboardInterrupt:
            _ask_to_stop(running)
    if as_json:
        print_json({"stopped": True, "pid": running.pid, "seconds": round(waited, 2)})
    else:
        print("Stopped.")


def _ask_to_stop(running: "Running") -> None:
    from grnry.cli.client import CallFailed

    try:
        os.kill(running.pid, signal.SIGTERM)
        os.kill(running.pid, signal.SIGCONT)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise CallFailed(
            f"Process {running.pid} is another user's: stop it as that one."
        ) from error


def _left(running: "Running | None") -> str:
    left = [process.name for process in running.processes if process.pid] if running else []
    return ", ".join(left) or "the supervisor"


@command
def status(data: Data = None, as_json: AsJson = False) -> None:
    """Show what runs on a data folder, where, since when, and what it takes."""
    import msgspec

    from grnry.cli.client import Place
    from grnry.household.usage import processes_of

    place = Place.of(data)
    running = place.running()
    found = processes_of(running)
    if as_json:
        whole = msgspec.to_builtins(running)
        own = [process.as_json() for process in found]
        print_json({**whole, "data": str(place.folder().path), "processes": own})
        return
    print_fields(_where(running, str(place.folder().path)))
    print()
    columns = ("process", "pid", "state", "since", "restarts", "memory", "address")
    print_table(columns, [process.as_row() for process in found])


def _where(running: "Running", data: str) -> dict[str, Any]:
    outside = dict.fromkeys(running.outside, "   (from outside)")
    fields = {
        "State": running.state,
        "API": running.api,
        "Kafka": running.kafka + outside.get("kafka", ""),
        "SQL": running.database + outside.get("database", ""),
        "Metrics": ", ".join(filter(None, [f"{running.api}/metrics", running.metrics])),
        "Data": data,
    }
    return {name: value for name, value in fields.items() if value}
