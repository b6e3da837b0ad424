"""The processes: which run, how often they were started again, and what the API says itself."""

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from grnry.household.doctor.finding import Finding, Part
from grnry.household.folder import DataFolder, Process, Running

API_SECONDS = 8.0
FRESH_SECONDS = 60.0

part = Part("processes")


def look(folder: DataFolder, running: Running | None) -> Iterator[Finding]:
    if running is None:
        yield part.ok("supervisor", "nothing runs on the data folder; `grnry up` starts it")
        for left in folder.leftovers():
            todo = "The next `grnry up` ends it; or end it yourself."
            said = f"process {left.pid} is left of a supervisor that was killed"
            yield part.warning(left.name, said, todo)
        return
    said = f"process {running.pid}, {running.state}"
    if running.state == "ready":
        yield part.ok("supervisor", said)
    else:
        yield part.warning(
            "supervisor", said, "Wait, and look at `grnry logs` where it takes long."
        )
    for process in running.processes:
        yield _process(process)
    yield _api(running.api)


def _process(process: Process) -> Finding:
    said = f"process {process.pid or '-'}, {process.state}"
    if process.restarts:
        times = "once" if process.restarts == 1 else f"{process.restarts} times"
        said += f", started again {times}"
    look_there = f"Look at `grnry logs {process.name}`."
    if not process.ready:
        return part.problem(process.name, said, look_there)
    if process.restarts and time.time() - process.since < FRESH_SECONDS:
        return part.warning(process.name, f"{said}, the last time just now", look_there)
    return part.ok(process.name, said)


def _api(address: str) -> Finding:
    """What /health/ready says of every part."""
    what, url = "api's word", urlsplit(address)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=API_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        body = json.loads(answer.read())
        parts: dict[str, str] = body.get("parts", {})
    except (OSError, HTTPException, ValueError, AttributeError) as error:
        return part.problem(
            what, f"{address} does not answer: {error}", "Look at `grnry logs api`."
        )
    finally:
        connection.close()
    if answer.status == 200:
        return part.ok(what, ", ".join(f"{name} {said}" for name, said in parts.items()) or "ready")
    bad = "; ".join(f"{name}: {said}" for name, said in parts.items() if said != "ready")
    return part.problem(what, bad or f"it answers {answer.status}", "Look at `grnry logs api`.")
