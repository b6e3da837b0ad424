"""Events a second into the log over HTTP, beside a bare route and a bare client of the log.

    python -m benchmarks collector [--seconds 5]

The load generator, the API, the broker and the baselines share the machine, so the figures count
against each other. The bare route is Starlette on the same server: no token, no parsing, no
headers; it hands the body to the same client of the log and answers when it is acknowledged. The
bare client writes the same records, ready made, as fast as the log acknowledges them.
"""

import argparse
import json
import multiprocessing
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.http import Measured, Server, measure, request_of
from grnry.log.producer import Producer
from grnry.log.records import Outgoing
from tests.conftest import free_port, wait_for
from tests.event_types.calling import Caller, draft
from tests.running import Granary

NAME = "collected"
TOPIC = f"grnry_data_in_{NAME}"
GOALS = {1: 3_000, 1000: 25_000}


def event(number: int) -> bytes:
    """About 300 bytes."""
    return json.dumps({"user": f"u{number}", "id": str(number), "text": "x" * 250}).encode()


def bare(kafka: str, port: int) -> None:
    """What the server and the log's client can do by themselves."""
    import asyncio

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from grnry.log.producer import Outcome

    producer = Producer(kafka, "bare-route")

    async def take(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        decided: asyncio.Future[Outcome] = loop.create_future()
        record = Outgoing(b"u1", await request.body())

        def done(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(decided.set_result, outcome)

        producer.send(TOPIC, [record], done)
        return Response(status_code=202 if await decided == [None] else 503)

    app = Starlette(routes=[Route("/", take, methods=["POST"])])
    uvicorn.run(app, port=port, log_level="error", access_log=False, loop="uvloop")


@contextmanager
def running_bare(kafka: str) -> Iterator[Server]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=bare, args=(kafka, port))
    process.start()

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(listens)
    assert process.pid
    yield Server(port, process.pid)
    process.kill()
    process.join()


def client_rate(kafka: str, seconds: float) -> float:
    """Events a second of a client that writes what is ready made, a thousand at once."""
    producer = Producer(kafka, "bare-client")
    names = ("correlation-id", "event-id", "event-type", "event-type-version", "harvester-name")
    headers = [(f"grnry-{name}", b"u1") for name in names]
    records = [Outgoing(b"u%d" % number, event(number), headers) for number in range(1000)]
    written, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        assert not any(producer.send_and_wait(TOPIC, records))
        written += len(records)
    took = time.monotonic() - began
    producer.close()
    return written / took


def show(what: str, found: Measured, events: int) -> float:
    rate = found.rate * events
    cpu = found.cpu_ms * 1000 / events
    said = f"p50 {found.p50_ms:6.1f} ms   CPU {cpu:6.1f} µs an event"
    print(f"  {what:44} {rate:9,.0f} events/s   {said}")
    wrong = {status: n for status, n in found.statuses.items() if status != 202}
    if wrong:
        print(f"  {'':44} ANSWERED {wrong}")
    sys.stdout.flush()
    return rate


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks collector", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="grnry-collector-"))
    granary = Granary(folder / "data").start()
    try:
        run(granary, options.seconds)
    finally:
        granary.stop()
        shutil.rmtree(folder)


def run(granary: Granary, seconds: float) -> None:
    caller = Caller(granary)
    caller.post(f"/event-types/{NAME}", draft(NAME, partitionCount=8))
    token = caller.token()
    server = Server(int(granary.said["api"].rpartition(":")[2]), granary.pid("api"))
    path = f"/projects/global/event-types/{NAME}/events"
    thousand = [event(number) for number in range(1000)]
    lines = request_of(path, token, b"\n".join(thousand))
    lines = lines.replace(b"application/json", b"application/x-ndjson")
    with running_bare(granary.said["kafka"]) as route:
        base = show(
            "bare route, one event", measure(route, request_of("/", "", event(1)), 32, seconds), 1
        )
        bodies = ((1, event(1), 32), (1000, b"[%b]" % b",".join(thousand), 4))
        for count, body, connections in bodies:
            found = measure(server, request_of(path, token, body), connections, seconds)
            rate = show(f"{count} a request, {connections} connections", found, count)
            verdict = "reached" if rate >= GOALS[count] else "MISSED"
            print(f"  {'':44} goal {GOALS[count]:,}: {verdict}")
            if count == 1:
                print(f"  {'':44} {rate / base:.2f} of the bare route")
        show("1000 lines a request, 4 connections", measure(server, lines, 4, seconds), 1000)
    bare_client = client_rate(granary.said["kafka"], seconds)
    print(f"  {'bare client of the log, 1000 at once':44} {bare_client:9,.0f} events/s")
    caller.close()
