import pytest

from grnry.deployments.model import (
    FIRST_BACK_OFF,
    LONGEST_BACK_OFF,
    STEADY_SECONDS,
    Action,
    BackOff,
    Deployment,
    Noted,
    Observation,
    Resources,
    Seen,
    State,
    all_together,
    next_action,
    to_note,
)


def wanted(*, yes: bool = True) -> Deployment:
    return Deployment("a", ("x",), {}, yes, generation=3, run=5)


SAVED = {"pid": 1}
RUNNING = Seen(State.RUNNING)
ALIVE = Observation(RUNNING, generation=2, run=5, saved=SAVED)
EARLIER = Observation(RUNNING, generation=2, run=4)
STOPPING = Observation(RUNNING, generation=2, run=5, is_stopping=True)
DEAD = Observation(Seen(State.FAILED, "signal 9 ended it", retrying=True), generation=2, run=5)


@pytest.mark.parametrize(
    ("deployment", "observed", "action"),
    [
        (None, None, Action.NOTHING),
        (wanted(yes=False), None, Action.NOTHING),
        (wanted(), None, Action.START),
        (wanted(), ALIVE, Action.NOTHING),
        (wanted(), DEAD, Action.NOTHING),
        (wanted(), EARLIER, Action.STOP),
        (wanted(yes=False), ALIVE, Action.STOP),
        (wanted(yes=False), DEAD, Action.STOP),
        (None, ALIVE, Action.STOP),
        (wanted(), STOPPING, Action.NOTHING),
        (wanted(yes=False), STOPPING, Action.NOTHING),
        (None, STOPPING, Action.NOTHING),
    ],
)
def test_next_action(
    deployment: Deployment | None, observed: Observation | None, action: Action
) -> None:
    assert next_action(deployment, observed) is action


@pytest.mark.parametrize(
    ("deployment", "observed", "noted"),
    [
        (wanted(yes=False), None, Noted(Seen(State.STOPPED))),
        (wanted(), None, Noted(Seen(State.DEPLOYING))),
        (wanted(), ALIVE, Noted(RUNNING, 2, 5, SAVED)),
        (wanted(), DEAD, Noted(DEAD.seen, 2, 5)),
        (wanted(yes=False), ALIVE, Noted(Seen(State.STOPPING), 2, 5, SAVED)),
        (wanted(yes=False), STOPPING, Noted(Seen(State.STOPPING), 2, 5)),
        # What is wanted again is not ready yet, whatever has to end before.
        (wanted(), STOPPING, Noted(Seen(State.DEPLOYING), 2, 5)),
        (wanted(), EARLIER, Noted(Seen(State.DEPLOYING), 2, 4)),
    ],
)
def test_what_is_noted(deployment: Deployment, observed: Observation | None, noted: Noted) -> None:
    assert to_note(deployment, observed) == noted


def test_pauses_double_up_to_a_limit_and_begin_anew_after_a_steady_run() -> None:
    back_off = BackOff()
    pauses = []
    for _ in range(9):
        back_off.died(100.0, 1.0)
        pauses.append(back_off.pause)
        assert back_off.until == 100.0 + back_off.pause
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (pauses[0], pauses[-1]) == (FIRST_BACK_OFF, LONGEST_BACK_OFF)
    back_off.died(100.0, STEADY_SECONDS + 1)
    assert back_off.pause == FIRST_BACK_OFF


DEPLOYING = Seen(State.DEPLOYING)
FAILED = Seen(State.FAILED, "no", retrying=True)
GIVEN_UP = Seen(State.FAILED, "never", retrying=False)


@pytest.mark.parametrize(
    ("replicas", "seen"),
    [
        ([], Seen(State.STOPPED)),
        ([RUNNING], RUNNING),
        ([FAILED], FAILED),
        ([RUNNING, RUNNING], RUNNING),
        ([RUNNING, DEPLOYING], DEPLOYING),
        ([RUNNING, FAILED, DEPLOYING], Seen(State.FAILED, "replica 1: no", retrying=True)),
        ([FAILED, RUNNING, GIVEN_UP], Seen(State.FAILED, "replica 2: never", retrying=False)),
    ],
)
def test_replicas_are_as_good_as_the_worst_of_them(replicas: list[Seen], seen: Seen) -> None:
    assert all_together(replicas) == seen


@pytest.mark.parametrize(
    ("millis", "nice"), [(500, 0), (1000, 0), (250, 3), (50, 10), (1, 19), (0, 19)]
)
def test_a_share_of_a_core_is_a_weight(millis: int, nice: int) -> None:
    assert Resources(cpu_millis=millis).nice == nice
