"""Failed logins wait longer and longer."""

import pytest

from grnry.errors import TooManyRequests
from grnry.identity import slowdown
from grnry.identity.slowdown import OF_ADDRESS, OF_USER, Slowdown


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(own: Slowdown, times: int, username: str = "ada", address: str = "a") -> None:
    for _ in range(times):
        own.failed(username, address)


def test_a_few_failures_are_free(clock: Clock) -> None:
    own = Slowdown(clock)
    fail(own, OF_USER.free - 1)
    own.check("ada", "a")


def test_then_the_wait_doubles_up_to_a_minute(clock: Clock) -> None:
    own = Slowdown(clock)
    fail(own, OF_USER.free)
    waits = []
    for _ in range(8):
        with pytest.raises(TooManyRequests) as caught:
            own.check("ADA", "a")
        waits.append(caught.value.retry_after)
        clock.now += caught.value.retry_after
        own.check("ada", "a")
        own.failed("ada", "a")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_others_are_not_slowed_down(clock: Clock) -> None:
    own = Slowdown(clock)
    fail(own, OF_USER.free)
    own.check("ada", "b")
    own.check("bob", "a")


def test_an_address_that_tries_many_names_waits_too(clock: Clock) -> None:
    own = Slowdown(clock)
    for number in range(OF_ADDRESS.free):
        own.failed(f"user-{number}", "a")
    with pytest.raises(TooManyRequests):
        own.check("ada", "a")
    own.check("ada", "b")


def test_a_success_and_time_make_it_forget(clock: Clock) -> None:
    own = Slowdown(clock)
    fail(own, OF_USER.free)
    own.succeeded("ada", "a")
    own.check("ada", "a")
    fail(own, OF_USER.free + 3)
    clock.now += slowdown.FORGET_SECONDS
    own.failed("ada", "a")
    own.check("ada", "a")


def test_what_it_remembers_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowdown, "REMEMBERED", 10)
    own = Slowdown(clock)
    for number in range(100):
        own.failed("ada", f"address-{number}")
    assert len(own._failures) == 10
