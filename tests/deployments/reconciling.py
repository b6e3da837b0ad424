"""A reconciler's process with tiny workers, and workers that see whether they run twice."""

import fcntl
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from grnry.deployments.process import run_reconciler
from grnry.deployments.reporting import (
    DEPLOYMENT_VARIABLE,
    Reporter,
    Said,
    replica_of,
)


def entry(folder: Path, words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Note that it runs; note as well where another of its name and number does."""
    name = f"{environment[DEPLOYMENT_VARIABLE]}-{replica_of(environment)}"
    with (folder / f"{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            (folder / f"{name}.twice").write_text(str(os.getpid()))
            return 1
        with (folder / "pids").open("a") as pids:
            pids.write(f"{name} {os.getpid()}\n")
        Reporter.from_environment(environment).tell(Said("RUNNING"))
        while True:
            time.sleep(60)


if __name__ == "__main__":
    place = Path(sys.argv[2])
    sys.exit(run_reconciler(sys.argv[1], partial(entry, place), place / "logs", None))
