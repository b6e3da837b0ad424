import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar

import pytest

from grnry.http.threads import Threads
from tests.conftest import wait_for

said: ContextVar[str] = ContextVar("said", default="nothing")


def names_of(threads: Threads, several: int) -> list[str]:
    """The threads in which several works run that are there at once."""
    meet = threading.Barrier(several)

    def work() -> str:
        meet.wait(30)
        return threading.current_thread().name

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(threads.run(work) for _ in range(several)))

    return asyncio.run(all_of_them())


def test_it_answers_from_another_thread() -> None:
    def work(number: int, *, other: int) -> tuple[int, int]:
        return number + other, threading.get_ident()

    answer, thread = asyncio.run(Threads().run(work, 1, other=2))
    assert answer == 3
    assert thread != threading.get_ident()


def test_what_is_raised_is_raised_to_who_waits() -> None:
    def work() -> None:
        raise KeyError("this")

    with pytest.raises(KeyError, match="this"):
        asyncio.run(Threads().run(work))


def test_stop_iteration_ends_no_coroutine() -> None:
    def work() -> None:
        next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(Threads().run(work))


def test_the_context_goes_along_and_stays_there() -> None:
    def work() -> str:
        before = said.get()
        said.set("something else")
        return before

    async def ask() -> tuple[str, str]:
        said.set("something")
        return await Threads().run(work), said.get()

    assert asyncio.run(ask()) == ("something", "something")
    assert said.get() == "nothing"


def test_threads_are_made_for_what_is_there_at_once() -> None:
    assert len(set(names_of(Threads(), 5))) == 5


def test_threads_are_used_again() -> None:
    threads = Threads()

    async def one_after_the_other() -> set[str]:
        return {await threads.run(lambda: threading.current_thread().name) for _ in range(200)}

    assert len(asyncio.run(one_after_the_other())) == 1


def test_more_than_there_are_threads_wait_for_their_turn() -> None:
    threads = Threads(most=2)
    entered, leave = threading.Semaphore(0), threading.Event()

    def work() -> str:
        entered.release()
        assert leave.wait(30)
        return threading.current_thread().name

    async def five() -> list[str]:
        waiting = [asyncio.ensure_future(threads.run(work)) for _ in range(5)]
        await asyncio.to_thread(lambda: [entered.acquire(timeout=30) for _ in range(2)])
        # The others have been put in the queue before these two began.
        assert not entered.acquire(blocking=False)
        leave.set()
        return await asyncio.gather(*waiting)

    assert len(set(asyncio.run(five()))) == 2


def hold(threads: Threads) -> tuple[threading.Event, threading.Event, Callable[[], None]]:
    """Work that has begun once the first event is set, and ends with the second."""
    begun, leave = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert leave.wait(30)

    return begun, leave, work


def test_a_thread_outlives_who_has_waited() -> None:
    threads = Threads(most=1)
    begun, leave, work = hold(threads)

    async def give_up() -> str:
        waiting = asyncio.ensure_future(threads.run(work))
        await asyncio.to_thread(begun.wait, 30)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        leave.set()
        return await threads.run(lambda: "served")

    assert asyncio.run(give_up()) == "served"


def test_a_thread_outlives_the_loop_that_has_asked() -> None:
    threads = Threads(most=1)
    begun, leave, work = hold(threads)

    async def leave_it_behind() -> None:
        waiting = asyncio.ensure_future(threads.run(work))
        await asyncio.to_thread(begun.wait, 30)
        waiting.cancel()

    asyncio.run(leave_it_behind())
    leave.set()
    assert asyncio.run(threads.run(lambda: "served")) == "served"
    wait_for(begun.is_set)
