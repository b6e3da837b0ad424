"""Log lines of every process: the common log format, or JSON objects; and the files they are in.

    2021-08-16 12:30:22.156  INFO [api,<trace>,<span>,] 4711 --- [thread] logger : message

Times are UTC. What looks like a token or a password is masked before a line is written.
"""

import json
import logging
import os
import re
import shutil
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_COPY_BYTES = 2**20

_MASKS = (
    # Anything that begins like a JSON Web Token.
    (re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*){1,4}"), "******"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ******"),
    # postgresql://user:password@host
    (re.compile(r"(://[^\s:/@]*:)[^\s@/]+@"), r"\1******@"),
    # password=…, "client_secret": "…", GRNRY_ADMIN_PASSWORD=…
    (
        re.compile(
            r"""(?i)((?:password|passwd|secret|token)\w*["']?\s*[=:]\s*)"""
            r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"',;&)}\]]+)"""
        ),
        r"\1******",
    ),
)


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a line belongs to."""

    trace_id: str = ""
    span_id: str = ""


current_trace: ContextVar[Trace] = ContextVar("current_trace", default=Trace())  # noqa: B039


def mask(text: str) -> str:
    """Take out what looks like a credential."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def _timestamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}"


class CommonFormatter(logging.Formatter):
    """One line in the common log format, a stack trace on the lines below it."""

    def __init__(self, application: str) -> None:
        super().__init__()
        self._application = application

    def format(self, record: logging.LogRecord) -> str:
        trace = current_trace.get()
        # A line break in a message would let its author write lines of their own.
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        head = (
            f"{_timestamp(record.created)} {record.levelname:>5} "
            f"[{self._application},{trace.trace_id},{trace.span_id},] {record.process} --- "
            f"[{record.threadName}] {record.name} : {message}"
        )
        stack = self.formatException(record.exc_info) if record.exc_info else ""
        return mask(f"{head}\n{stack}" if stack else head)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, application: str) -> None:
        super().__init__()
        self._application = application

    def format(self, record: logging.LogRecord) -> str:
        trace = current_trace.get()
        entry = {
            "timestamp": _timestamp(record.created).replace(" ", "T") + "Z",
            "level": record.levelname,
            "application": self._application,
            "traceId": trace.trace_id,
            "spanId": trace.span_id,
            "process": record.process,
            "thread": record.threadName,
            "logger": record.name,
            "message": mask(record.getMessage()),
        }
        if record.exc_info:
            entry["stackTrace"] = mask(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False, default=str)


def set_up_logging(
    application: str,
    *,
    level: str = "INFO",
    as_json: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Send every logger of this process to one stream; a second call replaces the first."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((JsonFormatter if as_json else CommonFormatter)(application))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Its lines would repeat what metrics count, for every request.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file of a process, and the one put aside before it."""

    path: Path

    @property
    def name(self) -> str:
        """Of the process."""
        return self.path.name.removesuffix(".log")

    @property
    def aside(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")


def put_aside(file: LogFile, most: int | None = None) -> None:
    """Move what is in the file, or the last `most` bytes, to the one aside, whose content goes.

    A process holds its file open for appending and knows nothing of this, so it is copied and
    emptied in place: the next line lands at its beginning. What is written between the last look at
    its end and the cut would be lost; that is some microseconds.
    """
    new = file.aside.with_name(f"{file.aside.name}.new")
    with file.path.open("rb+") as source, new.open("wb") as target:
        if most is not None:
            source.seek(max(0, os.fstat(source.fileno()).st_size - most))
        shutil.copyfileobj(source, target, _COPY_BYTES)
        target.flush()
        new.replace(file.aside)
        while rest := source.read(_COPY_BYTES):
            target.write(rest)
            target.flush()
        os.ftruncate(source.fileno(), 0)
