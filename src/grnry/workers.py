"""The workers by the first word of their command: `grnry run <word> …`."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from grnry.dead_letters.chore import Keeping
from grnry.deployments.reporting import DEPLOYMENT_VARIABLE, Reporter
from grnry.deployments.worker import last_word, run_worker
from grnry.errors import GranaryError
from grnry.events.expiry.chore import Expiry
from grnry.logs import set_up_logging
from grnry.persisters.engine import run_persister
from grnry.settings import Settings
from grnry.sinks.upkeep import Upkeep, expect_login


def run_upkeep(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """`grnry run upkeep`: one for the whole platform."""
    settings = Settings.from_environment(environment)
    expect_login(settings, words)
    return run_worker(Upkeep(settings, [Keeping, Expiry]), environment)


ENTRIES: dict[str, Callable[[Sequence[str], Mapping[str, str]], int]] = {
    "persister": run_persister,
    "upkeep": run_upkeep,
}


def run(command: Sequence[str], own: Mapping[str, str]) -> int:
    """Run a worker with the process's environment and its own; answers the exit code."""
    kind, *words = command
    entry = ENTRIES.get(kind)
    if entry is None:
        print(f"There is no worker '{kind}'; there are: {', '.join(ENTRIES)}.", file=sys.stderr)  # noqa: T201
        return 2
    environment = {**os.environ, **own}
    try:
        settings = Settings.from_environment(environment)
        name = environment.get(DEPLOYMENT_VARIABLE, "-".join(command))
        set_up_logging(name, level=settings.log_level, as_json=settings.log_json)
        return entry(words, environment)
    except GranaryError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        Reporter.from_environment(environment).tell(last_word(error))
        return 1
