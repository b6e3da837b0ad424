"""The processes: what `grnry up` starts, and what runs alone in a container.

`python -m grnry.processes NAME …` is the same as `grnry NAME …`, without the command line's weight.
"""

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from grnry.errors import CANNOT_START, StartError
from grnry.logs import set_up_logging
from grnry.settings import PREFIX, Settings

logger = logging.getLogger("grnry.processes")


def run_api(settings: Settings, host: str, port: int, fd: int | None) -> int:
    """Serve the API until a signal ends it."""
    import socket

    from grnry.control_plane import ControlPlane
    from grnry.http.listening import listen
    from grnry.http.server import serve

    need(settings, "database_url", "kafka_bootstrap")
    listener = listen(host, port) if fd is None else socket.socket(fileno=fd)
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    plane = ControlPlane(with_places(settings), address)
    plane.prepare()
    app = plane.app()
    gc.collect()
    gc.freeze()
    # The server sends itself the signal once more when it has shut down; that is no end by it.
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda _number, _frame: None)
    return serve(app, settings, listener)


def need(settings: Settings, *names: str) -> None:
    """Raise one sentence that names every setting which is missing."""
    if missing := [PREFIX + name.upper() for name in names if not getattr(settings, name)]:
        raise StartError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. A process "
            "that is started alone is told by the environment what it works on; `grnry up` starts "
            "all of them and needs nothing."
        )


def with_places(settings: Settings) -> Settings:
    """The credentials of projects are kept in the data folder unless another place is given."""
    folder = settings.secrets_folder or str(Path(settings.data) / "secrets")
    return msgspec.structs.replace(settings, secrets_folder=folder)


def host_and_port(name: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise StartError(f"{name} must be HOST:PORT, such as 127.0.0.1:9092, but is '{text}'.")
    return host.strip("[]"), int(port)


def run_broker(given: argparse.Namespace) -> int:
    """Run the embedded log until a signal ends it."""
    from grnry.log.broker import BrokerSettings, BrokerStartError, Security, run

    if given.fsync not in ("always", "interval"):
        raise StartError(f"--fsync must be 'always' or 'interval' but is '{given.fsync}'.")
    if given.tls_key and not given.tls_certificate:
        raise StartError("--tls-key needs its certificate: give --tls-certificate as well.")
    host, port = host_and_port("--listen", given.listen)
    advertised = host_and_port("--advertise", given.advertise) if given.advertise else None
    if given.metrics:
        host_and_port("--metrics", given.metrics)
    settings = BrokerSettings(
        given.data,
        host or "127.0.0.1",
        port,
        advertised_host=advertised and advertised[0],
        advertised_port=advertised and advertised[1],
        fsync=given.fsync,
        metrics_address=given.metrics,
        security=Security(given.tls_certificate, given.tls_key, given.users, given.insecure),
    )
    try:
        return run(settings)
    except BrokerStartError as error:
        raise StartError(str(error)) from error


def run_reconciler(settings: Settings, health: str) -> int:
    """Keep what is deployed as it is wanted until a signal ends it."""
    from grnry import workers
    from grnry.deployments.log_files import folder_in
    from grnry.deployments.process import run_reconciler as run
    from grnry.deployments.worker import health_address

    need(settings, "database_url", "kafka_bootstrap")
    if health and "/" not in health:
        host_and_port("--health", health)
    logs = folder_in(Path(settings.data))
    return run(settings.database_url, workers.run, logs, health_address(health) if health else None)


def run_worker(settings: Settings, command: Sequence[str]) -> int:
    """Run one worker in this process."""
    from grnry import workers

    need(settings, "kafka_bootstrap")
    if not settings.worker_database_url:
        need(settings, "database_url")
    return workers.run(command, os.environ)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="grnry", description=__doc__)
    kinds = top.add_subparsers(dest="process", required=True)
    api = kinds.add_parser("api")
    api.add_argument("--host", default="127.0.0.1")
    api.add_argument("--port", type=int, default=8080)
    api.add_argument("--fd", type=int)
    broker = kinds.add_parser("broker")
    broker.add_argument("--data", type=Path, required=True)
    broker.add_argument("--listen", default="127.0.0.1:9092")
    broker.add_argument("--advertise")
    broker.add_argument("--fsync", default="always")
    broker.add_argument("--metrics")
    broker.add_argument("--tls-certificate", type=Path)
    broker.add_argument("--tls-key", type=Path)
    broker.add_argument("--users", type=Path)
    broker.add_argument("--insecure", action="store_true")
    reconciler = kinds.add_parser("reconciler")
    reconciler.add_argument("--health", default="")
    run = kinds.add_parser("run")
    run.add_argument("command", nargs="+")
    return top


def start(arguments: argparse.Namespace) -> int:
    settings = Settings.from_environment()
    set_up_logging(arguments.process, level=settings.log_level, as_json=settings.log_json)
    match arguments.process:
        case "api":
            return run_api(settings, arguments.host, arguments.port, arguments.fd)
        case "broker":
            return run_broker(arguments)
        case "reconciler":
            return run_reconciler(settings, arguments.health)
        case _:
            return run_worker(settings, arguments.command)


def main(words: Sequence[str] | None = None) -> int:
    try:
        return start(parser().parse_args(words))
    except StartError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
