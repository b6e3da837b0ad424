"""`python -m tests.faults`: a Granary under load, whose parts are killed, frozen and cut off."""

import argparse
import random
import signal
import sys
from pathlib import Path

from tests.faults import topic_again
from tests.faults.engines import ENGINES
from tests.faults.history import History
from tests.faults.logs import NAMES
from tests.faults.run import FAULTS, TOPIC_AGAIN, Plan, run


def main() -> int:
    """0 where nothing is lost or double, 1 where something is, 2 where it comes to no end."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, default="pg")
    parser.add_argument("--log", choices=NAMES, default="embedded")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=int, default=1000, help="records a second")
    parser.add_argument("--pause", type=float, default=3.0, help="most seconds between two faults")
    parser.add_argument("--keep", type=Path, help="a new folder for what the processes leave")
    parser.add_argument("--only", action="append", default=[], help="part of a fault's name")
    parser.add_argument("--scenario", choices=[FAULTS, TOPIC_AGAIN], default=FAULTS)
    given = parser.parse_args()
    plan = Plan(
        given.engine,
        given.log,
        given.seed,
        given.seconds,
        given.rate,
        given.pause,
        given.keep,
        tuple(given.only),
        given.scenario,
    )
    history = History()
    # Ended from outside, it takes its processes and its disk along.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        verdict = (topic_again.run if plan.scenario == TOPIC_AGAIN else run)(plan, history)
    except AssertionError as error:
        history.say(f"seed {plan.seed} comes to no end: {error}")
        return 2
    for line in verdict.details():
        history.say(line)
    return 0 if verdict.is_good else 1


sys.exit(main())
