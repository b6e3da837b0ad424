"""A worker: the process around an engine; stopped by signals, its state told to who asks."""

import logging
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Protocol

from grnry.deployments.health import Health, HealthServer
from grnry.deployments.reporting import Reporter, Said
from grnry.errors import GranaryError

logger = logging.getLogger(__name__)

HEALTH_VARIABLE = "GRNRY_HEALTH"
LOOK_SECONDS = 1.0


class CannotGoOn(GranaryError):  # noqa: N818 - it names what the worker is
    """Starting it again is no use until somebody has changed something."""


class Report(Protocol):
    """A worker's own word."""

    @property
    def state(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def retrying(self) -> bool: ...


class Work(Protocol):
    """An engine and what it says of itself."""

    @property
    def changed(self) -> threading.Event:
        """Set when the report is another."""
        ...

    def run(self) -> None:
        """Blocks until `stop`."""
        ...

    def stop(self) -> None:
        """From a signal handler: only sets a flag."""
        ...

    def report(self) -> Report: ...

    def is_stuck(self) -> str:
        """Why its process is to be replaced: it waits for what never comes. Empty where not."""
        ...

    def metrics(self) -> str: ...


def run_worker(work: Work, environment: Mapping[str, str]) -> int:
    """Run an engine until it is told to stop; answers the exit code."""
    reporter = Reporter.from_environment(environment)
    # What the engine ends with unless it says otherwise: some errors pass by every `except`.
    failed: list[BaseException] = [RuntimeError("The engine's thread has ended without a word.")]
    done = threading.Event()

    def target() -> None:
        try:
            work.run()
        except BaseException as error:
            logger.exception("The worker ends.")
            failed[:] = [error]
        else:
            failed.clear()
        finally:
            done.set()
            work.changed.set()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        work.stop()

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, on_signal)
    _serve_health(work, environment)
    engine = threading.Thread(target=target, name="engine", daemon=True)
    engine.start()
    if why := _report_until(done, work, reporter):
        logger.error("The worker ends: %s", why)
        reporter.tell(Said("FAILED", why, retrying=True))
        return 1
    engine.join()
    if failed:
        reporter.tell(last_word(failed[0]))
    return 1 if failed else 0


def last_word(error: BaseException) -> Said:
    """What a worker says that ends by an error."""
    return Said("FAILED", str(error), retrying=not isinstance(error, CannotGoOn))


def _report_until(done: threading.Event, work: Work, reporter: Reporter) -> str:
    """Report until it is done; answers why where it is stuck."""
    while not done.is_set():
        if why := work.is_stuck():
            return why
        report = work.report()
        reporter.tell(Said(report.state, report.message, report.retrying))
        work.changed.wait(LOOK_SECONDS)
        work.changed.clear()
    return ""


def _serve_health(work: Work, environment: Mapping[str, str]) -> None:
    address = environment.get(HEALTH_VARIABLE, "")
    if address:
        health = Health(lambda: _why_not_ready(work), work.metrics)
        HealthServer(health_address(address), health).start()


def _why_not_ready(work: Work) -> str:
    report: Callable[[], Report] = work.report
    said = report()
    return "" if said.state == "RUNNING" else said.message or said.state


def health_address(text: str) -> Path | tuple[str, int]:
    """`host:port`, or the path of a Unix socket."""
    if "/" in text:
        return Path(text)
    host, _, port = text.rpartition(":")
    return (host or "127.0.0.1", int(port))
