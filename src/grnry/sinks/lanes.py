"""Threads that go passages: to start one for each batch would make the writer wait for it."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

logger = logging.getLogger(__name__)


class Lanes:
    """Each is made when it is first needed, and left to its job at the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._number = 0

    def go(self, job: Callable[[], None]) -> None:
        """Have it done beside the caller, who never has more than so many done at once."""
        self._jobs.put(job)
        if self._number < self._most:
            self._number += 1
            threading.Thread(target=_run, args=(self._jobs,), name="passage", daemon=True).start()

    def end(self) -> None:
        for _ in range(self._number):
            self._jobs.put(None)
        self._jobs, self._number = SimpleQueue(), 0


def _run(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        try:
            job()
        except Exception:
            logger.exception("The way of a batch ended with an error that nobody expected.")
        del job  # what it has brought is not to stay until the next one comes
