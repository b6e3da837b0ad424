"""What the supervisor says while it runs: to its log file, and in a few words to its terminal."""

import logging
import sys
import time
from pathlib import Path

from grnry.logs import CommonFormatter, JsonFormatter

NAME = "supervisor"
logger = logging.getLogger("grnry.household")


class _Terminal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))}  {record.getMessage()}"


class _Quiet(logging.StreamHandler):  # type: ignore[type-arg]
    """A terminal that has gone away is no reason to say more."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


class Journal:
    """Lines of the supervisor's own."""

    def __init__(self, logs: Path, *, as_json: bool, to_terminal: bool) -> None:
        self.path = logs / f"{NAME}.log"
        self._file = _Quiet(self.path.open("a", encoding="utf-8"))
        self._file.setFormatter((JsonFormatter if as_json else CommonFormatter)(NAME))
        self._handlers: list[logging.Handler] = [self._file]
        if to_terminal:
            terminal = _Quiet(sys.stderr)
            terminal.setFormatter(_Terminal())
            self._handlers.append(terminal)
        logger.handlers[:] = self._handlers
        logger.propagate = False
        logger.setLevel(logging.INFO)

    def leave_terminal(self) -> None:
        logger.handlers[:] = [self._file]

    def close(self) -> None:
        logger.handlers.clear()
        self._file.stream.close()
