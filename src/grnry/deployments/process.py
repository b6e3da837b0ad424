"""The reconciler's process: waits for wishes, for workers, and for signals, in one loop.

It has a single thread, as its workers are forks of it.
"""

import logging
import os
import select
import signal
from pathlib import Path

import psycopg

from grnry.deployments.child import Entry
from grnry.deployments.health import Health, HealthServer
from grnry.deployments.processes import Processes
from grnry.deployments.reconciler import Reconciler

logger = logging.getLogger(__name__)

AWAY_SECONDS = 0.2

Address = Path | tuple[str, int]


def run_reconciler(url: str, entry: Entry, logs: Path, health: Address | None) -> int:
    """Reconcile until a signal ends it; then stop the workers, the last batch finished."""
    stopping: list[int] = []
    parent = os.getppid()
    waker, wake = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(wake, False)
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda number, _frame: stopping.append(number))
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    processes = Processes(entry, logs)
    reconciler = Reconciler(url, processes)
    server = _health_server(health, reconciler)
    while not stopping:
        pause = _step(reconciler, processes)
        _wait(min(pause, processes.due_in()), reconciler, processes, server, waker)
    if os.getppid() == parent:
        logger.info("Stopping the workers.")
        processes.stop_all()
    # Else whoever owns this household was killed, and the log and the database with it: the
    # workers end with this process, and what they had in hand is read again.
    reconciler.disconnect()
    return 0


def _health_server(address: Address | None, reconciler: Reconciler) -> HealthServer | None:
    def why_not_ready() -> str:
        return "" if reconciler.is_leader else "it does not reconcile: no database, or another does"

    return HealthServer(address, Health(why_not_ready)) if address else None


def _step(reconciler: Reconciler, processes: Processes) -> float:
    try:
        if reconciler.connect():
            pause = reconciler.step()
            processes.keep_logs_of(reconciler.wanted)
            return pause
    except psycopg.Error as error:
        if reconciler.is_leader:
            logger.warning("The database is away: %s", str(error).strip().splitlines()[0])
        reconciler.disconnect()
        processes.tend()
    else:
        if reconciler.is_led_by_another and processes.names:
            # It starts what is wanted itself, so that what we started would run twice.
            logger.warning("Another reconciler has taken over: stopping the workers of this one.")
            processes.stop_all()
    return AWAY_SECONDS


def _wait(
    pause: float,
    reconciler: Reconciler,
    processes: Processes,
    server: HealthServer | None,
    waker: int,
) -> None:
    database, asked = reconciler.fileno(), server.fileno() if server else None
    poll = select.poll()
    for fileno in (waker, database, asked, *processes.filenos()):
        if fileno is not None:
            poll.register(fileno, select.POLLIN)
    readable = {fileno for fileno, _ in poll.poll(pause * 1000)}
    if waker in readable:
        os.read(waker, 4096)
    if server and asked in readable:
        server.answer_one()
    if database in readable:
        try:
            reconciler.notified()
        except psycopg.Error:
            reconciler.disconnect()
