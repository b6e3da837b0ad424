"""Tiny workers: what a fork of the tests' process runs."""

import os
import signal
import time
from collections.abc import Mapping, Sequence

from grnry.deployments.model import Deployment
from grnry.deployments.reporting import Reporter, Said


def entry(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """What the command's first word says."""
    reporter = Reporter.from_environment(environment)
    match words[0]:
        case "run":
            reporter.tell(Said("RUNNING", environment.get("MESSAGE", "")))
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            reporter.tell(Said("RUNNING"))
        case "exit":
            return int(words[1])
        case "fail":
            reporter.tell(Said("FAILED", "no such table", retrying=True))
            return 1
        case "crash":
            raise RuntimeError("a worker's own error")
        case "print":
            os.write(1, words[1].encode())
            os.write(2, words[1].encode())
            return 0
    while True:
        time.sleep(60)


def deployment(*words: str, name: str = "a", wanted: bool = True, **environment: str) -> Deployment:
    return Deployment(name, words, environment, wanted, generation=7)
