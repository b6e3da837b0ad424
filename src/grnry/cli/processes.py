"""The processes one by one, as they run in containers."""

from typing import Annotated

import typer

from grnry.cli.options import command


@command
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8080,
) -> None:
    """Serve the API alone. It applies migrations at its start.

    Needs GRNRY_DATABASE_URL and GRNRY_KAFKA_BOOTSTRAP, and GRNRY_ADMIN_PASSWORD at the first start
    on a database. GRNRY_PUBLIC_URL is the address that users reach it at; GRNRY_SECRETS_FOLDER
    keeps the credentials of projects (else `secrets` in GRNRY_DATA).
    """
    _alone("api", "--host", host, "--port", str(port))


@command
def reconciler(
    health: Annotated[
        str,
        typer.Option(help="HOST:PORT or Unix socket to answer /health/… and /metrics on."),
    ] = "",
) -> None:
    """Keep deployments as they are wanted, alone; its workers are processes of its machine.

    Needs GRNRY_DATABASE_URL and GRNRY_KAFKA_BOOTSTRAP, and GRNRY_WORKER_DATABASE_URL for workers
    that write as a role of their own. Logs of workers are in `logs/deployments` of GRNRY_DATA.
    """
    _alone("reconciler", *(["--health", health] if health else []))


@command
def run(
    words: Annotated[list[str], typer.Argument(help="Such as `persister EVENT_TYPE`.")],
) -> None:
    """Run one worker alone.

    Needs GRNRY_KAFKA_BOOTSTRAP and GRNRY_WORKER_DATABASE_URL (else GRNRY_DATABASE_URL), and what it
    has to do: GRNRY_PERSISTER for `persister`. GRNRY_HEALTH is the address it answers /health/… on.
    """
    _alone("run", *words)


def _alone(*words: str) -> None:
    from grnry.processes import main

    raise typer.Exit(main(words))
