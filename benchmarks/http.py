"""Requests a second and latencies of the API, beside a bare handler that does one SELECT.

    python -m benchmarks http [--seconds 5] [--connections 16] [--rows 100000]

The load generator is a process of its own on the same machine; one API process answers. The bare
handler is FastAPI on the same server and driver: no token, no transaction, one indexed SELECT. The
two are measured by turns.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import uvloop

from benchmarks._http import lists
from grnry.household.usage import cpu_seconds
from tests.conftest import free_port, wait_for
from tests.event_types.calling import Caller, draft
from tests.running import Granary

NAME = "measured"
PAIRS = 3
"""How often the two are measured that are compared: by turns, as others use the machine too."""


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers on a port."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one run."""

    rate: float
    p50_ms: float
    p99_ms: float
    statuses: dict[int, int]
    cpu_ms: float
    """Of the process that answers, per request: what a busy machine distorts least."""

    def __str__(self) -> str:
        others = {status: n for status, n in self.statuses.items() if not 200 <= status < 300}
        return (
            f"{self.rate:7.0f}/s   p50 {self.p50_ms:6.1f} ms   p99 {self.p99_ms:6.1f} ms"
            f"   CPU {self.cpu_ms:5.2f} ms" + (f"   ANSWERED {others}" if others else "")
        )


class Load(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, request: bytes, until: float) -> None:
        self._request = request
        self._until = until
        self._left = -1
        self._buffer = b""
        self._began = 0.0
        self.times: list[float] = []
        self.statuses: dict[int, int] = {}
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at : at + 12].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer = b""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        now = time.perf_counter()
        self.times.append(now - self._began)
        if now < self._until:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("The server has closed."))


async def _generate(port: int, request: bytes, connections: int, seconds: float) -> list[Load]:
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    made = [
        await loop.create_connection(lambda: Load(request, until), "127.0.0.1", port)
        for _ in range(connections)
    ]
    loads = [load for _, load in made]
    await asyncio.gather(*(load.done for load in loads))
    return loads


def _worker(pipe: Any, port: int, request: bytes, connections: int, seconds: float) -> None:
    loads = uvloop.run(_generate(port, request, connections, seconds))
    times = sorted(time for load in loads for time in load.times)
    statuses: dict[int, int] = {}
    for load in loads:
        for status, count in load.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    pipe.send((times, statuses))


