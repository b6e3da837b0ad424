"""The process around an engine, as whoever deployed it hears of it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import pytest

from grnry.deployments import reporting
from grnry.deployments.reporting import REPORT_FD_VARIABLE, Reporter, Said
from grnry.deployments.worker import CannotGoOn, run_worker


@dataclass
class Word:
    state: str = "RUNNING"
    message: str = ""
    retrying: bool = False


@dataclass
class Work:
    """An engine that does what the test says."""

    error: Exception | None = None
    first: Callable[[], None] = lambda: None
    stuck: str = ""
    said: Word = field(default_factory=Word)
    changed: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        if self.error is not None:
            raise self.error
        self.first()
        self.stopped.wait(60)

    def stop(self) -> None:
        self.stopped.set()

    def report(self) -> Word:
        return self.said

    def is_stuck(self) -> str:
        return self.stuck

    def metrics(self) -> str:
        return ""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    handlers = {sig: signal.getsignal(sig) for sig in (signal.SIGTERM, signal.SIGINT)}
    yield reading, writing
    for sig, handler in handlers.items():
        signal.signal(sig, handler)
    os.close(reading)
    os.close(writing)


def heard(reading: int) -> list[Said]:
    return [msgspec.json.decode(line, type=Said) for line in os.read(reading, 65536).splitlines()]


def test_what_cannot_go_on_says_so(pipe: tuple[int, int]) -> None:
    work = Work(CannotGoOn("offset 7 cannot be stored"))
    assert run_worker(work, {REPORT_FD_VARIABLE: str(pipe[1])}) == 1
    assert heard(pipe[0])[-1] == Said("FAILED", "offset 7 cannot be stored", retrying=False)


def test_any_other_error_is_tried_again(pipe: tuple[int, int]) -> None:
    work = Work(RuntimeError("odd"))
    assert run_worker(work, {REPORT_FD_VARIABLE: str(pipe[1])}) == 1
    assert heard(pipe[0])[-1] == Said("FAILED", "odd", retrying=True)


def test_who_is_stuck_ends_though_its_engine_does_not(pipe: tuple[int, int]) -> None:
    work = Work(stuck="no answer")
    assert run_worker(work, {REPORT_FD_VARIABLE: str(pipe[1])}) == 1
    assert heard(pipe[0])[-1] == Said("FAILED", "no answer", retrying=True)
    assert not work.stopped.is_set()
    work.stop()


def test_who_is_told_to_stop_ends_well(pipe: tuple[int, int]) -> None:
    # Sent by the engine, as the handlers are there before it runs.
    work = Work(first=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert run_worker(work, {REPORT_FD_VARIABLE: str(pipe[1])}) == 0
    assert work.stopped.is_set()


def test_the_same_is_said_again_now_and_then(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Reporter(pipe[1])
    for _ in range(3):
        reporter.tell(Said("RUNNING"))
    assert heard(pipe[0]) == [Said("RUNNING")]
    now = time.monotonic() + reporting.BEAT_SECONDS
    monkeypatch.setattr("grnry.deployments.reporting.time.monotonic", lambda: now)
    for _ in range(3):
        reporter.tell(Said("RUNNING"))
    assert heard(pipe[0]) == [Said("RUNNING")]
