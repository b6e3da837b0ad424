"""Tiny workers: what a fork of the tests' process runs."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from grnry.deployments.model import Deployment, Resources
from grnry.deployments.reporting import Reporter, Said, replica_of

MB = 2**20


def entry(words: Sequence[str], environment: Mapping[str, str]) -> int:  # noqa: PLR0912
    """What the command's first word says."""
    reporter = Reporter.from_environment(environment)
    match words[0]:
        case "run":
            reporter.tell(Said("RUNNING", environment.get("MESSAGE", "")))
        case "deploy":
            reporter.tell(Said("DEPLOYING", "the topic is not there"))
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            reporter.tell(Said("RUNNING"))
        case "exit":
            return int(words[1])
        case "fail":
            reporter.tell(Said("FAILED", "no such table", retrying=True))
            return 1
        case "give-up":
            reporter.tell(Said("FAILED", "offset 7 cannot be stored", retrying=False))
            return 1
        case "crash":
            raise RuntimeError("a worker's own error")
        case "print":
            os.write(1, words[1].encode())
            os.write(2, words[1].encode())
            return 0
        case "grow":
            reporter.tell(Said("RUNNING"))
            held: list[bytes | bytearray] = []
            while True:
                held.append(b"x" * (4 * MB))
                time.sleep(0.002)
        case "grow-at-once":
            held = [bytearray(int(words[1]) * MB)]
        case "start-another":
            other = subprocess.Popen(["sleep", "600"])
            reporter.tell(Said("RUNNING", str(other.pid)))
        case "replica":
            reporter.tell(Said("RUNNING", replica_of(environment)))
        case "first-only":
            if replica_of(environment) != "0":
                return 3
            reporter.tell(Said("RUNNING"))
    while True:
        time.sleep(60)


def deployment(
    *words: str,
    name: str = "a",
    replicas: int = 1,
    resources: Resources | None = None,
    **environment: str,
) -> Deployment:
    return Deployment(
        name,
        words,
        environment,
        is_wanted=True,
        generation=7,
        run=3,
        replicas=replicas,
        resources=resources or Resources(),
    )
