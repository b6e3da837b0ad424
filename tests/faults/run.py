"""One run: a Granary under load and faults for some time, mended, waited for, and judged."""

import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg

from tests.conftest import wait_for
from tests.faults.disk import NoDiskError
from tests.faults.engines import ENGINES
from tests.faults.faults import PAST_SESSION, Fault, faults_for
from tests.faults.history import History
from tests.faults.house import House
from tests.faults.judging import Verdict, judge
from tests.faults.live_faults import LIVE_FAULTS, NONE_LEFT_OUT
from tests.faults.load import Load, ends, read_back
from tests.faults.stage import NotNowError, Stage

MEND_SECONDS, SAY_SECONDS = 240.0, 10.0
FAULTS, TOPIC_AGAIN = "faults", "topic-again"
OWN_FAULTS = {"live-segment": LIVE_FAULTS}
"""What is done to one engine only."""

_DID_NOT_TAKE = (
    NotNowError,
    NoDiskError,
    OSError,
    psycopg.Error,
    httpx2.HTTPError,
    AssertionError,
)
"""What may come of doing something to what is away already."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for."""

    engine: str = "pg"
    log: str = "embedded"
    seed: int = 1
    seconds: float = 60.0
    per_second: int = 1000
    pause: float = 3.0
    """Between two faults, at most."""
    keep: Path | None = None
    """A folder for all that the processes leave, where it is wanted."""
    only: tuple[str, ...] = ()
    """Names of faults, or parts of them; all where there are none."""
    scenario: str = FAULTS

    def __str__(self) -> str:
        return (
            f"--engine {self.engine} --log {self.log} --seed {self.seed}"
            f" --seconds {self.seconds:.0f} --rate {self.per_second} --scenario {self.scenario}"
        )


def run(plan: Plan, history: History) -> Verdict:
    """Raises AssertionError where it does not come to a verdict."""
    with settled(plan, history) as stage:
        verdict = verdict_of(stage)
        if not verdict.is_good:
            tell_where_it_stands(stage)
    history.say(f"faults: {history.counted()}")
    history.say(str(verdict))
    return verdict


@contextmanager
def settled(plan: Plan, history: History) -> Iterator[Stage]:
    """After the faults: all that was sent is decided, and the Granary runs."""
    with housed(plan, history) as house:
        yield _run(plan, house)


@contextmanager
def housed(plan: Plan, history: History) -> Iterator[House]:
    """A Granary that nothing was done to yet."""
    history.say(f"python -m tests.faults {plan}")
    folder = plan.keep or Path(tempfile.mkdtemp(prefix="grnry-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    house = House(folder, plan.log, history)
    try:
        house.start()
        yield house
    finally:
        house.stop()
        if plan.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(plan: Plan, house: House) -> Stage:
    history, chance = house.history, random.Random(plan.seed)
    case = ENGINES[plan.engine](plan.seed)
    case.prepare(house)
    wait_for(lambda: case.is_running(house), 60, "the persister runs")
    load = Load(house.bootstrap, case.topic, case.sent)
    stage = Stage(house, case, load, chance)
    stage.longest = max(3.0, min(60.0, plan.seconds / 10))
    load.start(plan.per_second)
    try:
        _do_faults(plan, stage)
    except BaseException:
        mend(stage)
        load.give_up()
        raise
    mend(stage)
    load.stop()
    history.say(f"mended; {load.next} records sent, {len(load.refused)} of them refused")
    wait_until_settled(stage)
    return stage


def _do_faults(plan: Plan, stage: Stage) -> None:
    until = time.monotonic() + plan.seconds
    all_known = [*faults_for(stage), *OWN_FAULTS.get(plan.engine, ())]
    known = [f for f in all_known if not plan.only or any(o in f.name for o in plan.only)]
    deck = stage.chance.sample(known, len(known))
    # First, as these last longest; a short run has time for them then.
    deck.sort(key=lambda fault: (fault.name == PAST_SESSION, fault.name == NONE_LEFT_OUT))
    put_back: set[str] = set()
    while time.monotonic() < until:
        if not deck:
            deck, put_back = stage.chance.sample(known, len(known)), set()
        stage.pause(stage.chance.uniform(0.2, plan.pause))
        fault = deck.pop()
        if not (fault.holds and stage.is_held(fault.holds)):
            _do(stage, fault)
            continue
        stage.history.say(f"{fault.name}: not now, as another is at its {fault.holds}")
        if fault.name not in put_back:  # its turn comes once more, after all others
            put_back.add(fault.name)
            deck.insert(0, fault)


def _do(stage: Stage, fault: Fault) -> None:
    history = stage.history
    if fault.alone:
        stage.end_all()
    try:
        said = fault.do(stage)
    except _DID_NOT_TAKE as reason:
        short = str(reason).strip().splitlines()[:1]
        history.say(f"{fault.name}: did not take: {type(reason).__name__} {short}")
    else:
        history.count(fault.name)
        history.say(f"{fault.name}: {said}")


def mend(stage: Stage) -> None:
    """Nothing is wrong any more, but for what the product has to mend itself."""
    stage.close()
    for link in stage.house.links:
        link.heal()
    stage.case.mend(stage.house)


def wait_until_settled(stage: Stage) -> None:
    """Until all that the log has is decided in the database, and the state says that it runs."""
    began, wanted = time.monotonic(), ends(stage.house.bootstrap, stage.case.topic)
    try:
        wait_for(_Progress(stage, wanted).is_done, MEND_SECONDS, f"{wanted} is reached")
        wait_for(lambda: _is_running(stage), 60, "the state is RUNNING once all is stored")
    except AssertionError:
        tell_where_it_stands(stage)
        raise
    stage.history.say(f"settled after {time.monotonic() - began:.1f} s")


def tell_where_it_stands(stage: Stage) -> None:
    """What somebody wants to know who looks for what is missing."""
    say, log = stage.history.say, stage.house.data / "logs" / "deployments"
    with contextlib.suppress(psycopg.Error):
        say(f"the leases are at {stage.house.leases(stage.case.deployment)}")
    with contextlib.suppress(httpx2.HTTPError, AssertionError):
        say(f"running: {stage.case.is_running(stage.house)}, {stage.house.granary.states()}")
    for line in (log / f"{stage.case.deployment}.log").read_text().splitlines()[-20:]:
        say(f"  {line}")


class _Progress:
    """Asks how far the leases are; says so now and then."""

    def __init__(self, stage: Stage, wanted: dict[int, int]) -> None:
        self._stage, self._wanted, self._say_at = stage, wanted, time.monotonic() + SAY_SECONDS

    def is_done(self) -> bool:
        self._stage.pause(0.2)
        with contextlib.suppress(psycopg.Error):
            found = self._stage.house.leases(self._stage.case.deployment)
            if time.monotonic() > self._say_at:
                self._say_at += SAY_SECONDS
                said = f"{sum(found.values())} of {sum(self._wanted.values())}"
                self._stage.history.say(f"  the leases are at {said}")
            return found == self._wanted
        return False


def _is_running(stage: Stage) -> bool:
    stage.pause(0.2)
    with contextlib.suppress(httpx2.HTTPError, AssertionError):
        return stage.case.is_running(stage.house)
    return False


def verdict_of(stage: Stage) -> Verdict:
    case, house, load = stage.case, stage.house, stage.load
    written = read_back(house.bootstrap, case.topic)
    rows, letters = case.rows(house), case.letters(house)
    return judge(load.acknowledged, written, case.expected(written, letters), rows, letters)
