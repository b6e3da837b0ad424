"""What a worker gives back that has nothing to do."""

import time

from grnry.deployments.memory import give_back, keep_little
from grnry.sinks.writer import Writer

MEMORY_SECONDS = 5.0
SESSION_SECONDS = 60.0


class Rest:
    """After a while without work memory is of no use, and after a longer one the session."""

    def __init__(self, writer: Writer) -> None:
        keep_little()
        self._writer = writer
        self._worked_at = time.monotonic()
        self._is_swollen = False

    def is_over(self) -> None:
        """There is work."""
        self._worked_at = time.monotonic()
        self._is_swollen = True

    def look(self) -> None:
        """Nothing has come for a moment."""
        idle = time.monotonic() - self._worked_at
        ends_session = idle > SESSION_SECONDS and self._writer.is_connected
        if ends_session:
            self._writer.disconnect()
        if ends_session or (self._is_swollen and idle > MEMORY_SECONDS):
            self._is_swollen = False
            give_back()