def measure(server: Server, request: bytes, connections: int, seconds: float) -> Measured:
    """Ask with so many connections at once, after a short warm-up."""
    port, before = server.port, 0.0
    for duration in (min(1.0, seconds), seconds):
        before = cpu_seconds(server.pid)
        here, there = multiprocessing.Pipe()
        arguments = (there, port, request, connections, duration)
        process = multiprocessing.get_context("spawn").Process(target=_worker, args=arguments)
        process.start()
        times, statuses = here.recv()
        process.join()
    return Measured(
        len(times) / seconds,
        times[len(times) // 2] * 1000,
        times[min(len(times) - 1, len(times) * 99 // 100)] * 1000,
        statuses,
        (cpu_seconds(server.pid) - before) / len(times) * 1000,
    )


def request_of(path: str, token: str = "", body: bytes = b"") -> bytes:
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


# The bare handler --------------------------------------------------------------------------------


def bare(url: str, port: int) -> None:
    """What FastAPI, uvicorn and the driver can do by themselves."""
    import threading

    import uvicorn
    from fastapi import FastAPI
    from psycopg.rows import dict_row

    app, local = FastAPI(), threading.local()

    @app.get("/one/{name}")
    def one(name: str) -> dict[str, Any]:
        if not hasattr(local, "connection"):
            local.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        found = local.connection.execute(
            "select event_type.*, version.* from grnry.event_types as event_type "
            "join grnry.event_type_versions as version using (name) where name = %s",
            [name],
        ).fetchone()
        return dict(found)

    uvicorn.run(app, port=port, log_level="error", access_log=False, loop="uvloop")


@contextmanager
def running_bare(url: str) -> Iterator[Server]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=bare, args=(url, port))
    process.start()

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(listens)
    assert process.pid
    yield Server(port, process.pid)
    process.kill()
    process.join()


def show_lists(
    server: Server, caller: Caller, what: str, queries: list[tuple[str, str]], seconds: float
) -> None:
    print(f"\n{what}, one connection (limits of p99: first page 20 ms, all others 50 ms)")
    for name, path in queries:
        found = measure(server, request_of(path, caller.token()), 1, seconds)
        print(f"  {name:52} {found}")


def fill_and_show(
    platform: "psycopg.Connection[Any]", server: Server, caller: Caller, rows: int, seconds: float
) -> None:
    platform.execute(lists.FILL_EVENT_TYPES, [rows])
    platform.execute(lists.FILL_PERSISTERS)
    platform.execute(lists.FILL_DEPLOYMENTS)
    platform.execute("vacuum analyze grnry.event_types, grnry.event_type_versions")
    platform.execute("vacuum analyze grnry.persisters, grnry.deployments")
    what = f"lists of {rows} event types"
    show_lists(server, caller, what, lists.event_type_lists(rows), seconds)
    for statement in lists.EMPTY:
        platform.execute(statement)
    platform.execute(lists.FILL_USERS, [rows])
    platform.execute(lists.FILL_MEMBERS)
    platform.execute("vacuum analyze grnry.users, grnry.user_roles")
    show_lists(server, caller, f"lists of {rows} users", lists.user_lists(rows), seconds)


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks http", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="grnry-http-"))
    granary = Granary(folder / "data").start()
    try:
        show(granary, options)
    finally:
        granary.stop()
        shutil.rmtree(folder)


def ratio_of(pairs: Sequence[tuple[Measured, Measured]]) -> str:
    rates = sorted(one.rate / bare.rate for bare, one in pairs)
    by_cpu = median(bare.cpu_ms / one.cpu_ms for bare, one in pairs)
    return (
        f"{median(rates):.2f} of the rate, {rates[0]:.2f} to {rates[-1]:.2f} (goal: 0.6), "
        f"{by_cpu:.2f} by CPU"
    )


def show(granary: Granary, options: argparse.Namespace) -> None:
    caller = Caller(granary)
    token = caller.token()
    server = Server(int(granary.said["api"].rpartition(":")[2]), granary.pid("api"))
    caller.post(f"/event-types/{NAME}", draft(NAME))
    path = f"/projects/global/event-types/{NAME}"
    connections, seconds = options.connections, options.seconds
    print(
        f"{os.cpu_count()} cores, {connections} connections, {seconds:g} s each, load on the same"
    )

    def run(what: str, request: bytes, at: Server = server) -> Measured:
        found = measure(at, request, connections, seconds)
        print(f"  {what:52} {found}")
        sys.stdout.flush()
        return found

    with granary.platform() as platform, running_bare(granary.platform_url) as baseline:
        pairs = [
            (
                run("bare handler, one SELECT", request_of(f"/one/{NAME}"), baseline),
                run("GET of one event type", request_of(f"{path}/latest", token)),
            )
            for _ in range(PAIRS)
        ]
        print(f"  {'':52} {ratio_of(pairs)}")
        run(
            "GET of a persister's state",
            request_of(f"{path}/eventstores/pg/persister/state", token),
        )
        run("GET of the list", request_of("/projects/global/event-types", token))
        body = json.dumps({"action": "STOP"}).encode()
        run(
            "POST of a small body",
            request_of(f"{path}/eventstores/pg/persister/state", token, body),
        )
        event = json.dumps({"user": "u1", "id": "1"}).encode()
        run("POST of an event", request_of(f"{path}/events", token, event))
        run("without a token: 401", request_of(f"{path}/latest"))
        if options.rows:
            fill_and_show(platform, server, caller, options.rows, min(seconds, 2))
    caller.close()
