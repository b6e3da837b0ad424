import pytest

from grnry.deployments.model import (
    FIRST_BACK_OFF,
    LONGEST_BACK_OFF,
    STEADY_SECONDS,
    Action,
    BackOff,
    Deployment,
    Observation,
    Seen,
    State,
    next_action,
    what_is_seen,
)


def wanted(*, yes: bool = True) -> Deployment:
    return Deployment("a", ("x",), {}, yes, 3)


ALIVE = Observation(is_alive=True, state=State.RUNNING, generation=2)
STOPPING = Observation(is_alive=True, state=State.RUNNING, is_stopping=True, generation=2)
DEAD = Observation(is_alive=False, message="signal 9 ended it")


@pytest.mark.parametrize(
    ("deployment", "observed", "action"),
    [
        (None, None, Action.NOTHING),
        (wanted(yes=False), None, Action.NOTHING),
        (wanted(), None, Action.START),
        (wanted(), ALIVE, Action.NOTHING),
        (wanted(yes=False), ALIVE, Action.STOP),
        (None, ALIVE, Action.STOP),
        (wanted(), STOPPING, Action.NOTHING),
        (wanted(yes=False), STOPPING, Action.NOTHING),
        (wanted(), DEAD, Action.FORGET),
        (None, DEAD, Action.FORGET),
    ],
)
def test_next_action(
    deployment: Deployment | None, observed: Observation | None, action: Action
) -> None:
    assert next_action(deployment, observed, 10, 0) is action


def test_a_back_off_delays_the_start() -> None:
    assert next_action(wanted(), None, 9.9, 10) is Action.NOTHING
    assert next_action(wanted(), None, 10, 10) is Action.START


@pytest.mark.parametrize(
    ("deployment", "observed", "death", "seen"),
    [
        (wanted(yes=False), None, "", Seen(State.STOPPED)),
        (wanted(yes=False), DEAD, "it died", Seen(State.STOPPED)),
        (wanted(), None, "", Seen(State.DEPLOYING)),
        (wanted(), None, "it died", Seen(State.FAILED, "it died", retrying=True)),
        (wanted(), ALIVE, "", Seen(State.RUNNING, generation=2)),
        (wanted(), ALIVE, "it died", Seen(State.RUNNING, generation=2)),
        (wanted(yes=False), ALIVE, "", Seen(State.STOPPING, generation=2)),
        (wanted(), STOPPING, "", Seen(State.STOPPING, generation=2)),
    ],
)
def test_what_is_seen(
    deployment: Deployment, observed: Observation | None, death: str, seen: Seen
) -> None:
    assert what_is_seen(deployment, observed, death) == seen


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
