"""Threads that go passages: some at once, kept for the next, gone at the end."""

import threading
import weakref

import pytest

from grnry.sinks.lanes import Lanes
from tests.conftest import wait_for

MOST = 2


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "passage"]


def test_jobs_run_beside_each_other_by_threads_that_are_kept() -> None:
    before, lanes = threads(), Lanes(MOST)
    by: list[str] = []
    for _ in range(3):
        together = threading.Barrier(MOST + 1)

        def job(together: threading.Barrier = together) -> None:
            by.append(str(threading.get_ident()))
            together.wait(10)

        for _ in range(MOST):
            lanes.go(job)
        together.wait(10)  # neither would come here if they were done one after the other
    assert len(by) == 3 * MOST
    assert len(set(by)) == MOST
    lanes.end()
    wait_for(lambda: threads() == before, 10, "the threads have ended")


def test_what_is_begun_is_done_though_they_end() -> None:
    before, lanes = threads(), Lanes(MOST)
    begun, may_end, is_done = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        may_end.wait(10)
        is_done.set()

    lanes.go(job)
    assert begun.wait(10)
    lanes.end()
    again = threading.Event()
    lanes.go(again.set)  # by a thread of its own, as the other one is busy
    assert again.wait(10)
    may_end.set()
    assert is_done.wait(10)
    lanes.end()
    wait_for(lambda: threads() == before, 10, "the threads have ended")


def test_a_thread_that_waits_holds_nothing_of_its_last_job() -> None:
    class Held:
        pass

    lanes, held, is_done = Lanes(1), Held(), threading.Event()
    gone = weakref.ref(held)

    def job(held: Held = held) -> None:
        is_done.set()

    lanes.go(job)
    del held, job
    assert is_done.wait(10)
    wait_for(lambda: gone() is None, 10, "what the job held is freed")
    lanes.end()


def test_a_job_that_fails_does_not_cost_the_next_its_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lanes, is_done = Lanes(1), threading.Event()

    def fail() -> None:
        raise ValueError("of the first job")

    lanes.go(fail)
    lanes.go(is_done.set)
    assert is_done.wait(10)
    assert "of the first job" in caplog.text
    lanes.end()
