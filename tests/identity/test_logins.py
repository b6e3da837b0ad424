"""A flood of logins takes neither the memory nor the threads of everybody else."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from grnry.errors import TooManyRequests
from grnry.identity import logins
from grnry.identity.logins import LoginQueue
from grnry.identity.passwords import WAIT_SECONDS
from tests.event_types.calling import TOKEN, Caller
from tests.running import Granary, seconds

FLOOD = 200


def most_memory(pid: int) -> int:
    """The most that a process ever had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def test_two_hundred_logins_at_once_leave_memory_and_threads_to_others(
    granary: Granary, caller: Caller
) -> None:
    form = {"grant_type": "password", "client_id": "grnry"}
    form |= {"username": granary.said["user"], "password": granary.password}
    gate = threading.Barrier(FLOOD + 1, timeout=60)

    def log_in() -> httpx2.Response:
        with httpx2.Client(base_url=granary.said["api"], timeout=60, trust_env=False) as client:
            gate.wait()
            return client.post(TOKEN, data=form)

    caller.get("/event-types")
    pid = granary.pid("api")
    before = most_memory(pid)
    waited = []
    with ThreadPoolExecutor(FLOOD) as threads:
        flood = [threads.submit(log_in) for _ in range(FLOOD)]
        gate.wait()
        while not all(each.done() for each in flood):
            waited.append(seconds(lambda: caller.get("/event-types")))
    answers = [each.result() for each in flood]
    statuses = {answer.status_code for answer in answers}
    assert statuses in ({200}, {200, 429})
    assert all("retry-after" in answer.headers for answer in answers if answer.is_error)
    # Two comparisons at 19 MiB; with one in each of the 40 threads it would be 760.
    assert most_memory(pid) - before < 120
    assert len(waited) > 1, "others were answered while the flood lasted"
    assert max(waited) < WAIT_SECONDS


def test_who_waits_too_long_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "WAIT_SECONDS", 0.01)

    async def run() -> None:
        queue = LoginQueue(at_once=1)
        async with queue.turn():
            with pytest.raises(TooManyRequests):
                async with queue.turn():
                    raise AssertionError
        async with queue.turn():
            pass

    asyncio.run(run())


def test_the_line_is_bounded() -> None:
    async def run() -> None:
        queue = LoginQueue(at_once=1, most_waiting=1)
        goes_on = asyncio.Event()

        async def log_in() -> None:
            async with queue.turn():
                await goes_on.wait()

        first, second = asyncio.create_task(log_in()), asyncio.create_task(log_in())
        while queue._waiting < 1:
            await asyncio.sleep(0)
        with pytest.raises(TooManyRequests):
            async with queue.turn():
                raise AssertionError
        goes_on.set()
        await asyncio.gather(first, second)

    asyncio.run(run())
