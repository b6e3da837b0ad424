"""The processes: what `grnry up` starts, and what runs alone in a container.

`python -m grnry.processes NAME …` is the same as `grnry NAME …`, without the command line's weight.
"""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from grnry.errors import CANNOT_START, StartError
from grnry.logs import set_up_logging
from grnry.settings import Settings

logger = logging.getLogger("grnry.processes")


def run_api(settings: Settings, host: str, port: int, fd: int | None) -> int:
    """Serve the API until a signal ends it."""
    import socket

    from grnry.control_plane import ControlPlane
    from grnry.http.server import serve

    listener = None
    if fd is not None:
        listener = socket.socket(fileno=fd)
        host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    plane = ControlPlane(settings, address)
    plane.prepare()
    app = plane.app()
    gc.collect()
    gc.freeze()
    return serve(app, settings, host, port, listener)


def run_broker(given: argparse.Namespace) -> int:
    """Run the embedded log until a signal ends it."""
    from grnry.log.broker import BrokerSettings, BrokerStartError, Security, run

    if given.fsync not in ("always", "interval"):
        raise StartError(f"--fsync must be 'always' or 'interval' but is '{given.fsync}'.")
    if given.tls_key and not given.tls_certificate:
        raise StartError("--tls-key needs its certificate: give --tls-certificate as well.")
    host, port = _address("--listen", given.listen, lowest=0)
    advertised = _address("--advertise", given.advertise) if given.advertise else None
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


def _address(option: str, text: str, *, lowest: int = 1) -> tuple[str, int]:
    """Host and port; an IPv6 address may stand in brackets."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or not lowest <= int(port) <= 65535:
        raise StartError(f"{option} is HOST:PORT, such as 127.0.0.1:9092, but is '{text}'.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def run_reconciler(settings: Settings, health: Path | None) -> int:
    """Keep what is deployed as it is wanted until a signal ends it."""
    from grnry import workers
    from grnry.deployments.process import run_reconciler as run

    logs = Path(settings.data) / "logs" / "deployments"
    return run(settings.database_url, workers.run, logs, health)


def run_worker(command: Sequence[str]) -> int:
    """Run one worker in this process."""
    from grnry import workers

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
    reconciler.add_argument("--health", type=Path)
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
            return run_worker(arguments.command)


def main(words: Sequence[str] | None = None) -> int:
    try:
        return start(parser().parse_args(words))
    except StartError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
