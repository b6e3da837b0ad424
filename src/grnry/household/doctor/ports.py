"""The ports: free where nothing runs, so that the next start finds them."""

import socket
from collections.abc import Iterator

from grnry.household.doctor.finding import Finding, Part
from grnry.household.folder import DataFolder, Running
from grnry.household.outside import Outside

part = Part("ports")


def look(
    folder: DataFolder, running: Running | None, outside: Outside, api_port: int
) -> Iterator[Finding]:
    if running:
        yield part.ok("in use", f"{running.api}, {running.kafka}, {running.database}")
        return
    yield _api(api_port)
    last = folder.last_ports()
    if last and not outside.kafka_bootstrap:
        yield _kept("kafka", last.kafka)
    if last and not outside.database_url:
        yield _kept("database", last.database)


def _api(port: int) -> Finding:
    if why := _why_taken(port):
        todo = "End what uses it, or choose another: `grnry up --port 0` takes a free one."
        return part.problem("api", f"{port}: {why}", todo)
    return part.ok("api", f"{port} is free")


def _kept(what: str, port: int) -> Finding:
    if why := _why_taken(port):
        todo = "The next start takes another, and clients have to be told: end what uses it."
        return part.warning(what, f"{port}, that of the last start: {why}", todo)
    return part.ok(what, f"{port} is free")


def _why_taken(port: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
    return ""
